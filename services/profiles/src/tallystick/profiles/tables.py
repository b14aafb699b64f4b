"""The tables of the partitions that this process owns: updates in, profiles out.

An update's offset is committed once the profiles with it are acknowledged, so what a killed process had not published comes
again; shards take each update once.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from google.protobuf.message import DecodeError

from tallystick.contracts import ProfileUpdate
from tallystick.profiles.restoring import restore
from tallystick.profiles.settings import ProfilesSettings
from tallystick.profiles.shard import Published, Shard, ShardError
from tallystick.profiles.telemetry import Telemetry
from tallystick.profiles.topics import PROFILES
from tallystick.runtime.backoff import retry
from tallystick.runtime.health import Health

_log = logging.getLogger(__name__)
PAUSED_S = 5.0
"""A loop that stood still for longer may have lost its partitions unseen."""


class Delivered(Protocol):
    """An update as it was delivered."""

    @property
    def partition(self) -> int:
        """The partition of the updates."""

    @property
    def offset(self) -> int:
        """Its offset."""

    @property
    def value(self) -> bytes:
        """Its value."""

    def acknowledge(self) -> None:
        """Let its offset be committed."""


class Tables:
    """The shards of the partitions owned now.

    Args:
        settings: the service's settings.
        reader: restores; started, of no group.
        producer: started.
        telemetry: counts.
        health: told of progress.
        monotonic: seconds.
    """

    def __init__(
        self,
        settings: ProfilesSettings,
        reader: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        telemetry: Telemetry,
        health: Health,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._producer = producer
        self._telemetry = telemetry
        self._health = health
        self._monotonic = monotonic
        self._shards: dict[int, Shard] = {}
        self._waiting: dict[int, list[Delivered]] = {}
        self._busy = asyncio.Lock()

    def detail(self) -> object:
        """Return what health says of the tables."""
        return {
            str(number): {"subjects": len(shard), "version": shard.version, "watermark_s": shard.watermark_s}
            for number, shard in sorted(self._shards.items())
        }

    async def assign(self, partitions: Iterable[int]) -> None:
        """Restore partitions that came. Raises ShardError."""
        async with self._busy:
            for number in sorted(partitions):
                if number not in self._shards:
                    self._shards[number] = await self._restored(number)
                    self._waiting[number] = []

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Forget partitions that went; what was not published comes again, here or elsewhere."""
        async with self._busy:
            for number in partitions:
                self._shards.pop(number, None)
                self._waiting.pop(number, None)

    async def take(self, update: Delivered) -> None:
        """Take an update in.

        Raises:
            ShardError: if updates are missing before it.
        """
        async with self._busy:
            shard = self._shards.get(update.partition)
            if shard is None:
                return  # it came before its partition went
            if update.offset > shard.version:
                raise ShardError(
                    f"updates of partition {update.partition} are missing: {shard.version} comes next, {update.offset} came"
                )
            try:
                decoded = ProfileUpdate.FromString(update.value)
            except DecodeError:
                _log.error("no update", extra={"partition": update.partition, "offset": update.offset})
                decoded = ProfileUpdate()
            shard.apply(decoded, update.offset)
            self._waiting[update.partition].append(update)

    async def keep_publishing(self) -> None:
        """Publish what changed, every so often, until cancelled.

        Raises:
            TimeoutError: if the process stood still for so long that another may own its partitions.
        """
        while True:
            before_s = self._monotonic()
            await asyncio.sleep(self._settings.publish_s)
            if self._monotonic() - before_s > self._settings.publish_s + PAUSED_S:
                raise TimeoutError("this process stood still; its partitions are taken anew")
            self._health.progress("publishing")
            await self.publish()

    async def publish(self) -> None:
        """Publish what changed, and let its updates be committed."""
        async with self._busy:
            for number, shard in self._shards.items():
                if shard.unpublished:
                    records, done = shard.publish(), self._waiting[number]
                    self._waiting[number] = []
                    await self._said(partial(self._send, number, records))
                    self._telemetry.published(len(records) - 1)
                    for update in done:
                        update.acknowledge()
            self._tell()

    async def _restored(self, number: int) -> Shard:
        return await retry(
            lambda: restore(self._reader, number, self._settings.rule, lambda: self._health.progress("updates")),
            health=self._health,
            component="kafka",
            loop="updates",
        )

    async def _said(self, operation: Callable[[], Awaitable[None]]) -> None:
        await retry(operation, health=self._health, component="kafka", loop="publishing")

    async def _send(self, partition: int, records: list[Published]) -> None:
        """Send profiles, and the watermark once they are there; to be repeated whole."""
        *profiles, (key, value) = records
        sent = [await self._producer.send(PROFILES, body, subject, partition=partition) for subject, body in profiles]
        for acknowledged in sent:
            await acknowledged
        await self._producer.send_and_wait(PROFILES, value, key, partition=partition)

    def _tell(self) -> None:
        shards = self._shards.values()
        self._telemetry.state(
            sum(map(len, shards)), sum(shard.left_out for shard in shards), min((s.watermark_s for s in shards), default=0)
        )
