"""Why something could not be anchored; every one of these passes or is repaired by others, and is tried again."""


class AnchoringError(Exception):
    """An anchor was not made this time. The message is for people: what is wrong, where, and what to do."""


class RollbackError(AnchoringError):
    """A log is not what it was when it was last anchored: smaller, or another tree. Somebody has to look."""
