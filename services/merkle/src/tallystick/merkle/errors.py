"""The errors that data can cause here; each module names its own."""


class MerkleError(ValueError):
    """What was read or asked for is not sound; the message says what, in words for people."""
