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


class ClosedError(AuditError):
    """What needs the token is closed: the service is set up without one."""


class TokenMissingError(AuditError):
    """The request needs a bearer token and has none, or a wrong one."""


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
