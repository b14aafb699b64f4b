"""Which problem details (RFC 9457) each error makes."""

import logging
import math
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tallystick.audit.api import faults
from tallystick.audit.errors import (
    AuditError,
    ClosedError,
    EvidenceErasedError,
    EvidenceMissingError,
    HeldError,
    InconsistentError,
    InvalidError,
    NotYetLoggedError,
    OutOfRangeError,
    ReceiptMissingError,
    ScopeMissingError,
    TokenMissingError,
    TokenRefusedError,
    TooLargeError,
    TooManyError,
    UnavailableError,
    UnknownError,
)
from tallystick.runtime.health import OK
from tallystick.runtime.problems import INTERNAL, MEDIA_TYPE, TYPE_PREFIX, InvalidParameter, Kind, Problem, problem
from tallystick.runtime.problems import http_error as framework_error

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
    "out-of-range", 404, "No such log size", "The sizes must be 1 <= first <= second <= 4096, the published size."
)
UNAVAILABLE = Kind(
    "unavailable", 503, "Try again shortly", "database is not answering; try again shortly", {"Retry-After": "5"}
)
TOKEN_MISSING = Kind(
    "token-missing",
    401,
    "A token is needed",
    "This needs a bearer token in Authorization.",
    {"WWW-Authenticate": "Bearer"},
)
TOKEN_REFUSED = Kind(
    "token-refused", 401, "The token is refused", "The token has expired.", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
)
SCOPE_MISSING = Kind(
    "scope-missing",
    403,
    "The token is not for this",
    "This needs a token with the scope tallystick:auditor.",
    {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
)
CLOSED = Kind("closed", 403, "Closed to everybody", "This needs a token, and the service is set up without an issuer of them.")
ACCESS = (TOKEN_MISSING, TOKEN_REFUSED, SCOPE_MISSING, CLOSED, UNAVAILABLE)
"""How an operation may fail that needs a token."""
NO_EVIDENCE = Kind("no-evidence", 404, "No such evidence", "This decision has no evidence: the record was rejected.")
NO_RECEIPT = Kind(
    "no-receipt",
    404,
    "Not signed for receipts",
    "No head that covers this has been signed for receipts yet; the proof file proves the same.",
    {"Retry-After": "5"},
)
ERASED = Kind("evidence-erased", 410, "Erased", "The key that this evidence was encrypted under has been destroyed.")
HELD = Kind(
    "legal-hold", 409, "Under a legal hold", "The customer is under a legal hold: nothing is erased until it is lifted."
)
INCONSISTENT = Kind(
    "inconsistent", 500, "The store disagrees with itself", "The index points to log entry 7, which is another decision."
)
TOO_LARGE = Kind("too-large", 413, "The request is too large", "A request's body may have 1,048,576 bytes.")
TOO_MANY = Kind("too-many", 429, "Too many requests", "You ask more often than you may; see Retry-After.", {"Retry-After": "1"})
_KINDS: dict[type[AuditError], Kind] = {
    UnknownError: UNKNOWN,
    NotYetLoggedError: NOT_YET_LOGGED,
    OutOfRangeError: OUT_OF_RANGE,
    TokenMissingError: TOKEN_MISSING,
    TokenRefusedError: TOKEN_REFUSED,
    ScopeMissingError: SCOPE_MISSING,
    ClosedError: CLOSED,
    EvidenceMissingError: NO_EVIDENCE,
    EvidenceErasedError: ERASED,
    HeldError: HELD,
    ReceiptMissingError: NO_RECEIPT,
    UnavailableError: UNAVAILABLE,
    InconsistentError: INCONSISTENT,
    InvalidError: INVALID,
    TooLargeError: TOO_LARGE,
    TooManyError: TOO_MANY,
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
    kind, detail, errors = _told(error)
    headers = {"Retry-After": str(math.ceil(error.retry_after_s))} if isinstance(error, TooManyError) else None
    return problem(kind, detail, errors, headers)


def as_json(error: AuditError) -> dict[str, Any]:
    """Return what an error is told as, for an answer that holds other things besides."""
    kind, detail, errors = _told(error)
    told = Problem(type=TYPE_PREFIX + kind.name, title=kind.title, status=kind.status, detail=detail, errors=errors)
    return told.model_dump(exclude_none=True)


def _told(error: Exception) -> tuple[Kind, str, list[InvalidParameter] | None]:
    kind = next((kind for known, kind in _KINDS.items() if isinstance(error, known)), INTERNAL)
    if isinstance(error, InvalidError):
        return kind, INVALID.example, [InvalidParameter(location=error.location, detail=str(error))]
    return kind, str(error), None


async def http_error(request: Request, error: Exception) -> JSONResponse:
    """Tell what the framework found, and what was found of a body while it was read: too large, or not to be parsed."""
    if isinstance(error, HTTPException) and error.status_code == TOO_LARGE.status:
        return problem(TOO_LARGE, TOO_LARGE.example)
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.BAD_REQUEST:
        return problem(INVALID, INVALID.example, [faults.tell_unreadable(error.__cause__)])
    return await framework_error(request, error)


async def invalid_request(_: Request, error: Exception) -> JSONResponse:
    """Tell what is wrong with a request, without repeating what was sent."""
    return problem(INVALID, INVALID.example, faults.tell(error) if isinstance(error, RequestValidationError) else [])


class _Grouped(NamedTuple):
    description: str
    examples: dict[str, Any]


def declared(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI `responses` of an operation that may fail in these ways, each with an example."""
    grouped: dict[int, _Grouped] = {}
    for kind in (*kinds, INVALID, TOO_MANY, INTERNAL):
        entry = grouped.setdefault(kind.status, _Grouped(kind.title, {}))
        value = Problem(type=TYPE_PREFIX + kind.name, title=kind.title, status=kind.status, detail=kind.example)
        entry.examples[kind.name] = {"summary": kind.title, "value": value.model_dump(exclude_none=True)}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": entry.description, "content": {MEDIA_TYPE: {"schema": schema, "examples": entry.examples}}}
        for status, entry in sorted(grouped.items())
    }
