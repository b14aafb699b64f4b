"""Lists of customers, terminals and merchants, as files that name nobody.

    tallystick/list/v1 0A
    digest (16 bytes) || expires_at_ms (big-endian int64)     one for each entry, by rising digest

    digest    = the first 16 bytes of HMAC-SHA-256(list key, id)
    list key  = HMAC-SHA-256(lookup key, "tallystick/v1/list" || 0A || salt)

The lookup key is the one by which evidence is found; the salt is the list's own, in the policy's statement. So whoever has the
file learns how many are on it and when they leave it, whoever has the list key can ask of anybody whether they are on this one
list, and nothing in the governance log is personal data. An entry counts for a record whose Kafka time stamp is before its
`expires_at_ms`; `NEVER_MS` is never reached.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import digest as hmac_digest
from struct import Struct

from tallystick.contracts import ListSubject, PolicyList, Transaction
from tallystick.trust.keyed_hash import keyed_hash
from tallystick.trust.transactions import Payment

NEVER_MS = 2**63 - 1
DIGEST_SIZE = 16
_HEADER = b"tallystick/list/v1\n"
_ENTRY = Struct(f">{DIGEST_SIZE}sq")
_KEY_CONTEXT = b"tallystick/v1/list\n"
_REMEMBERED = 200_000
_PAST_MS = -(2**63)
_FIELDS = {
    ListSubject.LIST_SUBJECT_CUSTOMER: "customer_id",
    ListSubject.LIST_SUBJECT_TERMINAL: "terminal_id",
    ListSubject.LIST_SUBJECT_MERCHANT: "merchant_id",
}


class ListError(ValueError):
    """A list's file is not the one that its policy names, or no list."""


def list_key(lookup_key: bytes, salt: bytes) -> bytes:
    """Return the key of one list's digests, 32 bytes."""
    return hmac_digest(lookup_key, _KEY_CONTEXT + salt, "sha256")


def encode_list(entries: Iterable[tuple[str, int]], key: bytes) -> bytes:
    """Return a list's file.

    Args:
        entries: ids, and when each leaves the list, in milliseconds since 1970-01-01T00:00:00Z.
        key: the list key.

    Raises:
        ListError: An id is there twice.
    """
    digests: dict[bytes, int] = {}
    for name, expires_at_ms in entries:
        digest = _digest(key, name)
        if digest in digests:
            raise ListError(f"{name!r} is on the list twice")
        digests[digest] = expires_at_ms
    return _HEADER + b"".join(_ENTRY.pack(*entry) for entry in sorted(digests.items()))


class MemberList:
    """A policy's list, ready to be asked.

    Attributes:
        field: the transaction's field that it is about.
    """

    def __init__(self, stated: PolicyList, file: bytes, key: bytes) -> None:
        """Open a list's file.

        Args:
            stated: what the policy says of it.
            file: its bytes.
            key: the list key.

        Raises:
            ListError: It is not the file that the policy names.
        """
        self.field = _FIELDS[stated.subject]
        self._hash = keyed_hash(key)
        self._expiries = _entries(stated, file)
        self._known: dict[str, int] = {}

    def on_it(self, transactions: Sequence[Transaction | Payment], times_ms: Sequence[int]) -> list[int]:
        """Return the places of the transactions whose subject is on the list at the time."""
        field, known = self.field, self._known
        names = [getattr(transaction, field) for transaction in transactions]
        if new := set(names).difference(known):
            if len(known) + len(new) > _REMEMBERED:
                known.clear()
                new = set(names)
            known |= {name: self._expires_at_ms(name) for name in new}
        return [place for place, (name, time_ms) in enumerate(zip(names, times_ms, strict=True)) if time_ms < known[name]]

    def _expires_at_ms(self, name: str) -> int:
        """Return when a name leaves the list: before all time, if it is not on it."""
        return self._expiries.get(self._hash(name.encode())[:DIGEST_SIZE], _PAST_MS) if name else _PAST_MS


def _entries(stated: PolicyList, file: bytes) -> dict[bytes, int]:
    where = f"the list {stated.name!r}"
    if sha256(file).digest() != stated.digest:
        raise ListError(f"{where} has a file with SHA-256 {sha256(file).hexdigest()}, the policy says {stated.digest.hex()}")
    body = memoryview(file)[len(_HEADER) :]
    if not file.startswith(_HEADER) or len(body) != stated.entries * _ENTRY.size:
        raise ListError(f"{where} has a file that is no list of {stated.entries:,} entries")
    expiries: dict[bytes, int] = {}
    last = b""
    for digest, expires_at_ms in _ENTRY.iter_unpack(body):  # a loop in Python, so that other threads have their turn
        if digest <= last:
            raise ListError(f"{where} has entries that are not in order")
        expiries[digest] = expires_at_ms
        last = digest
    return expiries


def _digest(key: bytes, name: str) -> bytes:
    return hmac_digest(key, name.encode(), "sha256")[:DIGEST_SIZE]
