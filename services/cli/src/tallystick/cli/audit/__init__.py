"""The audit service as commands ask it: a client with types, kept by hand beside the service's OpenAPI document.

Nothing that it returns is verified here: whoever asks holds it against the logs.
"""

from tallystick.cli.audit.client import (
    AuditClient,
    AuditRefusedError,
    AuditUnavailableError,
    ListedDecision,
    OpenedEvidence,
    Place,
    Receipt,
)
from tallystick.cli.audit.token import read_token

__all__ = [
    "AuditClient",
    "AuditRefusedError",
    "AuditUnavailableError",
    "ListedDecision",
    "OpenedEvidence",
    "Place",
    "Receipt",
    "read_token",
]
