"""How Hypothesis runs here."""

from hypothesis import settings

# The first example of a large tree fills the reference's cache, and machines are shared: time says nothing about correctness.
settings.register_profile("merkle", deadline=None)
settings.load_profile("merkle")
