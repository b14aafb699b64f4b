"""The topic `profiles`, read whole when the first model asks for it, and followed from then on."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import murmur2

from tallystick.runtime import kafka
from tallystick.runtime.backoff import retry
from tallystick.runtime.health import Health
from tallystick.runtime.settings import KafkaSettings
from tallystick.scoring.activations import Active
from tallystick.scoring.profiles import NO_PROFILES, ProfileTable

PROFILES = "profiles"
_READING = {"max_partition_fetch_bytes": 4 << 20, "fetch_max_wait_ms": 100}
_POLL_MS = 200
_log = logging.getLogger(__name__)


class ProfileReader:
    """Keeps a table of the topic.

    Args:
        settings: how to reach Kafka.
        wait_s: how long a batch waits for profiles to be final, at the most.
        health: told of progress.

    Attributes:
        table: what is known now.
    """

    def __init__(self, settings: KafkaSettings, wait_s: float, health: Health) -> None:
        self._settings = settings
        self._wait_s = wait_s
        self._health = health
        self._changed = asyncio.Condition()
        self._asked = asyncio.Event()
        self._loaded = asyncio.Event()
        self._waited_in_vain_at_s: int | None = None
        self.table: ProfileTable = NO_PROFILES

    async def run(self) -> None:
        """Once a model asks, load the topic and follow it until cancelled."""
        await self._asked.wait()
        while True:
            async with AsyncExitStack() as stack:
                consumer = await retry(lambda: self._load(stack), health=self._health, component="kafka")
                self._loaded.set()
                await self._follow(consumer)

    async def ready(self, actives: Iterable[Active]) -> None:
        """Return once the topic has been read, if any of these models asks for it."""
        if not self._loaded.is_set() and any(active.vectoriser.asks_profiles for active in actives):
            self._asked.set()
            while not self._loaded.is_set():
                self._health.progress()
                try:
                    async with asyncio.timeout(1.0):
                        await self._loaded.wait()
                except TimeoutError:
                    continue

    async def until(self, second_s: int) -> None:
        """Return once profiles are final up to an event time, or the wait has been as long as it may be.

        Where that was in vain, nothing is waited for again before the watermark moves: profiles that are away cost one wait.
        """
        watermark_s = self.table.watermark_s
        if second_s <= watermark_s or watermark_s == self._waited_in_vain_at_s:
            return
        try:
            async with asyncio.timeout(self._wait_s), self._changed:
                await self._changed.wait_for(lambda: second_s <= self.table.watermark_s)
        except TimeoutError:
            self._waited_in_vain_at_s = self.table.watermark_s

    async def _load(self, stack: AsyncExitStack) -> AIOKafkaConsumer:
        consumer = kafka.consumer(self._settings, **_READING)
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        numbers = sorted(await kafka.partitions_of(consumer, PROFILES))
        table, places, ends = ProfileTable(len(numbers), _partitioner(len(numbers))), [], []
        for number in numbers:
            where = TopicPartition(PROFILES, number)
            first = (await consumer.beginning_offsets([where]))[where]
            async for records in kafka.batches_to_end(consumer, where, first):
                for record in records:
                    table.take(number, record.offset, record.key, record.value)
                self._health.progress()
            places.append(where)
            ends.append(await consumer.position(where))
        consumer.assign(places)
        for where, end in zip(places, ends, strict=True):
            consumer.seek(where, end)
        self.table = table
        _log.info("profiles read", extra={"subjects": len(table), "watermark_s": table.watermark_s})
        return consumer

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=_POLL_MS)
            if not fetched:
                continue
            for where, records in fetched.items():
                for record in records:
                    self.table.take(where.partition, record.offset, record.key, record.value)
            async with self._changed:
                self._changed.notify_all()


def _partitioner(partitions: int) -> Callable[[bytes], int]:
    return lambda key: (murmur2(key) & 0x7FFFFFFF) % partitions
