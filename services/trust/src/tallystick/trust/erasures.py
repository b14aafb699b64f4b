"""Erasures and legal holds, as the governance log holds them: which customers' keys are destroyed, and since when.

A key's id is made of a token that lies beside the key and nowhere else:

    key id = SHA-256("tallystick/v1/customer-key" || 0A || token), its first 16 bytes; the token is 16 random bytes

An `Erasure` shows the tokens. Whoever restores an old backup destroys every key that a logged erasure names, so the entry has
to come from somebody who had the keys: ids can be read in the topic `evidence`, tokens cannot.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from tallystick.contracts import Erasure, HoldEvent, LegalHold
from tallystick.trust.messages import parse_message
from tallystick.trust.records import RecordError

TOKEN_SIZE = 16
KEY_ID_SIZE = 16
_DOMAIN = b"tallystick/v1/customer-key\n"


@dataclass(frozen=True, slots=True)
class LoggedErasure:
    """An erasure that counts: its place in the governance log, the keys that are gone, and its dates (ms since 1970)."""

    index: int
    key_ids: tuple[bytes, ...]
    requested_at_ms: int
    effective_at_ms: int


def key_id_of(token: bytes) -> bytes:
    """Return the id of the key whose token this is."""
    return sha256(_DOMAIN + token).digest()[:KEY_ID_SIZE]


def open_erasure(index: int, value: bytes) -> LoggedErasure:
    """Return the `Erasure` in `value`, logged at `index`.

    Raises:
        TrustError: It names no key, or one whose token it does not have, or takes effect before it was asked for.
    """
    record = parse_message(Erasure, value, "the record")
    if not record.key_ids or len(record.key_ids) != len(record.tokens):
        raise RecordError(f"the erasure has {len(record.key_ids)} key ids and {len(record.tokens)} tokens")
    for key_id, token in zip(record.key_ids, record.tokens, strict=True):
        if len(token) != TOKEN_SIZE or key_id_of(token) != key_id:
            raise RecordError(f"the erasure names the key {key_id.hex()} and has not its token: it is somebody else's")
    if not 0 < record.requested_at_ms <= record.effective_at_ms:
        raise RecordError("the erasure takes effect before it was asked for, or says not when")
    return LoggedErasure(index, tuple(record.key_ids), record.requested_at_ms, record.effective_at_ms)


def open_hold(value: bytes) -> LegalHold:
    """Return the `LegalHold` in `value`.

    Raises:
        TrustError: It is not well formed.
    """
    record = parse_message(LegalHold, value, "the record")
    if record.event not in HoldEvent.values() or record.event == HoldEvent.HOLD_EVENT_UNSPECIFIED:
        raise RecordError("the legal hold does not say what happened")
    if record.at_ms <= 0 or any(len(key_id) != KEY_ID_SIZE for key_id in record.key_ids):
        raise RecordError("the legal hold does not say when, or names what is no key id")
    return record


def erased_keys(erasures: Iterable[LoggedErasure]) -> frozenset[bytes]:
    """Return the ids of all keys that must not exist any more."""
    return frozenset(key_id for erasure in erasures for key_id in erasure.key_ids)
