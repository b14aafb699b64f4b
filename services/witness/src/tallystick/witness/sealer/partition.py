"""One partition of the input as it was read: how far, its running hash, and what was not there to be read.

Pure: records in, state out. Offsets alone show no hole, for brokers leave some out (transactions' markers); what shows one is
that the place to go on from is gone, or holds something else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tallystick.contracts import SealedPartition
from tallystick.trust.chain import CHAIN_START, KEY_SPAN, Record, record_digest
from tallystick.trust.keyed_hash import KeyedHash
from tallystick.trust.seals import MAX_GAP, TRAIL_STEP

NONE = -1


@dataclass(slots=True)
class PartitionChain:
    """Where a partition stands.

    `before` is the running hash before the last record, which is at `last_offset` (-1: none to go on from) and of `last_ms`:
    from these the record is recognised when it is read again. Until it was, `recognised` is False. `trail` and `gap` are
    what came since the last seal.
    """

    partition: int
    next_offset: int = 0
    next_sequence: int = 0
    chain: bytes = CHAIN_START
    before: bytes = CHAIN_START
    last_offset: int = NONE
    last_ms: int = 0
    recognised: bool = True
    trail: bytearray = field(default_factory=bytearray)
    gap: str = ""

    @property
    def resumes_at(self) -> int:
        """Where to read on: at the last record, to recognise it, or behind what is gone."""
        return self.next_offset if self.last_offset == NONE else self.last_offset

    def epochs(self, records: int) -> range:
        """Return which chain keys it takes to recognise the last record and to take so many new ones."""
        return range(max(0, self.next_sequence - 1) // KEY_SPAN, (self.next_sequence + max(1, records) - 1) // KEY_SPAN + 1)

    def doubt(self) -> None:
        """Want the last record to be recognised before anything else is taken."""
        self.recognised = self.last_offset == NONE

    def take(self, records: Sequence[Record], keys: Mapping[int, KeyedHash]) -> Sequence[Record]:
        """Take the next records as fetched from `resumes_at` or behind the last one, and return those that are new.

        Args:
            records: at least one, in order.
            keys: the partition's chain keys by `epochs`.
        """
        if not self.recognised:
            records = self._recognise(records, keys)
        chain, sequence, span_end = self.chain, self.next_sequence, 0
        for record in records:
            if sequence >= span_end:
                chained, span_end = keys[sequence // KEY_SPAN], (sequence // KEY_SPAN + 1) * KEY_SPAN
            before = chain
            chain = chained(chain + record_digest(record.offset, record.timestamp, record.key, record.headers, record.value))
            self.trail += chain[:TRAIL_STEP]
            sequence += 1
        if records:
            last = records[-1]
            self.before, self.chain, self.next_sequence = before, chain, sequence
            self.next_offset, self.last_offset, self.last_ms = last.offset + 1, last.offset, last.timestamp
        return records

    def lose(self, reason: str, next_offset: int) -> None:
        """Say that something is not there to be read, and go on at an offset without a record to recognise."""
        self.add_gap(reason)
        self.forget_last(next_offset)

    def forget_last(self, next_offset: int) -> None:
        """Go on at an offset, though the last record is no longer there."""
        self.next_offset, self.last_offset, self.recognised = next_offset, NONE, True

    def add_gap(self, reason: str) -> None:
        """Have the next seal say what is wrong."""
        self.gap = f"{self.gap}; {reason}"[-MAX_GAP:] if self.gap else reason

    def sealed(self) -> SealedPartition:
        """Return what the next seal says."""
        return SealedPartition(
            partition=self.partition,
            next_offset=self.next_offset,
            next_sequence=self.next_sequence,
            chain=self.chain,
            gap=self.gap,
            trail=bytes(self.trail),
        )

    def was_sealed(self) -> None:
        """Begin with what comes after a seal."""
        self.trail.clear()
        self.gap = ""

    def to_json(self) -> list[Any]:
        """Return what a seal does not say and `restored` needs."""
        return [self.before.hex(), self.last_offset, self.last_ms]

    @classmethod
    def restored(cls, sealed: SealedPartition, kept: Sequence[Any]) -> "PartitionChain":
        """Return the partition as it was when it was sealed, to be recognised."""
        before, last_offset, last_ms = kept
        chain = cls(sealed.partition, sealed.next_offset, sealed.next_sequence, sealed.chain)
        chain.before, chain.last_offset, chain.last_ms = bytes.fromhex(before), int(last_offset), int(last_ms)
        chain.doubt()
        return chain

    def _recognise(self, records: Sequence[Record], keys: Mapping[int, KeyedHash]) -> Sequence[Record]:
        self.recognised = True
        first = records[0]
        if first.offset != self.last_offset:
            self.add_gap(f"the last sealed record, at offset {self.last_offset}, is gone: the next one is at {first.offset}")
            return [record for record in records if record.offset >= self.next_offset]
        digest = record_digest(first.offset, first.timestamp, first.key, first.headers, first.value)
        if keys[(self.next_sequence - 1) // KEY_SPAN](self.before + digest) != self.chain:
            self.add_gap(f"the record at offset {first.offset} is not the one that was sealed")
        return records[1:]
