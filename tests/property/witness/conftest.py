"""How Hypothesis runs here."""

from hypothesis import settings

# Machines are shared: time says nothing about correctness.
settings.register_profile("witness", deadline=None)
settings.load_profile("witness")
