"""Keys: one for each customer's evidence, one for each span of a partition's input chain, and the lookup key.

Customers' keys lie in a PostgreSQL database of their own, wrapped by a Vault transit key that is rotated every day; chain keys
and the lookup key in Vault's KV store. All are made here, at random, when first needed; of several makers one wins.

A key is destroyed by deleting its row. Whoever is erased has another key from then on: `learn` finds out whose keys are gone,
and `doomed` names those that somebody here may still hold, to be forgotten between two batches.
"""

import base64
from collections import deque
from collections.abc import Callable, Collection, Iterable
from hmac import digest as hmac_digest

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.runtime.chain_keys import CHAIN_KEY_SIZE, chain_key
from tallystick.runtime.vault import Vault, VaultRefusedError, version_of
from tallystick.scoring.windows import Customer
from tallystick.trust.chain import KEY_SPAN
from tallystick.trust.erasures import TOKEN_SIZE, key_id_of

WRAPPING_KEY = "customer-keys"
SNAPSHOT_KEY = "snapshot-keys"
LOOKUP_PATH = "evidence/lookup"
CIPHERS = 50_000
"""Customers whose ciphers are kept ready, besides a batch's: 2.5 KB each."""
_KEY_SIZE = 32
_ATTEMPTS = 3
"""Rotations that may come between reading and opening a key, or between wrapping and keeping it."""

_FIND = "SELECT customer, key_id, wrapped FROM keys.customer_keys WHERE customer = ANY($1::bytea[])"
# Whoever raises the floor has this lock to himself: a key that was wrapped before is not kept behind it.
_LOCK = "SELECT pg_advisory_xact_lock_shared(hashtext('keys.wrapping'))"
_ADD = """
INSERT INTO keys.customer_keys (customer, key_id, token, version, wrapped)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::int[], $5::text[])
  AS made (customer, key_id, token, version, wrapped)
WHERE version >= (SELECT floor FROM keys.wrapping) ON CONFLICT (customer) DO NOTHING"""
_DESTROY = "DELETE FROM keys.customer_keys WHERE key_id = ANY($1::bytea[])"
_NEWEST_ERASURE = "SELECT coalesce(max(number), 0) FROM keys.erasures"
_ERASED_SINCE = "SELECT number, key_ids FROM keys.erasures WHERE number > $1 ORDER BY number"


class CustodyError(RuntimeError):
    """A key that must be there is not, or is not a key."""


