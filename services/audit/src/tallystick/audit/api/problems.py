"""Which problem details (RFC 9457) each error makes."""

import logging
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from tallystick.audit.errors import (
    AuditError,
    ClosedError,
    EvidenceErasedError,
    EvidenceMissingError,
    InconsistentError,
    NotYetLoggedError,
    OutOfRangeError,
    ReceiptMissingError,
    TokenMissingError,
    UnavailableError,
    UnknownError,
)
from tallystick.runtime.health import OK
from tallystick.runtime.problems import INTERNAL, MEDIA_TYPE, TYPE_PREFIX, InvalidParameter, Kind, Problem, problem

_log = logging.getLogger(__name__)


UNKNOWN = Kind("unknown", 404, "Not known here", "No decision on this transaction is known here.")
NOT_YET_LOGGED = Kind(
    "not-yet-logged",
    404,
    "Not in the log yet",
    "The decision was made and is not in the published log yet.",
    {"Retry-After": "1"},
)
INVALID = Kind("invalid-request", 422, "The request is not valid", "A part of the request is not what it must be; see errors.")
OUT_OF_RANGE = Kind(
    "out-of-range", 422, "No such log size", "The sizes must be 1 <= first <= second <= 4096, the published size."
)
TOKEN_MISSING = Kind(
    "token-missing",
    401,
    "A token is needed",
    "This needs the right bearer token in Authorization.",
    {"WWW-Authenticate": "Bearer"},
)
CLOSED = Kind("closed", 403, "Closed to everybody", "This needs a token, and the service is set up without one.")
NO_EVIDENCE = Kind("no-evidence", 404, "No such evidence", "This decision has no evidence: the record was rejected.")
NO_RECEIPT = Kind(
    "no-receipt",
    404,
    "Not signed for receipts",
    "No head that covers this has been signed for receipts yet; the proof file proves the same.",
    {"Retry-After": "5"},
)
ERASED = Kind("evidence-erased", 410, "Erased", "The key that this evidence was encrypted under has been destroyed.")
UNAVAILABLE = Kind(
    "unavailable", 503, "Try again shortly", "database is not answering; try again shortly", {"Retry-After": "5"}
)
INCONSISTENT = Kind(
    "inconsistent", 500, "The store disagrees with itself", "The index points to log entry 7, which is another decision."
)
_KINDS: dict[type[AuditError], Kind] = {
    UnknownError: UNKNOWN,
    NotYetLoggedError: NOT_YET_LOGGED,
    OutOfRangeError: OUT_OF_RANGE,
    TokenMissingError: TOKEN_MISSING,
    ClosedError: CLOSED,
    EvidenceMissingError: NO_EVIDENCE,
    EvidenceErasedError: ERASED,
    ReceiptMissingError: NO_RECEIPT,
    UnavailableError: UNAVAILABLE,
    InconsistentError: INCONSISTENT,
}


async def audit_error(request: Request, error: Exception) -> JSONResponse:
    """Tell an AuditError; what only operators may know goes to the log and to health."""
    if isinstance(error, UnavailableError):
        health = request.app.state.health
        if health.state(error.component) == OK:  # said once, not by every request meanwhile
            _log.warning("%s is not answering: %s", error.component, error.reason, extra={"component": error.component})
        health.failing(error.component, error.reason)
    elif isinstance(error, InconsistentError):
        _log.error("inconsistent: %s", error)
    kind = next((kind for known, kind in _KINDS.items() if isinstance(error, known)), INTERNAL)
    return problem(kind, str(error))


async def invalid_request(_: Request, error: Exception) -> JSONResponse:
    """Tell what is wrong with a request, without repeating what was sent."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [
        InvalidParameter(location=".".join(str(part) for part in fault["loc"]), detail=str(fault["msg"])) for fault in faults
    ]
    return problem(INVALID, INVALID.example, errors)


class _Grouped(NamedTuple):
    description: str
    examples: dict[str, Any]


def declared(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI `responses` of an operation that may fail in these ways, each with an example."""
    grouped: dict[int, _Grouped] = {}
    for kind in (*kinds, INVALID, INTERNAL):
        entry = grouped.setdefault(kind.status, _Grouped(kind.title, {}))
        value = Problem(type=TYPE_PREFIX + kind.name, title=kind.title, status=kind.status, detail=kind.example)
        entry.examples[kind.name] = {"summary": kind.title, "value": value.model_dump(exclude_none=True)}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": entry.description, "content": {MEDIA_TYPE: {"schema": schema, "examples": entry.examples}}}
        for status, entry in sorted(grouped.items())
    }
