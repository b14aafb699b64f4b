"""The service: the Faust app, its tables, and the gatherer wherever partition 0 is."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from tallystick.profiles.app import Handlers, make_app, run_app
from tallystick.profiles.gathering import Gatherer
from tallystick.profiles.settings import ProfilesSettings
from tallystick.profiles.shard import ShardError
from tallystick.profiles.tables import Tables
from tallystick.profiles.telemetry import Telemetry
from tallystick.profiles.topics import PROFILES, UPDATES
from tallystick.runtime import kafka
from tallystick.runtime.backoff import Backoff, is_transient, retry
from tallystick.runtime.health import Health
from tallystick.runtime.service import causes

LOOPS = ("updates", "publishing", "gathering")
COMPONENTS = ("kafka", "profiles")
_MAX_REQUEST_BYTES = 8 << 20
_FETCH_WAIT_MS = 100
_SOUND_S = 60.0
"""A session that lasted as long was sound: what ended it is no more of the same."""
_log = logging.getLogger(__name__)


class TopicError(RuntimeError):
    """A topic is not as it must be."""


class Profiles:
    """The service.

    Args:
        settings: its settings.
        health: where it says how it is.
    """

    def __init__(self, settings: ProfilesSettings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._telemetry = Telemetry(health.registry)
        self._tables: Tables | None = None
        health.detail("records", lambda: self._telemetry.gathered_total)
        health.detail("published", lambda: self._telemetry.published_total)
        health.detail("partitions", lambda: self._tables.detail() if self._tables else {})

    async def run(self) -> None:
        """Run until cancelled, beginning afresh after whatever waiting or restoring repairs.

        Raises:
            ShardError, TopicError: if a person must look.
        """
        failures = 0
        backoff = Backoff()
        while True:
            begun_s = time.monotonic()
            try:
                await self._session()
            except Exception as error:
                found = causes(error)
                if not all(is_transient(cause) or isinstance(cause, KafkaError) for cause in found):
                    raise
                if time.monotonic() - begun_s > _SOUND_S:
                    failures = 0
                _log.warning("beginning afresh: %s", found[0])
                self._health.failing("profiles", str(found[0]) or type(found[0]).__name__, "restarting")
                await asyncio.sleep(backoff.delay_s(failures))
                failures = min(failures + 1, 6)

    async def _session(self) -> None:
        settings, health = self._settings, self._health
        async with AsyncExitStack() as stack:
            producer = kafka.producer(settings, max_request_size=_MAX_REQUEST_BYTES, linger_ms=0)
            stack.push_async_callback(producer.stop)
            await retry(producer.start, health=health, component="kafka")
            partitions = len(await producer.partitions_for(UPDATES))
            if (there := len(await producer.partitions_for(PROFILES))) != partitions:
                raise TopicError(
                    f"{PROFILES} has {there} partitions, {UPDATES} has {partitions}: they must have the same number"
                )
            reader, sources = [await self._started(stack) for _ in range(2)]
            self._tables = tables = Tables(settings, reader, producer, self._telemetry, health)
            gatherer = Gatherer(settings, sources, producer, partitions, self._telemetry, health)
            async with asyncio.TaskGroup() as tasks:
                gathering = _Switch(tasks, gatherer, lambda: health.progress("gathering"))

                async def assigned(numbers: set[int]) -> None:
                    await tables.assign(numbers)
                    gathering.turn(on=0 in numbers)
                    health.ok("profiles")

                async def revoked(numbers: set[int]) -> None:
                    gathering.turn(on=False)
                    await tables.revoke(numbers)

                app = make_app(settings, partitions, Handlers(assigned, revoked, tables.take))
                tasks.create_task(run_app(app, lambda: self._turned(gathering)))
                tasks.create_task(tables.keep_publishing())
                tasks.create_task(kafka.watch(reader, health))

    def _turned(self, gathering: "_Switch") -> None:
        self._health.progress("updates")
        if not gathering.on:
            self._health.progress("gathering")

    async def _started(self, stack: AsyncExitStack) -> AIOKafkaConsumer:
        consumer = kafka.consumer(self._settings, max_partition_fetch_bytes=4 << 20, fetch_max_wait_ms=_FETCH_WAIT_MS)
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        return consumer


class _Switch:
    """Gathers while it is on."""

    def __init__(self, tasks: asyncio.TaskGroup, gatherer: Gatherer, progress: Callable[[], None]) -> None:
        self._tasks = tasks
        self._gatherer = gatherer
        self._progress = progress
        self._task: asyncio.Task[None] | None = None

    @property
    def on(self) -> bool:
        """Whether it is."""
        return self._task is not None

    def turn(self, *, on: bool) -> None:
        """Begin to gather, or stop."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if on:
            self._progress()
            self._task = self._tasks.create_task(self._gatherer.run(), name="gathering")


__all__ = ["COMPONENTS", "LOOPS", "Profiles", "ShardError", "TopicError"]
