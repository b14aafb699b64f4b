"""What can keep the audit service from an answer; `api.problems` says how each is told over HTTP."""


class AuditError(Exception):
    """An answer that cannot be given; its text is a sentence that may be shown to the caller."""


class UnknownError(AuditError):
    """There is no such thing here: a decision, a tile, a model."""


class NotYetLoggedError(AuditError):
    """The decision was made, and the published log does not hold it yet."""


class EvidenceMissingError(AuditError):
    """The decision has no evidence here that could be disclosed."""


class ReceiptMissingError(AuditError):
    """No head that covers what was asked for has been signed for receipts."""


class EvidenceErasedError(AuditError):
    """The key that the evidence is encrypted under has been destroyed."""


class HeldError(AuditError):
    """A legal hold forbids what was asked for; `placed_ms` is since when, in milliseconds since 1970."""

    def __init__(self, placed_ms: int) -> None:
        super().__init__("The customer is under a legal hold: nothing is erased until it is lifted.")
        self.placed_ms = placed_ms


class ClosedError(AuditError):
    """What needs a token is closed: the service is set up without an issuer of tokens."""


class TokenMissingError(AuditError):
    """The request needs a bearer token and has none."""


class TokenRefusedError(AuditError):
    """The bearer token is not to be believed, or is not for here and now."""


class ScopeMissingError(AuditError):
    """The bearer token is good, and not for this."""


class InvalidError(AuditError):
    """A part of the request is not what it must be; `location` names it."""

    def __init__(self, location: str, detail: str) -> None:
        super().__init__(detail)
        self.location = location


class TooLargeError(AuditError):
    """The request's body is larger than any that is taken."""


class TooManyError(AuditError):
    """The caller asks more than they may; in `retry_after_s` they may ask again."""

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class OutOfRangeError(AuditError):
    """A log size or range that was asked for does not exist in the published log."""


class InconsistentError(AuditError):
    """What is stored here disagrees with itself; nothing was answered rather than something wrong."""


class UnavailableError(AuditError):
    """Something that the answer needs does not answer now; it is worth trying again."""

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(f"{component} is not answering; try again shortly")
        self.component = component
        self.reason = reason
