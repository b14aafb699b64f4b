"""What can go wrong in the notary: things that end it, and things that it waits out."""


class NotaryError(Exception):
    """The notary must stop; a person has to look. The message says what is wrong and what to do."""


class FencedError(NotaryError):
    """Another notary has taken over this log."""


class ForkError(NotaryError):
    """What is public and what the database holds are not the same log (a restored old backup, a wrong directory or key)."""


class CorruptLogError(NotaryError):
    """A file of the log is missing or does not hash to what the database committed."""


class UnavailableError(Exception):
    """A server or a disk did not do its part; nothing is lost, and trying again is right.

    Args:
        component: who: "kafka", "vault", "database", "disk" or "witnesses", as health names them.
        reason: what it said.

    """

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(f"{component}: {reason}")
        self.component = component
        self.reason = reason
