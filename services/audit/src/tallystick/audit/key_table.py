"""The database of the customers' keys, as the API uses it: to open evidence, to erase, and to hold.

Erasing is one transaction: the keys are gone, and what goes into the governance log waits in `keys.outbox`, or nothing
happened. Erasures come one after the other, so that scoring, which asks for numbers above the last one it saw, misses none.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tallystick.audit.database import TIMEOUT_S
from tallystick.audit.errors import HeldError, UnavailableError, UnknownError
from tallystick.contracts import Erasure, HoldEvent, LegalHold
from tallystick.runtime.database import connect_options
from tallystick.runtime.settings import DatabaseSettings

COMPONENT = "key table"
POOL_SIZE = 8
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtext('keys.erasures'))"
_WRAPPED = "SELECT key_id, wrapped FROM keys.customer_keys WHERE key_id = ANY($1::bytea[])"
_DESTROY = "DELETE FROM keys.customer_keys WHERE key_id = ANY($1::bytea[])"
_KEYS = "SELECT key_id FROM keys.customer_keys WHERE customer = $1 ORDER BY key_id"
_ERASE = "DELETE FROM keys.customer_keys WHERE customer = $1 RETURNING key_id, token"
_HOLD = "SELECT placed_ms, refused_ms FROM keys.holds WHERE customer = $1"
_PLACE = "INSERT INTO keys.holds (customer, placed_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true"
_LIFT = "DELETE FROM keys.holds WHERE customer = $1 RETURNING placed_ms"
_REFUSE = "UPDATE keys.holds SET refused_ms = $2 WHERE customer = $1"
_KEEP = """
INSERT INTO keys.erasures (customer, key_ids, requested_ms, effective_ms) VALUES ($1, $2, $3, $4)"""
_LAST = "SELECT key_ids, requested_ms, effective_ms FROM keys.erasures WHERE customer = $1 ORDER BY number DESC LIMIT 1"
_SEND = "INSERT INTO keys.outbox (key, value) VALUES ($1, $2)"
_PROBE = "SELECT (SELECT 1 FROM keys.customer_keys LIMIT 1), (SELECT 1 FROM keys.holds LIMIT 1)"


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure that was done: the keys that are gone, and its dates in milliseconds since 1970."""

    key_ids: tuple[bytes, ...]
    requested_ms: int
    effective_ms: int


class KeyTable:
    """A small pool of connections, made when first needed; every method raises UnavailableError.

    A customer is named by HMAC-SHA-256(lookup key, customer id).
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, settings: DatabaseSettings) -> "KeyTable":
        """Make the pool without connecting: PostgreSQL may be down now and answer later."""
        options = connect_options(settings) | {"timeout": TIMEOUT_S, "command_timeout": TIMEOUT_S}
        name = {"application_name": "tallystick-audit"}
        return cls(await asyncpg.create_pool(**options, server_settings=name, min_size=0, max_size=POOL_SIZE))

    def close(self) -> None:
        """Drop all connections."""
        self._pool.terminate()

    async def probe(self) -> None:
        """Ask whether the tables are there and may be read."""
        async with self._connection() as connection:
            await connection.fetchrow(_PROBE)

    async def wrapped_keys(self, key_ids: Sequence[bytes]) -> dict[bytes, str]:
        """Return customers' keys as Vault wrapped them, by id; those that were destroyed are left out."""
        async with self._connection() as connection:
            return {row[0]: row[1] for row in await connection.fetch(_WRAPPED, list(key_ids))}

    async def destroy(self, key_ids: Sequence[bytes]) -> None:
        """Destroy keys by id, if they are there."""
        async with self._connection() as connection:
            await connection.execute(_DESTROY, list(key_ids))

    async def erase(self, customer: bytes, now_ms: int, effective_ms: int, name: str) -> Erased:
        """Destroy a customer's keys, and have it logged as `erasure/<name>`; where there is none any more, nothing happens.

        Raises:
            UnknownError: no key was made for this customer, or the last erasure took effect long ago.
            HeldError: a legal hold forbids it; the first time, that is logged.
        """
        async with self._erasing() as connection:
            if (hold := await connection.fetchrow(_HOLD, customer)) is not None:
                if hold["refused_ms"] is None:
                    await connection.execute(_REFUSE, customer, now_ms)
                    await self._log_hold(connection, customer, now_ms, HoldEvent.HOLD_EVENT_ERASURE_REFUSED, name)
            elif rows := sorted(await connection.fetch(_ERASE, customer)):
                key_ids, tokens = [row["key_id"] for row in rows], [row["token"] for row in rows]
                await connection.execute(_KEEP, customer, key_ids, now_ms, effective_ms)
                said = Erasure(key_ids=key_ids, tokens=tokens, requested_at_ms=now_ms, effective_at_ms=effective_ms)
                await connection.execute(_SEND, f"erasure/{name}", said.SerializeToString(deterministic=True))
                return Erased(tuple(key_ids), now_ms, effective_ms)
        if hold is not None:  # outside: that it was refused is to be kept
            raise HeldError(hold["placed_ms"])
        return await self.last_erasure(customer)

    async def last_erasure(self, customer: bytes) -> Erased:
        """Return a customer's newest erasure. Raises UnknownError if none is known (any more)."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_LAST, customer)
        if row is None:
            raise UnknownError("No key of this customer is known here, so there is no evidence that anybody could open.")
        return Erased(tuple(row[0]), row[1], row[2])

    async def hold(self, customer: bytes) -> int | None:
        """Return since when a customer must not be erased (ms); None if nothing forbids it."""
        async with self._connection() as connection:
            placed_ms: int | None = await connection.fetchval(_HOLD, customer)
            return placed_ms

    async def place_hold(self, customer: bytes, now_ms: int, name: str) -> int:
        """Forbid a customer's erasure, and have that logged as `legal_hold/<name>`; return since when it is forbidden."""
        async with self._erasing() as connection:
            if await connection.fetchval(_PLACE, customer, now_ms):
                await self._log_hold(connection, customer, now_ms, HoldEvent.HOLD_EVENT_PLACED, name)
                return now_ms
            return int(await connection.fetchval(_HOLD, customer))

    async def lift_hold(self, customer: bytes, now_ms: int, name: str) -> None:
        """Allow it again, and have that logged; nothing happens if there is no hold."""
        async with self._erasing() as connection:
            if await connection.fetchval(_LIFT, customer) is not None:
                await self._log_hold(connection, customer, now_ms, HoldEvent.HOLD_EVENT_LIFTED, name)

    @staticmethod
    async def _log_hold(connection: asyncpg.Connection, customer: bytes, now_ms: int, event: HoldEvent, name: str) -> None:
        key_ids = [row["key_id"] for row in await connection.fetch(_KEYS, customer)]
        said = LegalHold(key_ids=key_ids, at_ms=now_ms, event=event)
        await connection.execute(_SEND, f"legal_hold/{name}", said.SerializeToString(deterministic=True))

    @asynccontextmanager
    async def _erasing(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._connection() as connection, connection.transaction():
            await connection.execute(_ONE_BY_ONE)
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            connection = await self._pool.acquire(timeout=TIMEOUT_S)
            try:
                yield connection
            except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                connection.terminate()  # a server that hangs would hang the connection's return to the pool as well
                raise
            finally:
                await self._pool.release(connection, timeout=TIMEOUT_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnavailableError(COMPONENT, str(error) or type(error).__name__) from error
