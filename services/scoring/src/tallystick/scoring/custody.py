"""Keys: one for each customer's evidence, one for each span of a partition's input chain, and the lookup key.

Customers' keys lie in PostgreSQL, wrapped by a Vault transit key; chain keys and the lookup key in Vault's KV store. All are
made here, at random, when first needed; of several makers one wins.
"""

import base64
from collections import deque
from collections.abc import Callable, Iterable
from hmac import digest as hmac_digest

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.runtime.chain_keys import CHAIN_KEY_SIZE, chain_key
from tallystick.runtime.vault import Vault, VaultRefusedError
from tallystick.scoring.windows import Customer
from tallystick.trust.chain import KEY_SPAN

WRAPPING_KEY = "customer-keys"
LOOKUP_PATH = "evidence/lookup"
CIPHERS = 50_000
"""Customers whose ciphers are kept ready, besides a batch's: 2.5 KB each."""
_KEY_SIZE = 32
_KEY_ID_SIZE = 16

_SCHEMA = """
CREATE TABLE IF NOT EXISTS scoring.customer_keys (
    customer bytea PRIMARY KEY,   -- HMAC-SHA-256(lookup key, customer id)
    key_id   bytea NOT NULL UNIQUE,
    wrapped  text  NOT NULL       -- by Vault transit
)"""
_FIND = "SELECT customer, key_id, wrapped FROM scoring.customer_keys WHERE customer = ANY($1::bytea[])"
_ADD = """
INSERT INTO scoring.customer_keys (customer, key_id, wrapped)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[]) ON CONFLICT (customer) DO NOTHING"""


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
        self._ready: deque[Customer] = deque()

    async def prepare(self) -> None:
        """Make the table if there is none and read the lookup key; to be called first. Raises CustodyError."""
        async with self._pool.acquire() as connection, connection.transaction():
            # Two processes that start at once would both try to make it.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('scoring.customer_keys'))")
            await connection.execute(_SCHEMA)
        self.lookup_key = _key(await self._vault.kv_read(LOOKUP_PATH), LOOKUP_PATH)

    async def chain_key(self, topic: str, partition: int, sequence: int) -> tuple[int, bytes]:
        """Return the chain key that serves a sequence, and its place (sequence // KEY_SPAN); made if there is none."""
        epoch = sequence // KEY_SPAN
        return epoch, await chain_key(self._vault, topic, partition, epoch, self._randomness(CHAIN_KEY_SIZE))

    async def new_wrapped_key(self) -> tuple[bytes, str]:
        """Return a random key for a snapshot, and the same wrapped. Raises VaultError."""
        key = self._randomness(_KEY_SIZE)
        return key, (await self._vault.encrypt(WRAPPING_KEY, [key]))[0]

    async def unwrapped_key(self, wrapped: str) -> bytes:
        """Return a snapshot's key. Raises VaultError."""
        return (await self._vault.decrypt(WRAPPING_KEY, [wrapped]))[0]

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
        known = await self._pool.fetch(_FIND, list(waiting))
        await self._open(waiting, known)
        if waiting:
            await self._make(list(waiting))
            # What another process made at the same time counts as much as what was made here.
            await self._open(waiting, await self._pool.fetch(_FIND, list(waiting)))

    def _make_ready(self, customer: Customer) -> None:
        if customer.key is not None and customer.cipher is None:
            customer.cipher = AESGCM(customer.key)
            self._ready.append(customer)

    async def _make(self, customers: list[bytes]) -> None:
        keys = [self._randomness(_KEY_SIZE) for _ in customers]
        wrapped = await self._vault.encrypt(WRAPPING_KEY, keys)
        await self._pool.execute(_ADD, customers, [self._randomness(_KEY_ID_SIZE) for _ in customers], wrapped)

    async def _open(self, waiting: dict[bytes, list[Customer]], rows: list[asyncpg.Record]) -> None:
        keys = await self._vault.decrypt(WRAPPING_KEY, [row["wrapped"] for row in rows])
        for row, key in zip(rows, keys, strict=True):
            for customer in waiting.pop(row["customer"]):
                customer.key_id, customer.key = row["key_id"], key
                self._make_ready(customer)


def _key(secret: dict[str, str] | None, path: str) -> bytes:
    if secret is None:
        raise CustodyError(f"Vault has no secret {path}; `tallystick provision` makes it")
    key = base64.b64decode(secret.get("key", ""))
    if len(key) != _KEY_SIZE:
        raise VaultRefusedError(f"the secret {path} is not a key of {_KEY_SIZE} bytes")
    return key
