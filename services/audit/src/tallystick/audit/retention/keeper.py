"""The loop of `tallystick-retention`: send what waits, and now and then do what is due.

Any failure drops the connections and starts over: what was done is seen, and what was not is done. One process at a time: it
holds an advisory lock on the connection that it writes through, so one that has lost its lock cannot write either.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
from aiokafka import AIOKafkaProducer

from tallystick.audit.errors import AuditError
from tallystick.audit.governing import Governing
from tallystick.audit.retention import chain_keys, outbox
from tallystick.audit.retention.settings import KeeperSettings
from tallystick.audit.retention.vault_keys import VaultKeys
from tallystick.audit.retention.wrapping import Wrapping, WrappingError
from tallystick.runtime import kafka
from tallystick.runtime.backoff import Backoff, is_transient, retry
from tallystick.runtime.database import connect
from tallystick.runtime.health import Health
from tallystick.runtime.vault import VaultError
from tallystick.trust.erasures import erased_keys

KAFKA, DATABASE, LOG, WRAPPING, CHAIN_KEYS = "kafka", "database", "governance", "wrapping", "chain keys"
COMPONENTS = (KAFKA, DATABASE, LOG, WRAPPING, CHAIN_KEYS)
TURN_S = 0.2
_LOCK = "SELECT pg_try_advisory_lock(hashtext('tallystick-retention'))"
_DESTROY = "DELETE FROM keys.customer_keys WHERE key_id = ANY($1::bytea[])"
_FORGET = "UPDATE keys.erasures SET customer = NULL WHERE customer IS NOT NULL AND effective_ms < $1"
_log = logging.getLogger(__name__)


class StandbyError(OSError):
    """Another process is at it; this one waits for it to go."""


class Keeper:
    """What one connection to each server needs to do; dropped whole when anything goes wrong.

    Args:
        settings: the process's settings.
        keys: Vault's keys.
        governing: the governance log.
        connection, producer: open.
        health: told of `COMPONENTS`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        settings: KeeperSettings,
        keys: VaultKeys,
        governing: Governing,
        connection: asyncpg.Connection,
        producer: AIOKafkaProducer,
        health: Health,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._governing = governing
        self._connection = connection
        self._producer = producer
        self._health = health
        self._clock = clock
        self._wrapping = Wrapping(keys, connection, settings, clock, health.progress)

    async def send(self) -> None:
        """Send what waits for the governance log."""
        while await outbox.send(self._connection, self._producer):
            self._health.progress()

    async def keep(self) -> None:
        """Do what is due; what Vault or the log cannot do now is said in health, and keeps nothing else from being done."""
        await self._connection.execute(_FORGET, round(self._clock() * 1000))
        for component, work in ((LOG, self.reapply), (WRAPPING, self._wrapping.turn), (CHAIN_KEYS, self.end_chain_keys)):
            await self._said(component, work)
            self._health.progress()

    async def reapply(self) -> None:
        """Destroy the keys that logged erasures name: a restored backup of the key table may have them again."""
        erased = erased_keys((await self._governing.now()).governance.erasures)
        status = await self._connection.execute(_DESTROY, list(erased))
        if status != "DELETE 0":
            _log.warning(
                "keys that a logged erasure names were there again, and are destroyed: %s", status.removeprefix("DELETE ")
            )

    async def end_chain_keys(self) -> None:
        """Destroy the chain keys whose records are gone."""
        known, now_s = await self._keys.chain_keys(), self._clock()
        for key in chain_keys.due(known, self._settings, now_s):
            await self._keys.destroy(key)
            _log.info("the chain key %s is destroyed: its records are past their retention", key.path)
        if late := chain_keys.too_long(known, self._settings, now_s):
            raise WrappingError(
                f"{late[0].path} serves for longer than TALLYSTICK_CHAIN_SPAN_S, so erasures promise too early a date; raise it"
            )

    async def _said(self, component: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (AuditError, VaultError, WrappingError) as error:
            reason = getattr(error, "reason", str(error))
            if self._health.state(component) == "ok":
                _log.error("%s: %s", component, reason)
            self._health.failing(component, reason, "failing")
        else:
            self._health.ok(component)


async def run(settings: KeeperSettings, keys: VaultKeys, governing: Governing, health: Health) -> None:
    """Keep until cancelled, whatever stops answering meanwhile. Raises what waiting does not repair."""
    backoff, failures = Backoff(), 0
    while True:
        try:
            async with (
                _database(settings, health) as connection,
                kafka.started(lambda: kafka.producer(settings), health, KAFKA) as producer,
            ):
                keeper = Keeper(settings, keys, governing, connection, producer, health)
                due_s = 0.0
                while True:
                    await keeper.send()
                    if time.monotonic() >= due_s:
                        await keeper.keep()
                        due_s = time.monotonic() + settings.check_every_s
                    health.progress()
                    failures = 0
                    await asyncio.sleep(TURN_S)
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("starting over: %s", error or type(error).__name__)
        health.progress()
        await asyncio.sleep(backoff.delay_s(failures))
        failures += 1


@contextlib.asynccontextmanager
async def _database(settings: KeeperSettings, health: Health) -> AsyncIterator[asyncpg.Connection]:
    async def opened() -> asyncpg.Connection:
        connection = await connect(settings)
        if not await connection.fetchval(_LOCK):
            connection.terminate()
            raise StandbyError("another process is at it; standing by")
        return connection

    connection = await retry(opened, health=health, component=DATABASE)
    try:
        yield connection
    finally:
        connection.terminate()
