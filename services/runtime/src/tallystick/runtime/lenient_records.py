"""Kafka records whose header names are not UTF-8: read all the same, the odd bytes as surrogate escapes.

A Kafka header's name is any bytes; brokers do not look. aiokafka decodes it strictly, so that one such record would stop every
consumer of its partition for good. Its own parser (compiled) is tried first; only a batch that it cannot read is read again by
its other one (Python), over a buffer that decodes leniently. Nothing else is changed, and `install` is undone by nothing: it is
done once, when `tallystick.runtime.kafka` is imported.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

_NEWEST_FORMAT = 2
_MAGIC_OFFSET = 16


class _LenientBytes(bytearray):
    """Bytes that decode with surrogate escapes, and so do their slices."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _LenientBytes(part) if isinstance(place, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return super().decode(encoding, "surrogateescape")


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka ships no types
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _LenientBytes(self._buffer)


class _Batch:
    """A batch of aiokafka's, whose records are read leniently if they must be."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (UnicodeDecodeError, CorruptRecordException):
            return iter(list(_LenientBatch(self._raw)))


class LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]  # as above
    """The batches of one fetch."""

    def next_batch(self) -> Any:
        """Return the next batch, None after the last."""
        raw = self._next_slice
        batch = super().next_batch()
        if batch is None or raw[_MAGIC_OFFSET] < _NEWEST_FORMAT or batch.is_control_batch:
            return batch  # a transaction's marker, too, has no headers
        return _Batch(batch, raw)


def install() -> None:
    """Have aiokafka's consumers read their fetches through `LenientRecords`."""
    fetcher.MemoryRecords = LenientRecords
