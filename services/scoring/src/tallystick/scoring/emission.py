"""Out to Kafka, at least once: evidence and dead letters are acknowledged before their decisions are sent."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
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
        producer: started, with `max_batch_size=BATCH_BYTES`.
        topic: the input topic, for the dead letters' headers.
        clock: seconds since 1970, for the records' Kafka time stamps.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, clock: Callable[[], float]) -> None:
        self._producer = producer
        self._topic = topic
        self._clock = clock

    async def emit(self, batch: Sequence[tuple[int, Sequence[Decided]]]) -> list[bytes]:
        """Send a batch by partitions and return its decisions' leaf hashes, once the broker has all of it.

        Raises:
            TopicError: if the broker replaces time stamps.
            KafkaError: if anything may be missing; the caller starts afresh.
        """
        now_ms = int(self._clock() * 1000)
        sends = []
        for partition, decided in batch:
            evidence = [Outgoing(item.evidence, now_ms) for item in decided if item.evidence is not None]
            letters = [self._dead_letter(partition, item, now_ms) for item in decided if item.rejected is not None]
            sends += await self._send(EVIDENCE, partition, evidence)
            sends += await self._send(DEAD_LETTER, partition, letters)
        await asyncio.gather(*(future for future, _ in sends))
        leaves = []
        decisions = [
            (partition, await self._send(DECISIONS, partition, [Outgoing(item.decision, now_ms) for item in decided]))
            for partition, decided in batch
        ]
        for partition, sends in decisions:
            for future, records in sends:
                leaves += _leaves(partition, await future, records)
        return leaves

    async def _send(
        self, topic: str, partition: int, records: Iterable[Outgoing]
    ) -> list[tuple[asyncio.Future[RecordMetadata], list[Outgoing]]]:
        sends = []
        builder, inside = self._producer.create_batch(), list[Outgoing]()
        for record in records:
            while (
                builder.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=list(record.headers))
                is None
            ):
                sends.append((await self._producer.send_batch(builder, topic, partition=partition), inside))
                builder, inside = self._producer.create_batch(), []
            inside.append(record)
        if inside:
            sends.append((await self._producer.send_batch(builder, topic, partition=partition), inside))
        return sends

    def _dead_letter(self, partition: int, decided: Decided, now_ms: int) -> Outgoing:
        """Return the record as it came, with why and whence in headers before its own."""
        record: Record = decided.rejected  # type: ignore[assignment]  # only rejected ones come here
        reason = ReasonCode.Name(decided.reason or ReasonCode.REASON_CODE_UNSPECIFIED)
        headers = [
            ("tallystick-reason", reason.removeprefix("REASON_CODE_").encode()),
            ("tallystick-source", f"{self._topic}/{partition}/{record.offset}".encode()),
            ("tallystick-timestamp-ms", str(record.timestamp).encode()),
            ("tallystick-key", record.key),
            *record.headers,
        ]
        return Outgoing(record.value, now_ms, headers=headers)


def _leaves(partition: int, metadata: RecordMetadata, records: Sequence[Outgoing]) -> list[bytes]:
    if metadata.timestamp_type != _CREATE_TIME:
        raise TopicError(f"{DECISIONS}: message.timestamp.type must be CreateTime")
    return [
        decision_leaf(DECISIONS, partition, metadata.offset + place, record.timestamp_ms, record.value or b"")
        for place, record in enumerate(records)
    ]
