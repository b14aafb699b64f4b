"""From Kafka records to log entries: an envelope around the record's exact bytes."""

import hashlib
from typing import Protocol

from tallystick.contracts import EntryKind, LogEntry, Malformed
from tallystick.merkle.tiles import MAX_ENTRY_SIZE
from tallystick.trust.malformed import missing

_MAX_OVERHEAD = 400
"""More than an envelope adds to a value: its numbers, and a topic's name of at most 249 bytes."""


class Record(Protocol):
    """A Kafka record, as far as a log is concerned; aiokafka's `ConsumerRecord` is one."""

    @property
    def topic(self) -> str:
        """The topic's name."""
        ...

    @property
    def partition(self) -> int:
        """The partition in the topic."""
        ...

    @property
    def offset(self) -> int:
        """The offset in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""
        ...

    @property
    def key(self) -> bytes | None:
        """The key's exact bytes."""
        ...

    @property
    def value(self) -> bytes | None:
        """The value's exact bytes; None is not the same as empty."""
        ...


def entry(kind: EntryKind, record: Record) -> bytes:
    """Return the entry that keeps a record's value as it is. Requires that it `fits`."""
    return _envelope(kind, record, record.value or b"")


def fits(kind: EntryKind, record: Record) -> bool:
    """Whether a record can be logged as it is: the length of an entry in its bundle has 16 bits (C2SP tlog-tiles)."""
    size = len(record.value or b"")
    return size <= MAX_ENTRY_SIZE - _MAX_OVERHEAD or (size <= MAX_ENTRY_SIZE and len(entry(kind, record)) <= MAX_ENTRY_SIZE)


def malformed_entry(record: Record, reason: str) -> bytes:
    """Return the entry that stands for a record which cannot be logged as it is.

    `reason` is read by anybody who may read the log: never put the record's content into it.
    """
    value = record.value or b""
    stand_in = Malformed(digest=hashlib.sha256(value).digest(), size_bytes=len(value), reason=reason)
    return _envelope(EntryKind.ENTRY_KIND_MALFORMED, record, stand_in.SerializeToString(deterministic=True))


def missing_entry(record: Record, first: int) -> bytes:
    """Return the entry that stands for the offsets from `first` up to `record`, at which its topic has no records."""
    value = missing(first, record.offset - 1).SerializeToString(deterministic=True)
    return _envelope(EntryKind.ENTRY_KIND_MALFORMED, record, value, first)


def _envelope(kind: EntryKind, record: Record, value: bytes, offset: int | None = None) -> bytes:
    return LogEntry(
        kind=kind,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset if offset is None else offset,
        timestamp_ms=record.timestamp,
        value=value,
    ).SerializeToString()
