"""Who may see what is for authorised readers: whoever holds the token.

Without it anybody may see what holds no decision (checkpoints, hash tiles, the governance log, the trust policy), and the
decision on a transaction whose id they know: the id is for the parties to the transaction, and whoever knows it holds the
receipt. Places in a partition can be counted up, so decisions by place need the token; so do evidence, the entries of the
decisions' log, and models. Roles of several readers come with OIDC.
"""

import hashlib
import hmac
from typing import Any

from tallystick.audit.errors import ClosedError, TokenMissingError

SCHEME = "readerToken"
SECURITY_SCHEMES: dict[str, Any] = {
    SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of authorised readers, from the operator. Opens evidence, decisions by place, the entries of "
        "the decisions' log, and models.",
    }
}
TOKEN_NEEDED: dict[str, Any] = {"security": [{SCHEME: []}]}
"""What the OpenAPI document says of an operation that always needs the token."""
TOKEN_FOR_SOME: dict[str, Any] = {"security": [{}, {SCHEME: []}]}
"""And of one that needs it for a part of what it answers."""


class TokenGate:
    """Opens for one bearer token; without one it is closed to everybody."""

    def __init__(self, token: str | None) -> None:
        self._digest = None if token is None else _digest(token)

    def admit(self, authorization: str | None) -> None:
        """Let a request with this `Authorization` header pass.

        Raises:
            ClosedError: no token is set up here.
            TokenMissingError: the header is not the token.
        """
        if self._digest is None:
            raise ClosedError("This needs a token, and the service is set up without one.")
        scheme, _, token = (authorization or "").partition(" ")
        # Digests are compared, in constant time, so that neither the token's length nor its beginning shows.
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(token.strip()), self._digest):
            raise TokenMissingError("This needs the right bearer token in Authorization.")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
