"""What goes out to Kafka: from decisions to whole Kafka batches, and from where these came to lie to the log's leaf hashes.

Pure. How batches are sent, and what follows what, is for `emitters`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from tallystick.contracts import ReasonCode
from tallystick.scoring.coverage import decision_leaves
from tallystick.scoring.engine import Decided
from tallystick.scoring.kafka_batches import value_batches
from tallystick.scoring.position import DECISIONS
from tallystick.trust.chain import Record

EVIDENCE = "evidence"
DEAD_LETTER = "dead-letter"
BATCH_BYTES = 900_000  # under a broker's default limit of a megabyte
_CREATE_TIME = 0
_UNCOMPRESSED, _ZSTD = 0, 4  # as a Kafka batch's attributes say it


class TopicError(RuntimeError):
    """A topic is not set up as Tallystick needs it."""


class Letter(NamedTuple):
    """One dead letter to be sent."""

    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Parcel(NamedTuple):
    """One partition's decisions with what belongs to them, on their way.

    Attributes:
        partition: the input partition, and that of every topic.
        decided: what is sent.
        timestamp_ms: the records' Kafka time stamp.
        batches: the Kafka batches for each topic, in order; none for some topics.
        decisions: the decisions in each of their batches.
    """

    partition: int
    decided: Sequence[Decided]
    timestamp_ms: int
    batches: Mapping[str, Sequence[BatchBuilder]]
    decisions: Sequence[Sequence[bytes]]


def pack(topic: str, partition: int, decided: Sequence[Decided], now_ms: int, *, transactional: bool) -> Parcel:
    """Pack what was decided on one partition of the input `topic`, as records of this Kafka time stamp."""
    new_batch = partial(BatchBuilder, BATCH_BYTES, _UNCOMPRESSED, is_transactional=transactional)
    evidence = [item.evidence for item in decided if item.evidence is not None]
    letters = [_dead_letter(topic, partition, item) for item in decided if item.rejected is not None]
    decisions = list(value_batches(new_batch, now_ms, [item.decision for item in decided]))
    batches = {
        EVIDENCE: [batch for batch, _ in value_batches(new_batch, now_ms, evidence)],
        DEAD_LETTER: _letter_batches(letters, now_ms, transactional=transactional),
        DECISIONS: [batch for batch, _ in decisions],
    }
    return Parcel(partition, decided, now_ms, batches, [values for _, values in decisions])


def leaves(parcel: Parcel, written: Iterable[RecordMetadata]) -> list[bytes]:
    """Return the decisions' leaf hashes, in order.

    Args:
        parcel: what was sent.
        written: where each batch of its decisions came to lie.

    Raises:
        TopicError: if the broker replaces time stamps.
    """
    found = []
    for metadata, values in zip(written, parcel.decisions, strict=True):
        if metadata.timestamp_type != _CREATE_TIME:
            raise TopicError(f"{DECISIONS}: message.timestamp.type must be CreateTime")
        found += decision_leaves(DECISIONS, parcel.partition, metadata.offset, parcel.timestamp_ms, values)
    return found


def _dead_letter(topic: str, partition: int, decided: Decided) -> Letter:
    """Return the record as it came, with why and whence in headers before its own."""
    record: Record = decided.rejected  # type: ignore[assignment]  # only rejected ones come here
    reason = ReasonCode.Name(decided.reason or ReasonCode.REASON_CODE_UNSPECIFIED)
    headers = [
        ("tallystick-reason", reason.removeprefix("REASON_CODE_").encode()),
        ("tallystick-source", f"{topic}/{partition}/{record.offset}".encode()),
        ("tallystick-timestamp-ms", str(record.timestamp).encode()),
        ("tallystick-key", record.key),
        # Kafka clients take names of UTF-8 only; what is none is written out.
        *(
            (name.encode(errors="surrogateescape").decode(errors="backslashreplace"), content)
            for name, content in record.headers
        ),
    ]
    return Letter(record.value, headers)


def _letter_batches(letters: Iterable[Letter], now_ms: int, *, transactional: bool) -> list[BatchBuilder]:
    """Fill Kafka batches with dead letters; one too large for a batch has one alone.

    They are compressed: a record that came compressed may be far larger than a topic takes, and compressed it is about as
    small as it came.
    """
    batches: list[BatchBuilder] = []
    for value, headers in letters:
        record = {"timestamp": now_ms, "key": None, "value": value, "headers": headers}
        if not batches or batches[-1].append(**record) is None:
            batches.append(BatchBuilder(BATCH_BYTES, _ZSTD, is_transactional=transactional))
            batches[-1].append(**record)
    return batches
