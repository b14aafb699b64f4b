"""Who reads: an access token of the operator's issuer, pasted into a form once and kept in a cookie that only this site sends.

The token is the API's, checked by the same gate at every request: the cookie is only its way here. `HttpOnly` keeps it from
scripts, `SameSite=Strict` from requests that other sites cause. There is no session here to be forgotten or stolen from.
"""

from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.requests import ClientDisconnect

from tallystick.audit.api.state import Served
from tallystick.audit.console.pages import PREFIX, FormError, PageRoute, page
from tallystick.audit.errors import ClosedError, ScopeMissingError, TokenMissingError, TokenRefusedError
from tallystick.audit.tokens import ANYBODY, Caller, Scope

COOKIE = "tallystick-token"
MAX_FORM_BYTES = 16_384
MAX_FORM_FIELDS = 8
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

router = APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)


async def reader(request: Request, audit: Served) -> Caller | None:
    """Return who is signed in; None if nobody is, or the token has run out: such a one sees what everybody sees."""
    token = request.cookies.get(COOKIE)
    if token is None:
        return None
    try:
        caller = await audit.gate.caller(f"Bearer {token}")
    except (TokenRefusedError, ClosedError):
        return None
    if caller is ANYBODY:
        return None
    audit.limits.caller(caller.subject)
    return caller


Reader = Annotated[Caller | None, Depends(reader)]


def _needs(*scopes: Scope) -> Any:
    async def admitted(request: Request, audit: Served) -> Caller:
        token = request.cookies.get(COOKIE)
        caller = await audit.gate.admit(None if token is None else f"Bearer {token}", scopes)
        audit.limits.caller(caller.subject)
        return caller

    return Depends(admitted)


Auditor = Annotated[Caller, _needs(Scope.AUDITOR)]
Customer = Annotated[Caller, _needs(Scope.CUSTOMER, Scope.AUDITOR)]
"""A customer, who is shown their own, or an auditor, who is shown all."""


@router.get("/sign-in")
async def get_sign_in(caller: Reader) -> Response:
    """Return the form."""
    return page("sign_in.html", reader=caller, reason="", after=f"{PREFIX}/")


@router.post("/sign-in")
async def post_sign_in(request: Request, audit: Served) -> Response:
    """Take a token that the gate takes, and go on to where the reader wanted to be."""
    form = await _form(request)
    token = "".join(form.get("token", "").split()).removeprefix("Bearer")
    try:
        caller = await audit.gate.caller(f"Bearer {token}")
        if not caller.scopes & {Scope.AUDITOR, Scope.CUSTOMER}:
            raise ScopeMissingError("The token is good, and opens nothing that the console shows.")
    except (TokenMissingError, TokenRefusedError, ClosedError, ScopeMissingError) as error:
        return page("sign_in.html", 401, reason=str(error), after=_inside(form.get("after", "")))
    answer = RedirectResponse(_inside(form.get("after", "")), 303)
    secure = request.url.hostname not in _LOOPBACK
    answer.set_cookie(COOKIE, token, path=PREFIX, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/sign-out")
async def post_sign_out(request: Request) -> Response:
    """Forget the token."""
    await _form(request)
    answer = RedirectResponse(f"{PREFIX}/", 303)
    answer.delete_cookie(COOKIE, path=PREFIX, httponly=True, samesite="strict")
    return answer


async def _form(request: Request) -> dict[str, str]:
    """Return a form's fields; only this site's own forms are read, or whoever else could sign a reader in as somebody else."""
    origin = request.headers.get("origin")
    if origin is not None and _host(origin) != request.headers.get("host"):
        raise FormError("This form was sent from another site.")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_FORM_BYTES:
                raise FormError("The form is too long.")
    except ClientDisconnect:
        raise FormError("The form ended early.") from None
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise FormError("The form has more fields than this page's own.") from None
    return {name: values[-1] for name, values in fields.items()}


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None  # such as http://[


def _inside(address: str) -> str:
    """Return an address below the console, whatever was asked for: nobody is sent elsewhere from here."""
    inside = address.startswith(f"{PREFIX}/") and not any(odd in address for odd in ("\\", "..", "//"))
    return address if inside else f"{PREFIX}/"
