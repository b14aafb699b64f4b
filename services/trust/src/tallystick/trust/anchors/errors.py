"""What can be wrong with an anchor."""

from tallystick.trust.errors import TrustError


class AnchorError(TrustError):
    """An anchor does not show what it should, or cannot be understood; the message is one clause for people."""


class NotPinnedError(AnchorError):
    """An anchor is of somebody else than whom the trust policy pins under its name; it may be sound for all that."""
