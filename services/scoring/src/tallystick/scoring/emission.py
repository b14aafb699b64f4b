"""Out to Kafka, at least once: evidence and dead letters are acknowledged before their decisions are sent."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from tallystick.contracts import ReasonCode
from tallystick.scoring.coverage import decision_leaf
from tallystick.scoring.engine import Decided, Record
from tallystick.scoring.position import DECISIONS

EVIDENCE = "evidence"
DEAD_LETTER = "dead-letter"
BATCH_BYTES = 900_000  # under a broker's default limit of a megabyte
_CREATE_TIME = 0


class TopicError(RuntimeError):
    """A topic is not set up as Tallystick needs it."""


class Outgoing(NamedTuple):
    """One record to be sent."""

    value: bytes | None
    timestamp_ms: int
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Emitter:
    """Emits batches.

    Args:
        producer: for decisions and evidence; started, with `max_batch_size=BATCH_BYTES`.
        compressing: for dead letters, likewise, and with `compression_type`: a record that came compressed may be far larger
            than a topic takes, and compressed it is about as small as it came.
        topic: the input topic, for the dead letters' headers.
        clock: seconds since 1970, for the records' Kafka time stamps.
    """

    def __init__(
        self, producer: AIOKafkaProducer, compressing: AIOKafkaProducer, topic: str, clock: Callable[[], float]
    ) -> None:
        self._producer = producer
        self._compressing = compressing
        self._topic = topic
        self._clock = clock

    async def emit(self, batch: Sequence[tuple[int, Sequence[Decided]]], check: Callable[[], None]) -> dict[int, list[bytes]]:
        """Send a batch by partitions and return its decisions' leaf hashes, once the broker has all of it.

        Args:
            batch: what was decided, by partition.
            check: called when only the decisions are left to send; raises if they must not be made any more.

        Raises:
            TopicError: if the broker replaces time stamps.
            KafkaError: if anything may be missing; the caller starts afresh.
        """
        now_ms = int(self._clock() * 1000)
        async with asyncio.TaskGroup() as tasks:
            for partition, decided in batch:
                evidence = [Outgoing(item.evidence, now_ms) for item in decided if item.evidence is not None]
                letters = [self._dead_letter(partition, item, now_ms) for item in decided if item.rejected is not None]
                tasks.create_task(_send(self._producer, EVIDENCE, partition, evidence))
                tasks.create_task(_send(self._compressing, DEAD_LETTER, partition, letters))
        check()
        async with asyncio.TaskGroup() as tasks:
            sends = [
                tasks.create_task(
                    _send(self._producer, DECISIONS, partition, [Outgoing(item.decision, now_ms) for item in decided])
                )
                for partition, decided in batch
            ]
        return {
            partition: [leaf for metadata, records in send.result() for leaf in _leaves(partition, metadata, records)]
            for (partition, _), send in zip(batch, sends, strict=True)
        }

    def _dead_letter(self, partition: int, decided: Decided, now_ms: int) -> Outgoing:
        """Return the record as it came, with why and whence in headers before its own."""
        record: Record = decided.rejected  # type: ignore[assignment]  # only rejected ones come here
        reason = ReasonCode.Name(decided.reason or ReasonCode.REASON_CODE_UNSPECIFIED)
        headers = [
            ("tallystick-reason", reason.removeprefix("REASON_CODE_").encode()),
            ("tallystick-source", f"{self._topic}/{partition}/{record.offset}".encode()),
            ("tallystick-timestamp-ms", str(record.timestamp).encode()),
            ("tallystick-key", record.key),
            # The producer takes names of UTF-8 only; what is none is written out.
            *(
                (name.encode(errors="surrogateescape").decode(errors="backslashreplace"), content)
                for name, content in record.headers
            ),
        ]
        return Outgoing(record.value, now_ms, headers=headers)


async def _send(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Outgoing]
) -> list[tuple[RecordMetadata, list[Outgoing]]]:
    """Send records in order: each Kafka batch only when the one before is acknowledged, so that a failure leaves no gap."""
    sent = []
    for builder, inside in _batches(producer, records):
        sent.append((await (await producer.send_batch(builder, topic, partition=partition)), inside))
    return sent


def _batches(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> Iterator[tuple[BatchBuilder, list[Outgoing]]]:
    """Fill Kafka batches; a record too large for one has one alone."""
    builder, inside = producer.create_batch(), list[Outgoing]()
    for record in records:
        headers = list(record.headers)
        while builder.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=headers) is None:
            yield builder, inside
            builder, inside = producer.create_batch(), []
        inside.append(record)
    if inside:
        yield builder, inside


def _leaves(partition: int, metadata: RecordMetadata, records: Sequence[Outgoing]) -> list[bytes]:
    if metadata.timestamp_type != _CREATE_TIME:
        raise TopicError(f"{DECISIONS}: message.timestamp.type must be CreateTime")
    return [
        decision_leaf(DECISIONS, partition, metadata.offset + place, record.timestamp_ms, record.value or b"")
        for place, record in enumerate(records)
    ]
