"""A log's part of a topic in Kafka: partitions assigned by hand, read from where the database says, not a group's offsets."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from tallystick.notary.errors import UnavailableError
from tallystick.notary.intake import Batch
from tallystick.notary.state import Progress
from tallystick.notary.waiting import answering, waiting_for
from tallystick.runtime import kafka
from tallystick.runtime.backoff import retry
from tallystick.runtime.health import Health
from tallystick.runtime.settings import KafkaSettings

_SHORT = "was the topic made anew, or a broker restored that had lost records?"
MAX_BATCH_RECORDS = 16_384
FETCH_WAIT_MS, BUSY_FETCH_WAIT_MS = 500, 50
"""For topics of a record now and then, and for one whose records are waited for."""
FETCH_OPTIONS: dict[str, Any] = {
    "max_partition_fetch_bytes": 4 * 2**20,
    "request_timeout_ms": 10_000,
    "metadata_max_age_ms": 30_000,
}
_log = logging.getLogger(__name__)


class TopicSource:
    """See `Source`. Reads `partitions` of the topic; while it does not have them all, it counts as not answering.

    `fetch_wait_ms` is how long brokers may keep a fetch for which there is nothing yet. Some give it back only then, records or
    none: so it is also how late a record may be seen, and asking more often is what a smaller one costs.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        partitions: frozenset[int],
        health: Health,
        loop: str,
        *,
        fetch_wait_ms: int = FETCH_WAIT_MS,
    ) -> None:
        self._settings, self._topic, self._partitions = settings, topic, partitions
        self._health, self._loop, self._fetch_wait_ms = health, loop, fetch_wait_ms
        self._consumer: AIOKafkaConsumer | None = None
        self._stops: dict[int, str] = {}
        self._paused: set[int] = set()

    @property
    def stops(self) -> dict[int, str]:
        """See `Source`."""
        return self._stops

    async def seek(self, progress: Progress) -> None:
        """See `Source`. Makes a new consumer, so that nothing which the old one had fetched can come after."""
        await self.close()
        with answering("kafka", self._health):
            consumer = kafka.consumer(self._settings, fetch_max_wait_ms=self._fetch_wait_ms, **FETCH_OPTIONS)
            try:
                await consumer.start()
                present = await kafka.partitions_of(consumer, self._topic)
                if not present:
                    raise UnavailableError("kafka", f"topic {self._topic} does not exist yet")
                if missing := self._partitions - present:
                    raise UnavailableError("kafka", f"topic {self._topic} has no partition {min(missing)}")
            except BaseException:
                await consumer.stop()
                raise
            consumer.assign([TopicPartition(self._topic, partition) for partition in self._partitions])
            for partition in self._partitions:
                consumer.seek(TopicPartition(self._topic, partition), progress.offsets.get(partition, 0))
            self._consumer, self._stops, self._paused = consumer, {}, set()

    async def fetch(self, timeout_s: float) -> Batch:
        """See `Source`."""
        self._health.progress(self._loop)
        # aiokafka answers with nothing while brokers are gone: that is no sign of life, `kafka.watch` looks for one.
        with waiting_for("kafka", self._health):
            consumer = self._started()
            try:
                fetched = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=MAX_BATCH_RECORDS)
            except OffsetOutOfRangeError as error:
                await self._out_of_range(consumer, error.args[0])
                return {}
            await self._stop_where_short(consumer, consumer.assignment() - fetched.keys())
            return {
                partition.partition: records
                for partition, records in fetched.items()
                if partition.partition not in self._paused
            }

    def stop(self, partition: int, reason: str) -> None:
        """See `Source`."""
        self._stops[partition] = reason
        self._paused.add(partition)
        self._started().pause(TopicPartition(self._topic, partition))

    def resume(self, partition: int, offset: int) -> None:
        """See `Source`."""
        where = TopicPartition(self._topic, partition)
        self._paused.discard(partition)
        self._started().seek(where, offset)
        self._started().resume(where)

    def going(self, partition: int) -> None:
        """See `Source`."""
        self._stops.pop(partition, None)

    def lag(self, progress: Progress) -> int:
        """See `Source`."""
        if self._consumer is None:
            return 0
        ends = {partition: self._consumer.highwater(partition) or 0 for partition in self._consumer.assignment()}
        return sum(max(0, end - progress.offsets.get(partition.partition, 0)) for partition, end in ends.items())

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise UnavailableError("kafka", "not connected")
        return self._consumer

    async def _out_of_range(self, consumer: AIOKafkaConsumer, refused: Mapping[TopicPartition, int]) -> None:
        """Read on where the brokers' records begin, if those before were deleted; what is missing then, the intake sees."""
        beginnings = await consumer.beginning_offsets(list(refused))
        for where, offset in refused.items():
            if offset < (beginning := beginnings[where]):
                _log.error("%s/%d: offsets %d to %d were deleted unread", *where, offset, beginning - 1)
                consumer.seek(where, beginning)
            else:
                self.stop(where.partition, f"offset {offset} is beyond the end of {self._topic}/{where.partition}: {_SHORT}")

    async def _stop_where_short(self, consumer: AIOKafkaConsumer, silent: Iterable[TopicPartition]) -> None:
        """Stop those partitions of which nothing came and that end before what was read of them.

        Brokers should refuse such a fetch, but not all do, and after a failover a good one may be behind for a moment. Waiting
        in silence for records that would be other ones is the one thing not to do.
        """
        for where in silent:
            end, following = consumer.highwater(where), await consumer.position(where)
            if end is not None and end < following and where.partition not in self._paused:
                self.stop(where.partition, f"{self._topic}/{where.partition} ends at {end}, read up to {following}: {_SHORT}")


async def watch_brokers(settings: KafkaSettings, health: Health) -> None:
    """Say in health whether the brokers answer, until cancelled."""
    client = kafka.consumer(settings)
    try:
        await retry(client.start, health=health, component="kafka")
        await kafka.watch(client, health)
    finally:
        await client.stop()
