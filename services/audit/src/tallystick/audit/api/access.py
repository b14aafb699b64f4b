"""Who may see evidence: whoever holds the token."""

import hashlib
import hmac

from tallystick.audit.errors import EvidenceClosedError, TokenMissingError


class EvidenceGate:
    """Opens for one bearer token; without one it is closed to everybody."""

    def __init__(self, token: str | None) -> None:
        self._digest = None if token is None else _digest(token)

    def admit(self, authorization: str | None) -> None:
        """Let a request with this `Authorization` header pass.

        Raises:
            EvidenceClosedError: no token is set up here.
            TokenMissingError: the header is not the token.
        """
        if self._digest is None:
            raise EvidenceClosedError("This service is set up to serve no evidence.")
        scheme, _, token = (authorization or "").partition(" ")
        # Digests are compared, in constant time, so that neither the token's length nor its beginning shows.
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(token.strip()), self._digest):
            raise TokenMissingError("Evidence needs the right bearer token in Authorization.")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
