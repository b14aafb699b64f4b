"""Problem details (RFC 9457): the one form in which a service's HTTP says what is wrong; nothing internal is ever in one."""

import http
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:tallystick:problem:"


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


INTERNAL = Kind("internal", 500, "Something went wrong here", "The request could not be answered; the operator has been told.")
NO_ROUTE = Kind("no-such-resource", 404, "No such resource", "There is nothing at this address.")
METHOD = Kind("method-not-allowed", 405, "Method not allowed", "This address only answers the methods in Allow.")


def problem(
    kind: Kind, detail: str, errors: list[InvalidParameter] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response that says it."""
    body = Problem(type=TYPE_PREFIX + kind.name, title=kind.title, status=kind.status, detail=detail, errors=errors)
    return JSONResponse(
        body.model_dump(exclude_none=True), kind.status, {**(kind.headers or {}), **(headers or {})}, media_type=MEDIA_TYPE
    )


async def http_error(_: Request, error: Exception) -> JSONResponse:
    """Tell what the framework found: no such route, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict((isinstance(error, HTTPException) and error.headers) or {})
    kind = {404: NO_ROUTE, 405: METHOD}.get(status)
    if kind is None:
        known = http.HTTPStatus(status)
        detail = f"{known.description}." if known.description else "The request was not answered."
        kind = Kind(known.phrase.lower().replace(" ", "-"), status, known.phrase, detail)
    return problem(kind, kind.example, headers=headers)


async def internal_error(_request: Request, _error: Exception) -> JSONResponse:
    """Tell that something failed; an application's handler of `Exception`, or Starlette would tell it in plain text."""
    return problem(INTERNAL, INTERNAL.example)
