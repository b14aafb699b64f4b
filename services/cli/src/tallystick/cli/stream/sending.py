"""A table of transactions into Kafka: whole batches, built by hand, each partition's records in the table's order.

aiokafka sends one batch of a partition at a time and puts a batch that must be retried back in front, so order holds with
and without idempotence. Where the broker has no idempotent producer a retry may send a batch twice: at least once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    UnknownError,
    UnsupportedVersionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.transaction import InitProducerIdRequest
from numpy.typing import NDArray

from tallystick.cli.stream.columns import compute
from tallystick.cli.stream.encoding import Format, encode_transactions
from tallystick.cli.stream.partitioning import partitions_of
from tallystick.cli.stream.shifting import Shift, shift_ms
from tallystick.runtime.kafka import client_options, producer
from tallystick.runtime.settings import KafkaSettings

CHUNK_ROWS = 8_192
BATCH_BYTES = 262_144
MAX_UNACKNOWLEDGED_BATCHES = 64
PRODUCER_ID_TIMEOUT_MS = 60_000
ANSWER_TIMEOUT_S = 5.0
JSON_HEADERS = [("content-type", b"application/json")]

Progress = Callable[[int, int], None]
"""Called with (transactions acknowledged by the brokers, transactions in all)."""


class StreamError(RuntimeError):
    """The stream stopped before its end; the message says why and how much of it the brokers have acknowledged."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How a table is streamed.

    Attributes:
        kafka: the brokers.
        topic: the topic; it must exist.
        form: what a record's value is.
        shift: how event times, and with them the records' time stamps, are moved.
        rate: at most so many transactions a second; None for as fast as it goes.
        pace_s: with a rate, how often what is due is sent.
        now_ms: the present, in milliseconds since 1970-01-01T00:00:00Z; None asks the clock.
    """

    kafka: KafkaSettings
    topic: str = "transactions"
    form: Format = "protobuf"
    shift: Shift = Shift.TO_NOW
    rate: float | None = None
    pace_s: float = 0.05
    now_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What was streamed.

    Attributes:
        transactions: how many, all acknowledged.
        partitions: the topic's partition count.
        shift_ms: what was added to every event time.
        first_event_ms: the earliest event time as sent; None for an empty table.
        last_event_ms: the latest event time as sent; None for an empty table.
        idempotent: whether the broker kept retries from doubling records.
        elapsed_s: from the first to the last acknowledgement's wait.
    """

    transactions: int
    partitions: int
    shift_ms: int
    first_event_ms: int | None
    last_event_ms: int | None
    idempotent: bool
    elapsed_s: float