class Custody:
    """Finds and makes keys.

    Args:
        vault: where wrapping and chain keys are.
        pool: where the wrapped customers' keys are.
        randomness: returns so many random bytes (`os.urandom`).
    """

    def __init__(self, vault: Vault, pool: asyncpg.Pool, randomness: Callable[[int], bytes]) -> None:
        self._vault = vault
        self._pool = pool
        self._randomness = randomness
        self.lookup_key = b""
        self.doomed: set[bytes] = set()
        self._ready: deque[Customer] = deque()
        self._erasure = 0
        self._destroyed: frozenset[bytes] = frozenset()

    async def prepare(self) -> None:
        """Read the lookup key; to be called first. Raises CustodyError."""
        self._erasure = await self._pool.fetchval(_NEWEST_ERASURE)
        self.lookup_key = _key(await self._vault.kv_read(LOOKUP_PATH), LOOKUP_PATH)

    async def chain_key(self, topic: str, partition: int, sequence: int) -> tuple[int, bytes]:
        """Return the chain key that serves a sequence, and its place (sequence // KEY_SPAN); made if there is none."""
        epoch = sequence // KEY_SPAN
        return epoch, await chain_key(self._vault, topic, partition, epoch, self._randomness(CHAIN_KEY_SIZE))

    async def new_wrapped_key(self) -> tuple[bytes, str]:
        """Return a random key for a snapshot, and the same wrapped. Raises VaultError."""
        key = self._randomness(_KEY_SIZE)
        return key, (await self._vault.encrypt(SNAPSHOT_KEY, [key]))[0]

    async def unwrapped_key(self, wrapped: str) -> bytes:
        """Return a snapshot's key. Raises VaultError."""
        return (await self._vault.decrypt(SNAPSHOT_KEY, [wrapped]))[0]

    async def destroy(self, erased: frozenset[bytes]) -> None:
        """Destroy the keys that the log says are erased, should a restored backup have brought one back.

        Args:
            erased: ids of all keys that logged erasures name; asked of the database only if there are others than last time.
        """
        if erased != self._destroyed:
            await self._pool.execute(_DESTROY, list(erased))
            self.doomed |= erased - self._destroyed
            self._destroyed = erased

    async def learn(self) -> None:
        """Find out which keys were destroyed since it was last asked."""
        for row in await self._pool.fetch(_ERASED_SINCE, self._erasure):
            self.doomed |= set(row["key_ids"])
            self._erasure = row["number"]

    async def fill(self, customers: Iterable[Customer]) -> None:
        """Give each customer its key and cipher, making keys for those who have none.

        A cipher is larger than most customers' histories: of all customers only those of the last batches have theirs ready.
        """
        while len(self._ready) > CIPHERS:
            self._ready.popleft().cipher = None
        waiting: dict[bytes, list[Customer]] = {}
        for customer in customers:
            if customer.cipher is None:
                if customer.key is not None:
                    self._make_ready(customer)
                else:
                    name = hmac_digest(self.lookup_key, customer.name.encode(), "sha256")
                    waiting.setdefault(name, []).append(customer)
        if not waiting:
            return
        await self._open(waiting)
        for _ in range(_ATTEMPTS):
            if not waiting:
                return
            await self._make(list(waiting))
            # What another process made at the same time counts as much as what was made here.
            await self._open(waiting)
        if waiting:
            raise CustodyError(f"{len(waiting)} customers' keys could not be kept: their wrapping key is rotated all the time")

    def _make_ready(self, customer: Customer) -> None:
        if customer.key is not None and customer.cipher is None:
            customer.cipher = AESGCM(customer.key)
            self._ready.append(customer)

    async def _make(self, customers: list[bytes]) -> None:
        keys = [self._randomness(_KEY_SIZE) for _ in customers]
        tokens = [self._randomness(TOKEN_SIZE) for _ in customers]
        wrapped = await self._vault.encrypt(WRAPPING_KEY, keys)
        columns = customers, [*map(key_id_of, tokens)], tokens, [*map(version_of, wrapped)], wrapped
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            await connection.execute(_ADD, *columns)

    async def _open(self, waiting: dict[bytes, list[Customer]]) -> None:
        rows = await self._pool.fetch(_FIND, list(waiting))
        for attempt in range(_ATTEMPTS):
            try:
                keys = await self._vault.decrypt(WRAPPING_KEY, [row["wrapped"] for row in rows])
                break
            except VaultRefusedError:
                # Perhaps they were wrapped anew meanwhile, and the version that these were under is gone.
                before, rows = rows, await self._pool.fetch(_FIND, list(waiting))
                if attempt == _ATTEMPTS - 1 or _wrapped(before) == _wrapped(rows):
                    raise
        for row, key in zip(rows, keys, strict=True):
            for customer in waiting.pop(row["customer"]):
                customer.key_id, customer.key = row["key_id"], key
                self._make_ready(customer)


def forget_keys(customers: Iterable[Customer], key_ids: Collection[bytes]) -> None:
    """Forget these keys, whoever's they are; not while a batch is being decided."""
    for customer in customers:
        if customer.key_id in key_ids:
            customer.key_id = customer.key = customer.cipher = None


def _wrapped(rows: list[asyncpg.Record]) -> set[str]:
    return {row["wrapped"] for row in rows}


def _key(secret: dict[str, str] | None, path: str) -> bytes:
    if secret is None:
        raise CustodyError(f"Vault has no secret {path}; `tallystick provision` makes it")
    key = base64.b64decode(secret.get("key", ""))
    if len(key) != _KEY_SIZE:
        raise VaultRefusedError(f"the secret {path} is not a key of {_KEY_SIZE} bytes")
    return key
