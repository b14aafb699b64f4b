"""Out to Kafka, at least once: evidence and dead letters are acknowledged before their decisions are sent."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from tallystick.contracts import ReasonCode
from tallystick.scoring.coverage import decision_leaves
from tallystick.scoring.engine import Decided, Record
from tallystick.scoring.kafka_batches import value_batches
from tallystick.scoring.position import DECISIONS

EVIDENCE = "evidence"
DEAD_LETTER = "dead-letter"
BATCH_BYTES = 900_000  # under a broker's default limit of a megabyte
_CREATE_TIME = 0


class TopicError(RuntimeError):
    """A topic is not set up as Tallystick needs it."""


class Letter(NamedTuple):
    """One dead letter to be sent."""

    value: bytes | None
    headers: list[tuple[str, bytes | None]]


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
                evidence = [item.evidence for item in decided if item.evidence is not None]
                tasks.create_task(_send_values(self._producer, EVIDENCE, partition, now_ms, evidence))
                if letters := [self._dead_letter(partition, item) for item in decided if item.rejected is not None]:
                    tasks.create_task(_send_letters(self._compressing, partition, now_ms, letters))
        check()
        async with asyncio.TaskGroup() as tasks:
            sends = [
                tasks.create_task(
                    _send_values(self._producer, DECISIONS, partition, now_ms, [item.decision for item in decided])
                )
                for partition, decided in batch
            ]
        return {
            partition: [leaf for metadata, values in send.result() for leaf in _leaves(partition, metadata, now_ms, values)]
            for (partition, _), send in zip(batch, sends, strict=True)
        }

    def _dead_letter(self, partition: int, decided: Decided) -> Letter:
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
        return Letter(record.value, headers)


async def _send_values(
    producer: AIOKafkaProducer, topic: str, partition: int, now_ms: int, values: Sequence[bytes]
) -> list[tuple[RecordMetadata, Sequence[bytes]]]:
    """Send values in order: each Kafka batch only when the one before is acknowledged, so that a failure leaves no gap."""
    sent = []
    for builder, inside in value_batches(producer, now_ms, values):
        sent.append((await (await producer.send_batch(builder, topic, partition=partition)), inside))
    return sent


async def _send_letters(producer: AIOKafkaProducer, partition: int, now_ms: int, letters: Sequence[Letter]) -> None:
    """Send dead letters, in order likewise; one too large for a Kafka batch has one alone."""
    builder = producer.create_batch()
    for value, headers in letters:
        while builder.append(timestamp=now_ms, key=None, value=value, headers=headers) is None:
            await (await producer.send_batch(builder, DEAD_LETTER, partition=partition))
            builder = producer.create_batch()
    await (await producer.send_batch(builder, DEAD_LETTER, partition=partition))


def _leaves(partition: int, metadata: RecordMetadata, now_ms: int, values: Sequence[bytes]) -> list[bytes]:
    if metadata.timestamp_type != _CREATE_TIME:
        raise TopicError(f"{DECISIONS}: message.timestamp.type must be CreateTime")
    return decision_leaves(DECISIONS, partition, metadata.offset, now_ms, values)
