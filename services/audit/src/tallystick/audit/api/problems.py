"""Problem details (RFC 9457) for every error; nothing internal is ever in one."""

import http
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

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

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:tallystick:problem:"
_log = logging.getLogger(__name__)


class InvalidParameter(BaseModel):
    """One thing wrong with the request."""

    model_config = ConfigDict(strict=True, extra="forbid")

    location: str = Field(description="Where it is", examples=["path.partition"])
    detail: str = Field(description="What is wrong", examples=["Input should be greater than or equal to 0"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(strict=True, extra="forbid")

    type: str = Field(
        description="Which kind of problem; compare this one, not the words", examples=["urn:tallystick:problem:unknown"]
    )
    title: str = Field(description="The kind in words")
    status: int = Field(description="The HTTP status", ge=400, le=599)
    detail: str = Field(description="What happened this time, and what to do")
    errors: list[InvalidParameter] | None = Field(default=None, description="What is wrong with the request, one by one")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem."""

    name: str
    status: int
    title: str
    example: str
    headers: Mapping[str, str] | None = None


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
INTERNAL = Kind("internal", 500, "Something went wrong here", "The request could not be answered; the operator has been told.")
NO_ROUTE = Kind(
    "no-such-resource", 404, "No such resource", "There is nothing at this address; /openapi.json lists what there is."
)
METHOD = Kind("method-not-allowed", 405, "Method not allowed", "This address only answers the methods in Allow.")

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


def problem(
    kind: Kind, detail: str, errors: list[InvalidParameter] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response that says it."""
    body = Problem(type=TYPE_PREFIX + kind.name, title=kind.title, status=kind.status, detail=detail, errors=errors)
    return JSONResponse(
        body.model_dump(exclude_none=True), kind.status, {**(kind.headers or {}), **(headers or {})}, media_type=MEDIA_TYPE
    )


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


async def http_error(_: Request, error: Exception) -> JSONResponse:
    """Tell what the framework found: no such route, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict((isinstance(error, HTTPException) and error.headers) or {})
    kind = {404: NO_ROUTE, 405: METHOD}.get(status)
    if kind is None:
        phrase = http.HTTPStatus(status).phrase
        kind = Kind(phrase.lower().replace(" ", "-"), status, phrase, phrase)
    return problem(kind, kind.example, headers=headers)


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
