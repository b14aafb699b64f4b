"""Idempotency keys (draft-ietf-httpapi-idempotency-key-header): what a request is known by, on every replica alike. Pure."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256

from tallystick.contracts import Transaction

MAX_KEY = 255
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!#-\[\]-~]+")
_MADE = "gw-"


class IdempotencyKeyError(ValueError):
    """The header holds no key."""


def parse_key(header: str) -> str:
    """Return the key in an `Idempotency-Key` header: a string of RFC 8941, or the same without its quotes, as many send it.

    Raises:
        IdempotencyKeyError: it is neither, empty, or over 255 characters.
    """
    text = header.strip()
    quoted = _QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not 1 <= len(key) <= MAX_KEY or not (quoted or _BARE.fullmatch(text)):
        raise IdempotencyKeyError(
            f"Idempotency-Key must be a string of 1 to {MAX_KEY} visible ASCII characters, in double quotes."
        )
    return key


def request_id(channel: str, key: str, number: int | None = None) -> bytes:
    """Return the 32 bytes by which a request is registered; channels do not share keys.

    Args:
        channel: the caller's.
        key: the idempotency key.
        number: the transaction's place in its message, for messages that hold several.
    """
    place = "" if number is None else str(number)
    return sha256(f"tallystick/v1/idempotency-key\0{channel}\0{place}\0{key}".encode()).digest()


def transaction_id(request: bytes) -> str:
    """Return the transaction id that a request's registration makes: 46 characters."""
    return _MADE + urlsafe_b64encode(request).decode().rstrip("=")


def fingerprint(request: bytes, transaction: Transaction) -> bytes:
    """Return 32 bytes that are the same only for the same transaction, in whichever form it came.

    The request's id goes in, so that equal payments of two requests do not show as equal in the register.
    """
    return sha256(request + transaction.SerializeToString(deterministic=True)).digest()
