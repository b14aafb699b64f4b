"""Kafka's side: transactions out, decisions in, and the first decision on a transaction found again.

`decisions` is read from its end, all partitions, committed records only. That is enough: what is waited for is sent after the
reading has begun.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.partitioner import murmur2
from google.protobuf.message import DecodeError

from tallystick.contracts import Decision, Transaction
from tallystick.gateway.waiting import Waiting
from tallystick.runtime import kafka
from tallystick.runtime.backoff import retry
from tallystick.runtime.health import OK, Health
from tallystick.runtime.settings import KafkaSettings
from tallystick.trust.transactions import RejectionError, decode

DECISIONS = "decisions"
LINGER_MS = 1
SEND_TIMEOUT_MS = 20_000
_FETCH_WAIT_MS = 20  # some brokers answer a fetch that waits only when its time is over, records or none
_log = logging.getLogger(__name__)


class TopicError(RuntimeError):
    """A topic is not as the trust policy has it."""


class Stream:
    """Both ways; `run` must be running.

    Args:
        settings: how to reach Kafka.
        topic: the input topic.
        waiting: who waits for which decision.
        health: where the components `kafka` and `decisions` and the loop `decisions` are.
    """

    def __init__(self, settings: KafkaSettings, topic: str, waiting: Waiting, health: Health) -> None:
        self._settings, self._topic, self._waiting, self._health = settings, topic, waiting, health
        self._count = len(waiting.partitions)
        self._producer: AIOKafkaProducer | None = None
        self._finding = asyncio.Lock()
        self._listening = False
        self.heard = 0

    def partition_of(self, customer: str) -> int:
        """Return where a customer's transactions belong."""
        return int(murmur2(customer.encode()) & 0x7FFFFFFF) % self._count

    @property
    def answering(self) -> bool:
        """False while decisions are not heard, or the brokers are known not to answer."""
        return self._listening and self._health.state("kafka") == OK

    async def send(self, partition: int, key: bytes, value: bytes, timestamp_ms: int) -> int:
        """Send a transaction and return its offset, once all replicas have it.

        Raises:
            KafkaError, OSError: it may have been written all the same.
        """
        producer = self._started()
        sent = await producer.send(self._topic, value, key, partition=partition, timestamp_ms=timestamp_ms)
        return int((await sent).offset)

    async def run(self) -> NoReturn:
        """Listen until cancelled. Raises TopicError."""
        self._producer = await self._start_producer()
        try:
            while True:
                consumer = kafka.consumer(self._settings, fetch_max_wait_ms=_FETCH_WAIT_MS)
                try:
                    await retry(consumer.start, health=self._health, component="kafka", loop="decisions")
                    await retry(partial(self._to_end, consumer), health=self._health, component="kafka", loop="decisions")
                    self._listening = True
                    self._health.ok(DECISIONS)
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(kafka.watch(consumer, self._health))
                        tasks.create_task(self._listen(consumer))
                except* OffsetOutOfRangeError:
                    # Retention has passed this by, or the topic was made anew. Whoever waits falls back.
                    _log.warning("decisions are heard from their end again")
                finally:
                    self._listening = False
                    self._health.failing(DECISIONS, "their end is looked for", "not heard")
                    await consumer.stop()
        finally:
            await self._producer.stop()

    async def send_all(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes, int]]) -> None:
        """Send (key, value, time stamp) in their order; all replicas have them when this returns. Raises as `send`."""
        producer = self._started()
        sent = [
            await producer.send(topic, value, key, partition=partition, timestamp_ms=timestamp_ms)
            for key, value, timestamp_ms in records
        ]
        await asyncio.gather(*sent)

    async def records_from(self, partition: int, start: int) -> dict[tuple[str, str], int]:
        """Return the first offset of each transaction from `start` to the partition's end, by its id and customer.

        Raises:
            KafkaError: the brokers do not answer.
        """
        found: dict[tuple[str, str], int] = {}
        async with self._finding, self._reader() as reader:
            where = TopicPartition(self._topic, partition)
            start = max(start, (await reader.beginning_offsets([where]))[where])
            async for batch in kafka.batches_to_end(reader, where, start):
                for record in batch:
                    if (named := _named(record)) is not None:
                        found.setdefault(named, int(record.offset))
        return found

    async def find_record(self, partition: int, start: int, transaction: Transaction) -> int | None:
        """Return the offset of the first record from `start` with a transaction's id and customer, None if there is none.

        Raises:
            KafkaError: the brokers do not answer.
        """
        name, wanted = transaction.transaction_id.encode(), (transaction.transaction_id, transaction.customer_id)
        async with self._finding, self._reader() as reader:
            where = TopicPartition(self._topic, partition)
            start = max(start, (await reader.beginning_offsets([where]))[where])
            async for batch in kafka.batches_to_end(reader, where, start):
                for record in batch:
                    if record.value and name in record.value and _named(record) == wanted:
                        return int(record.offset)
        return None

    async def find_decision(self, partition: int, start: int, source_offset: int) -> bytes | None:
        """Return the first decision on an input record, looked for from `start` in `decisions`, None if there is none yet.

        Raises:
            KafkaError: the brokers do not answer.
        """
        async with self._finding, self._reader() as reader:
            where = TopicPartition(DECISIONS, partition)
            start = max(start, (await reader.beginning_offsets([where]))[where])
            async for batch in kafka.batches_to_end(reader, where, start):
                for record in batch:
                    if source_offset_of(record.value, self._topic) == source_offset:
                        return bytes(record.value)
        return None

    def _reader(self) -> AIOKafkaConsumer:
        return kafka.consumer(self._settings)

    async def _start_producer(self) -> AIOKafkaProducer:
        async def start() -> AIOKafkaProducer:
            producer = kafka.producer(self._settings, linger_ms=LINGER_MS, request_timeout_ms=SEND_TIMEOUT_MS)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            return producer

        return await retry(start, health=self._health, component="kafka", loop="decisions")

    async def _to_end(self, consumer: AIOKafkaConsumer) -> None:
        for topic in (self._topic, DECISIONS):
            # Asked of the producer: a consumer knows nothing of a topic before it is assigned.
            if (present := await self._started().partitions_for(topic)) != set(range(self._count)):
                raise TopicError(f"topic {topic} has {len(present)} partitions, the trust policy says {self._count}")
        decisions = [TopicPartition(DECISIONS, number) for number in range(self._count)]
        records = [TopicPartition(self._topic, number) for number in range(self._count)]
        # Some brokers answer with the beginning of the last batch: an offset that is passed already, which does no harm here.
        ends = await consumer.end_offsets([*decisions, *records])
        consumer.assign(decisions)
        for where in decisions:
            consumer.seek(where, ends[where])
            at = self._waiting.partitions[where.partition]
            at.decisions_offset = max(at.decisions_offset, ends[where])
            at.from_offset = max(at.from_offset, ends[TopicPartition(self._topic, where.partition)])

    async def _listen(self, consumer: AIOKafkaConsumer) -> NoReturn:
        while True:
            fetched = await consumer.getmany(timeout_ms=_FETCH_WAIT_MS)
            self._health.progress("decisions")
            for where, records in fetched.items():
                heard = [
                    (offset, record.value)
                    for record in records
                    if (offset := source_offset_of(record.value, self._topic)) is not None
                ]
                self.heard += len(heard)
                self._waiting.heard(where.partition, records[-1].offset, heard)

    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise OSError("not connected to Kafka yet")
        return self._producer


def source_offset_of(value: bytes | None, topic: str) -> int | None:
    """Return the offset of the record that a decision is on, None if it is no decision on this topic."""
    try:
        decision = Decision.FromString(value or b"")
    except DecodeError:
        return None
    return decision.source_offset if decision.source_topic == topic else None


def _named(record: ConsumerRecord) -> tuple[str, str] | None:
    """Return the id and the customer of the transaction in a record, None if there is none."""
    try:
        transaction = decode(record.headers, record.value or b"")
    except RejectionError:
        return None
    return transaction.transaction_id, transaction.customer_id
