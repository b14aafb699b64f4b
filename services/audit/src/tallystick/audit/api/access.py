"""Who may see what, and how an operation says so.

| who | sees |
|---|---|
| anybody | checkpoints, hash tiles, single proofs, anchors, the governance log, the trust policy: none holds a decision |
| `CUSTOMER` | their own decisions by transaction: outcome and reasons, the receipt, the groups `identity` and `transaction` |
| `AUDITOR` | every decision, the entries of all logs, evidence, models |
| `PRIVACY` | erasure, and with auditors (`OVERSIGHT`) who was shown evidence |

An operation names its need, and is given who calls where it wants to know:

    @router.get("/…", dependencies=[AUDITOR])
    async def get_something(caller: Annotated[Caller, CUSTOMER]) -> …

`document_needs` then tells the OpenAPI document.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from tallystick.audit.api import problems
from tallystick.audit.errors import ClosedError, ScopeMissingError, TokenMissingError, TokenRefusedError
from tallystick.audit.issuer import Issuer
from tallystick.audit.tokens import ANYBODY, Caller, Scope, Terms, Token, TokenError, read_header, verify

if TYPE_CHECKING:
    from tallystick.audit.api.state import Audit

SCHEME = "oidc"
SECURITY_SCHEMES: dict[str, Any] = {
    SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the operator's OIDC issuer. Its scopes say what it opens: "
        + ", ".join(f"`{scope.value}`" for scope in Scope)
        + ".",
    }
}
AUDITOR_FOR_SOME: dict[str, Any] = {"security": [{}, {SCHEME: [Scope.AUDITOR.value]}]}
"""What the OpenAPI document says of an operation that needs an auditor for a part of what it answers."""
_MAX_KNOWN = 4_096


class Gate:
    """Tells who calls by the token that they bring; without an issuer nobody is anybody.

    Args:
        issuer: whose tokens count; None: nobody's.
        terms: what they must say.
        clock: seconds since 1970.
    """

    def __init__(self, issuer: Issuer | None, terms: Terms, clock: Callable[[], float] = time.time) -> None:
        self._issuer, self._terms, self._clock = issuer, terms, clock
        # Tokens that held lately, by digest, each with the key that it was held against: a signature costs more than a proof.
        self._known: OrderedDict[bytes, tuple[Token, Any]] = OrderedDict()

    async def caller(self, authorization: str | None) -> Caller:
        """Return who sends this `Authorization` header; `ANYBODY` without one.

        Raises:
            ClosedError: no issuer is set up here.
            TokenRefusedError: the header holds no token that is to be believed.
            UnavailableError: the issuer does not answer.
        """
        if self._issuer is None:
            raise ClosedError("This needs a token, and the service is set up without an issuer of them.")
        if authorization is None:
            return ANYBODY
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise TokenRefusedError("Authorization must be Bearer and a token.")
        try:
            return await self._verified(token.strip(), self._issuer)
        except TokenError as error:
            raise TokenRefusedError(str(error)) from None

    async def admit(self, authorization: str | None, scopes: Iterable[Scope]) -> Caller:
        """Return who sends this `Authorization` header, who must have one of the scopes.

        Raises:
            TokenMissingError: there is no token.
            ScopeMissingError: it is good, and not for this.
            ClosedError, TokenRefusedError, UnavailableError: as `caller`.
        """
        caller = await self.caller(authorization)
        if caller is ANYBODY:
            raise TokenMissingError("This needs a bearer token in Authorization.")
        if not any(caller.may(scope) for scope in scopes):
            raise ScopeMissingError(f"This needs a token with the scope {' or '.join(scope.value for scope in scopes)}.")
        return caller

    async def _verified(self, token: str, issuer: Issuer) -> Caller:
        header = read_header(token)
        key = await issuer.key(header.key_id)
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        now_s = self._clock()
        if known is not None and known[1] == key and now_s < known[0].expires_s:
            self._known.move_to_end(digest)
            return known[0].caller
        verified = verify(token, header, key, self._terms, now_s)
        self._known[digest] = verified, key
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return verified.caller


class Needs:
    """The dependency of an operation that needs a token with one of some scopes; asked before the request is looked at."""

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = scopes

    async def __call__(self, request: Request) -> Caller:
        """Return who calls. Raises as `Gate.admit`."""
        audit: Audit = request.app.state.audit
        caller = await audit.gate.admit(request.headers.get("authorization"), self.scopes)
        audit.limits.caller(caller.subject)
        return caller

    @property
    def security(self) -> list[dict[str, list[str]]]:
        """What the OpenAPI document says of it: any one of the scopes."""
        return [{SCHEME: [scope.value]} for scope in self.scopes]


AUDITOR: Any = Depends(Needs(Scope.AUDITOR))
PRIVACY: Any = Depends(Needs(Scope.PRIVACY))
OVERSIGHT: Any = Depends(Needs(Scope.AUDITOR, Scope.PRIVACY))
CUSTOMER: Any = Depends(Needs(Scope.CUSTOMER, Scope.AUDITOR))
"""A customer, who is shown their own, or an auditor, who is shown all: `own` in `owning` tells them apart."""


def document_needs(document: dict[str, Any], routes: Iterable[object]) -> None:
    """Say in an OpenAPI document what each operation needs, and how it refuses who has it not."""
    for route in routes:
        needs = next(_needs(route.dependant.dependencies), None) if isinstance(route, APIRoute) else None
        if needs is None or not isinstance(route, APIRoute):
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["security"] = needs.security
            for status, response in problems.declared(*problems.ACCESS).items():
                declared = operation["responses"].setdefault(str(status), response)
                for content, kinds in response["content"].items():
                    declared["content"][content]["examples"] |= kinds["examples"]


def _needs(dependencies: Iterable[Any]) -> Iterator[Needs]:
    for dependency in dependencies:
        if isinstance(dependency.call, Needs):
            yield dependency.call
        yield from _needs(dependency.dependencies)