async def stream_table(table: pa.Table, settings: StreamSettings, progress: Progress | None = None) -> StreamReport:
    """Send every transaction of the table, keyed by customer id, time-stamped with its event time.

    Raises:
        StreamError: Kafka did not take all of it, or the topic does not exist.
    """
    event_range = compute.min_max(table["event_time_ms"]).as_py()
    now_ms = time.time_ns() // 1_000_000 if settings.now_ms is None else settings.now_ms
    moved_ms = shift_ms(settings.shift, event_range["max"], now_ms) if table.num_rows else 0
    progress_of = _Acknowledged(table.num_rows, progress)
    try:
        partitions, idempotent = await _ask_brokers(settings.kafka, settings.topic)
        options = {"max_batch_size": BATCH_BYTES, "enable_idempotence": idempotent, "linger_ms": 0}
        async with producer(settings.kafka, **options) as kafka:
            started = time.monotonic()
            sender = _Sender(kafka, settings.topic, partitions, progress_of)
            await _send_chunks(table, settings, moved_ms, sender)
            await sender.finish()
            elapsed_s = time.monotonic() - started
    except (KafkaError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise StreamError(
            f"Kafka at {settings.kafka.kafka_bootstrap}: {reason};"
            f" {progress_of.count:,} of {table.num_rows:,} transactions were acknowledged"
        ) from error
    first, last = (None, None) if not table.num_rows else (event_range["min"] + moved_ms, event_range["max"] + moved_ms)
    return StreamReport(table.num_rows, partitions, moved_ms, first, last, idempotent, elapsed_s)


async def check_topic(settings: StreamSettings, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
    """Ask the brokers for the topic, before a long file is read for nothing.

    Raises:
        StreamError: they do not answer in time, or the topic is not there.
    """
    address = settings.kafka.kafka_bootstrap
    try:
        await asyncio.wait_for(_ask_brokers(settings.kafka, settings.topic), timeout_s)
    except (KafkaConnectionError, TimeoutError, OSError) as error:
        raise StreamError(f"nobody answers as Kafka at {address}: is that its address, and does it run?") from error
    except KafkaError as error:
        raise StreamError(f"Kafka at {address}: {str(error) or type(error).__name__}") from error


@dataclass(slots=True)
class _Acknowledged:
    """Counts what the brokers have acknowledged, and tells whoever asked."""

    total: int
    progress: Progress | None
    count: int = 0

    def add(self, records: int) -> None:
        self.count += records
        if self.progress is not None:
            self.progress(self.count, self.total)


@dataclass(slots=True)
class _Sender:
    """One open batch a partition, and the batches that wait for their acknowledgement, oldest first."""

    kafka: AIOKafkaProducer
    topic: str
    partitions: int
    acknowledged: _Acknowledged
    open: dict[int, BatchBuilder] = field(default_factory=dict)
    waiting: deque[tuple["asyncio.Future[object]", int]] = field(default_factory=deque)

    async def add(self, chunk: "_Chunk") -> None:
        """Append a chunk's rows to their partitions' batches, sending those that fill up."""
        for partition in np.unique(chunk.partitions).tolist():
            batch = self.open.get(partition) or self.kafka.create_batch()
            for row in np.flatnonzero(chunk.partitions == partition).tolist():
                record = {"key": chunk.keys[row], "value": chunk.values[row], "timestamp": chunk.timestamps[row]}
                if batch.append(**record, headers=chunk.headers) is None:
                    await self._send(partition, batch)
                    batch = self.kafka.create_batch()
                    batch.append(**record, headers=chunk.headers)
            self.open[partition] = batch
        await self._collect(MAX_UNACKNOWLEDGED_BATCHES)

    async def flush(self) -> None:
        """Send every open batch, without waiting for its acknowledgement."""
        for partition, batch in self.open.items():
            await self._send(partition, batch)
        self.open.clear()

    async def finish(self) -> None:
        """Send what is open and wait until the brokers have acknowledged everything."""
        await self.flush()
        await self._collect(0)

    async def _send(self, partition: int, batch: BatchBuilder) -> None:
        batch.close()
        records = batch.record_count()
        self.waiting.append((await self.kafka.send_batch(batch, self.topic, partition=partition), records))

    async def _collect(self, most: int) -> None:
        """Count the acknowledgements that have come; wait until at most so many batches are without one."""
        while self.waiting and (len(self.waiting) > most or self.waiting[0][0].done()):
            future, records = self.waiting.popleft()
            await future
            self.acknowledged.add(records)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Records, column by column."""

    partitions: NDArray[np.int64]
    keys: list[bytes]
    values: list[bytes]
    timestamps: list[int]
    headers: list[tuple[str, bytes]]


async def _send_chunks(table: pa.Table, settings: StreamSettings, moved_ms: int, sender: _Sender) -> None:
    rows = CHUNK_ROWS if settings.rate is None else max(1, min(CHUNK_ROWS, int(settings.rate * settings.pace_s)))
    started, sent = time.monotonic(), 0
    for chunk in _chunks(table, settings.form, moved_ms, sender.partitions, rows):
        await sender.add(chunk)
        sent += len(chunk.keys)
        if settings.rate is not None:
            await sender.flush()
            await asyncio.sleep(max(0.0, started + sent / settings.rate - time.monotonic()))


def _chunks(table: pa.Table, form: Format, moved_ms: int, partitions: int, rows: int) -> Iterator[_Chunk]:
    for start in range(0, table.num_rows, rows):
        part = table.slice(start, rows)
        customers = compute.fill_null(part["customer_id"].combine_chunks().cast(pa.binary()), b"")
        event_ms = compute.fill_null(part["event_time_ms"], 0).to_numpy()
        yield _Chunk(
            partitions=partitions_of(customers, partitions),
            keys=customers.to_pylist(),
            values=encode_transactions(part, moved_ms, form),
            timestamps=(event_ms + moved_ms).tolist(),
            headers=JSON_HEADERS if form == "json" else [],
        )


async def _ask_brokers(kafka: KafkaSettings, topic: str) -> tuple[int, bool]:
    """Return the topic's partition count, and whether the brokers have idempotent producers.

    The topic is looked up in the list of all topics, because asking for it by name would make it where brokers create topics
    by themselves. Idempotence is found out by asking for a producer id, before aiokafka's producer would fail for want of one:
    some brokers (Tansu) list `InitProducerId` among their APIs and then refuse it.

    Raises:
        KafkaError: the topic does not exist, or its partitions are not those that the partitioner needs.
    """
    client = AIOKafkaClient(**client_options(kafka))
    try:
        await client.bootstrap()
        cluster = await client.fetch_all_metadata()
        partitions = cluster.partitions_for_topic(topic)
        if partitions is None:
            raise KafkaError(f"there is no topic {topic}")
        if partitions != set(range(len(partitions))):
            raise KafkaError(f"topic {topic} shows partitions {sorted(partitions)}, not all of 0 to {max(partitions)}")
        return len(partitions), await _is_idempotent(client)
    finally:
        await client.close()


async def _is_idempotent(client: AIOKafkaClient) -> bool:
    try:
        answer = await client.send(client.get_random_node(), InitProducerIdRequest(None, PRODUCER_ID_TIMEOUT_MS))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return False
    refusals = {UnknownError.errno, UnsupportedVersionError.errno, ClusterAuthorizationFailedError.errno}
    return answer.error_code not in refusals
