"""What can be wrong with something that asks to be trusted."""


class TrustError(ValueError):
    """Something cannot be trusted, or not be understood; the message is one sentence for people."""
