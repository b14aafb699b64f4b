"""Access tokens of an OIDC issuer (JWT, RFC 7519, RFC 9068): what one says, once its signature holds. Pure: the time is given.

Only asymmetric algorithms are known here, and a key only ever verifies the algorithm that it is for: there is no way to have
`none` taken for a signature, nor a public key for the secret of an HMAC (RFC 8725 §3.1, §3.2). A token's own hints at keys
(`jku`, `jwk`, `x5u`, `x5c`) are never followed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

MAX_TOKEN_BYTES = 8_192
MAX_NAME = 255
MIN_RSA_BITS = 2_048
KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that are taken, each with the type and curve of its keys (RFC 7518, RFC 8037)."""


class TokenError(ValueError):
    """A token that is not to be believed; the message says why, to whoever sent it."""


class Scope(StrEnum):
    """What a token may be used for here, as its scope claim says it."""

    CUSTOMER = "tallystick:customer"
    """One's own decisions; a claim names the customer."""
    AUDITOR = "tallystick:auditor"
    """All decisions, entries and evidence."""
    PRIVACY = "tallystick:privacy"
    """Erasing customers' evidence."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the token's subject, what it may be used for, and which customer it is, if one.

    `ANYBODY` brought no token: an empty subject, and no scope.
    """

    subject: str
    scopes: frozenset[Scope]
    customer_id: str | None = None

    def may(self, scope: Scope) -> bool:
        """Tell whether the token has a scope."""
        return scope in self.scopes


ANYBODY = Caller("", frozenset())


@dataclass(frozen=True, slots=True)
class Terms:
    """What a token must say to count here.

    `leeway_s` is by how much the issuer's clock may be off; `scope_claim` and `customer_claim` name the claims that are read.
    """

    issuer: str
    audience: str
    scope_claim: str = "scope"
    customer_claim: str = "customer_id"
    leeway_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Header:
    """By which key a token says that it is signed, and how."""

    key_id: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token that holds: whose it is, and until when, in seconds since 1970 (the leeway not counted)."""

    caller: Caller
    expires_s: float


def read_header(token: str) -> Header:
    """Return what a token's header says, unverified.

    Raises:
        TokenError: It is no signed JWT, is signed as nobody may here, names no key, or demands what is not understood (`crit`).
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError("The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError):
        raise TokenError("This is not a signed token (JWT).") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in KINDS:
        raise TokenError(f"The token must be signed with one of {', '.join(KINDS)}.")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_NAME:
        raise TokenError("The token does not name the key that it is signed with (kid).")
    if "crit" in header:
        raise TokenError("The token's header demands what is not understood here (crit).")
    return Header(key_id, str(algorithm))


def parse_keys(data: bytes) -> dict[str, Mapping[str, Any]]:
    """Return the public keys for signatures in a JWK set (RFC 7517 §5), by id; others are left out, as it says there.

    Raises:
        ValueError: It is no JWK set, or holds no such key.
    """
    try:
        found = json.loads(data)["keys"]
        keys = {key["kid"]: key for key in reversed(found) if _usable(key)}
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError("this is no set of keys (JWK set)") from error
    if not keys:
        raise ValueError("the set holds no public key for signatures that has an id (kid)")
    return keys


def _usable(key: object) -> bool:
    if not isinstance(key, dict):
        return False
    kinds = {kind for kind, _ in KINDS.values()}
    for_signatures = key.get("use", "sig") == "sig" and "verify" in key.get("key_ops", ("verify",))
    return isinstance(key.get("kid"), str) and key.get("kty") in kinds and for_signatures and "d" not in key


def verify(token: str, header: Header, key: Mapping[str, Any], terms: Terms, now_s: float) -> Token:
    """Check a token whose header is `header` against the JWK that it names.

    Raises:
        TokenError: The signature does not hold, or the token is not for here and now.
    """
    public = _public_key(header, key)
    try:
        claims = jwt.decode(
            token,
            public,
            algorithms=[header.algorithm],
            audience=terms.audience,
            issuer=terms.issuer,
            # The times are checked below, by the clock that was given.
            options={"require": ["exp", "iss", "aud", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.MissingRequiredClaimError as error:
        raise TokenError(f"The token lacks the claim {error.claim}.") from None
    except jwt.InvalidAudienceError:
        raise TokenError("The token is for another audience.") from None
    except jwt.InvalidIssuerError:
        raise TokenError("The token is another issuer's.") from None
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise TokenError("The token's signature does not hold.") from None
    expires_s = _check_times(claims, terms.leeway_s, now_s)
    subject = _name(claims["sub"])
    if subject is None:
        raise TokenError("The token's subject is none.")
    return Token(Caller(subject, _scopes(claims.get(terms.scope_claim)), _name(claims.get(terms.customer_claim))), expires_s)


def _public_key(header: Header, key: Mapping[str, Any]) -> jwt.PyJWK:
    kind, curve = KINDS[header.algorithm]
    if key["kty"] != kind or key.get("alg", header.algorithm) != header.algorithm or key.get("crv") != curve:
        raise TokenError("The token's key is not for its algorithm.")
    try:
        public = jwt.PyJWK(dict(key), header.algorithm)
    except jwt.PyJWTError:
        raise TokenError("The token's key is not usable.") from None
    if kind == "RSA" and public.key.key_size < MIN_RSA_BITS:
        raise TokenError(f"The token's key has less than {MIN_RSA_BITS} bits.")
    return public


def _check_times(claims: Mapping[str, Any], leeway_s: float, now_s: float) -> float:
    times = {claim: claims[claim] for claim in ("exp", "nbf", "iat") if claim in claims}
    if not all(isinstance(time, int | float) and not isinstance(time, bool) and abs(time) < 2**53 for time in times.values()):
        raise TokenError("The token's times are no numbers.")
    if times["exp"] + leeway_s <= now_s:
        raise TokenError("The token has expired.")
    if any(times.get(claim, now_s) - leeway_s > now_s for claim in ("nbf", "iat")):
        raise TokenError("The token is not valid yet.")
    return float(times["exp"])


def _scopes(claim: object) -> frozenset[Scope]:
    """Return the scopes that are known here, of a string of them (RFC 8693 §4.2) or a list, as some issuers write it."""
    named = claim.split(" ") if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(scope for scope in Scope if scope.value in named)


def _name(claim: object) -> str | None:
    return claim if isinstance(claim, str) and 0 < len(claim) <= MAX_NAME and claim.isprintable() else None
