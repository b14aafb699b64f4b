"""No log, no decision: knows which of the emitted decisions the log already holds, provably.

Every leaf hash of the log since the start is appended to a frontier; a checkpoint is believed only if the frontier's root is
the checkpoint's, which proves consistency and every new entry's inclusion at once. A decision is covered when its own leaf
hash is among them.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tallystick.contracts import EntryKind, LogEntry
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hashes
from tallystick.scoring.wire import sized, varint_fields


class CoverageError(ValueError):
    """The log contradicts itself, or what was verified before."""


class Limit(NamedTuple):
    """How far emitting may run ahead of the log: so many decisions, none of them older than so many seconds."""

    decisions: int
    age_s: float

    def exceeded(self, pending: int, age_s: float) -> str | None:
        """Return in words how so many uncovered decisions, the oldest of this age, exceed the limit; None if they do not."""
        if pending > self.decisions:
            return f"{pending} decisions are not in the log, {self.decisions} are allowed"
        if age_s > self.age_s:
            return f"a decision is not in the log after {age_s:.1f} s, {self.age_s:.1f} s are allowed"
        return None


def decision_leaf(topic: str, partition: int, offset: int, timestamp_ms: int, value: bytes) -> bytes:
    """Return the leaf hash under which the notary logs a record of `decisions`."""
    return decision_leaves(topic, partition, offset, timestamp_ms, [value])[0]


def decision_leaves(topic: str, partition: int, first_offset: int, timestamp_ms: int, values: Sequence[bytes]) -> list[bytes]:
    """Return the leaf hashes of records of `decisions` that follow each other under one Kafka time stamp.

    An entry is a serialised `LogEntry`; its value comes last, and of what comes before only the offset and the size vary.
    """
    head = LogEntry(kind=EntryKind.ENTRY_KIND_DECISION, topic=topic, partition=partition).SerializeToString()
    time = LogEntry(timestamp_ms=timestamp_ms).SerializeToString()
    offsets = varint_fields(0x20, np.arange(first_offset, first_offset + len(values), dtype=np.uint64))
    return leaf_hashes(
        [
            b"".join((head, offset, time, _before_value(len(value)), value)) if value else head + offset + time
            for offset, value in zip(offsets, values, strict=True)
        ]
    )


@lru_cache(maxsize=1 << 12)
def _before_value(size: int) -> bytes:
    return sized(b"\x32", size)


class Coverage:
    """Follows one log and knows what is still uncovered.

    Args:
        frontier: the log's right edge at a size whose root was verified.
    """

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._pending: dict[bytes, float] = {}  # leaf hash -> when it was emitted; oldest first
        # What the log got during an emission: decisions can be in it long before the broker's answer is here.
        self._unclaimed: set[bytes] | None = None

    @property
    def size(self) -> int:
        """Size of the log up to which everything is verified."""
        return self._frontier.size

    @property
    def pending(self) -> int:
        """Number of decisions that are emitted and not covered."""
        return len(self._pending)

    def age_s(self, now_s: float) -> float:
        """Return the age of the oldest uncovered decision, 0 if there is none."""
        return now_s - next(iter(self._pending.values())) if self._pending else 0.0

    def emitting(self) -> None:
        """Keep in mind, until `settled`, what the log gets: decisions are on their way to the broker."""
        self._unclaimed = set()

    def settled(self) -> None:
        """Forget what the log got: whatever was on its way is acknowledged."""
        self._unclaimed = None

    def emitted(self, leaves: Sequence[bytes], now_s: float) -> None:
        """Remember decisions that the broker acknowledged."""
        for leaf in leaves:
            if self._unclaimed and leaf in self._unclaimed:
                self._unclaimed.remove(leaf)
            else:
                self._pending[leaf] = now_s

    def advance(self, leaves: Sequence[bytes], checkpoint: Checkpoint) -> list[float]:
        """Follow the log to a verified checkpoint and return when each newly covered decision was emitted.

        Args:
            leaves: the log's leaf hashes from `size` to the checkpoint's.
            checkpoint: its signatures are already checked.

        Raises:
            CoverageError: if the leaves do not lead to the checkpoint's root; nothing is changed then.
        """
        if checkpoint.size < self.size:
            raise CoverageError(f"the log went back from {self.size} to {checkpoint.size} entries")
        frontier = self._frontier.copy()
        frontier.append(leaves)
        if frontier.size != checkpoint.size or frontier.root() != checkpoint.root:
            raise CoverageError(f"the log's tiles do not lead to its checkpoint of {checkpoint.size} entries")
        self._frontier = frontier
        covered = []
        for leaf in leaves:
            emitted = self._pending.pop(leaf, None)
            if emitted is not None:
                covered.append(emitted)
            elif self._unclaimed is not None:
                self._unclaimed.add(leaf)
        return covered
