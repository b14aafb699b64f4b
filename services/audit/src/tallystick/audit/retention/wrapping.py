"""Rotating the keys that wrap customers' and snapshots' keys, so that no backup of those brings a destroyed one back.

One turn, each step of which may be the last of this process and is found done or undone by the next one:

1. a new version of the transit key, if the newest is old enough;
2. every customer's key is wrapped anew under the newest version (Vault does it; the row changes only if it is still what was
read, so that a key destroyed meanwhile stays destroyed);
3. the floor in the database rises, under a lock, if no row is below it: from then on no key is kept that was wrapped before;
4. Vault forbids the versions below the floor, and destroys them.

A key is therefore never under a version that is gone, and a row that was copied away before opens nothing after step 4.
"""

from collections.abc import Callable
from typing import Protocol

import asyncpg

from tallystick.audit.retention.vault_keys import CHUNK, WrappingKey
from tallystick.runtime.retention import RetentionSettings
from tallystick.runtime.vault import version_of

CUSTOMER_KEYS = "customer-keys"
SNAPSHOT_KEYS = "snapshot-keys"

_NEWEST = "SELECT coalesce(max(version), 0) FROM keys.customer_keys"
_BEHIND = """
SELECT key_id, wrapped FROM keys.customer_keys WHERE version >= $1 AND version < $2 ORDER BY version, key_id LIMIT $3"""
_REWRAP = """
UPDATE keys.customer_keys k SET version = n.version, wrapped = n.wrapped
FROM unnest($1::bytea[], $2::text[], $3::int[], $4::text[]) AS n (key_id, known, version, wrapped)
WHERE k.key_id = n.key_id AND k.wrapped = n.known"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('keys.wrapping'))"
_RAISE = """
UPDATE keys.wrapping SET floor = $1
WHERE floor < $1 AND NOT EXISTS (SELECT FROM keys.customer_keys WHERE version >= $2 AND version < $1)"""
_FLOOR = "SELECT floor FROM keys.wrapping"
_LOST = "SELECT count(*) FROM keys.customer_keys WHERE version < $1"


class WrappingError(Exception):
    """Key table and Vault do not belong together; a sentence for operators."""


class Keys(Protocol):
    """What is asked of Vault (`vault_keys.VaultKeys`)."""

    async def wrapping_key(self, name: str) -> WrappingKey: ...  # noqa: D102 - VaultKeys says it
    async def rotate(self, name: str) -> None: ...  # noqa: D102
    async def rewrap(self, name: str, ciphertexts: list[str]) -> list[str]: ...  # noqa: D102
    async def raise_floor(self, name: str, version: int) -> None: ...  # noqa: D102


class Wrapping:
    """The wrapping keys of one installation.

    Args:
        keys: Vault's.
        connection: to the database of the customers' keys.
        retention: how often, how long.
        clock: seconds since 1970.
        progress: called now and then while much is wrapped anew.
    """

    def __init__(
        self,
        keys: Keys,
        connection: asyncpg.Connection,
        retention: RetentionSettings,
        clock: Callable[[], float],
        progress: Callable[[], None],
    ) -> None:
        self._keys = keys
        self._connection = connection
        self._retention = retention
        self._clock = clock
        self._progress = progress

    async def turn(self) -> None:
        """Do what is due of the above, for the customers' keys and then for those of snapshots.

        Raises:
            WrappingError: table and Vault are not of one time; nothing was rotated or destroyed.
            VaultError, asyncpg.PostgresError, OSError: try again.
        """
        key = await self._rotated(CUSTOMER_KEYS, await self._connection.fetchval(_NEWEST))
        await self._rewrap(key)
        floor = key.due_floor(self._clock(), self._retention.wrapping_grace_s)
        if floor > key.floor and await self._raised(floor, key.floor):
            await self._keys.raise_floor(CUSTOMER_KEYS, floor)
        key = await self._rotated(SNAPSHOT_KEYS, 0)
        # No snapshot is older than that, and one that was begun just before a rotation not much.
        age_s = self._retention.snapshot_max_age_s + self._retention.wrapping_grace_s
        if (floor := key.due_floor(self._clock(), age_s)) > key.floor:
            await self._keys.raise_floor(SNAPSHOT_KEYS, floor)
        if lost := await self._connection.fetchval(_LOST, key.floor):
            raise WrappingError(
                f"{lost} customers' keys are under versions of {CUSTOMER_KEYS} before {key.floor}, which Vault has destroyed:"
                " the key table is older than Vault; restore a newer one"
            )

    async def _rotated(self, name: str, used: int) -> WrappingKey:
        key = await self._keys.wrapping_key(name)
        if used > key.newest:
            raise WrappingError(
                f"customers' keys are under version {used} of {name}, and Vault's newest is {key.newest}: Vault is older than"
                " the key table; restore a newer one"
            )
        if key.made_s[key.newest] > self._clock() - self._retention.wrapping_rotation_s:
            return key
        await self._keys.rotate(name)
        return await self._keys.wrapping_key(name)

    async def _rewrap(self, key: WrappingKey) -> None:
        while rows := await self._connection.fetch(_BEHIND, key.floor, key.newest, CHUNK):
            known = [row["wrapped"] for row in rows]
            wrapped = await self._keys.rewrap(CUSTOMER_KEYS, known)
            columns = [row["key_id"] for row in rows], known, [*map(version_of, wrapped)], wrapped
            await self._connection.execute(_REWRAP, *columns)
            self._progress()

    async def _raised(self, floor: int, oldest: int) -> bool:
        async with self._connection.transaction():
            await self._connection.execute(_LOCK)
            await self._connection.execute(_RAISE, floor, oldest)
        return bool(await self._connection.fetchval(_FLOOR) >= floor)
