"""What the notary knows of a log between two batches; the database holds the same, and holds it first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Head:
    """A log's committed end.

    `staged` names the staging object of the commit that made it; None for the empty log.
    """

    size: int
    root: bytes
    staged: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where one input partition stands: its last logged decision."""

    next_sequence: int
    source_offset: int
    chain: bytes
    activation_index: int | None
    record_offset: int
    log_index: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the log's topic has been taken in.

    `offsets`: the next record to read, by partition of the topic. `positions`: the last decision, by input partition.
    Partitions not named are at their beginning.
    """

    offsets: Mapping[int, int]
    positions: Mapping[int, Position]

    def advanced(self, offsets: Mapping[int, int], positions: Mapping[int, Position]) -> "Progress":
        """Return this progress with some partitions further on."""
        return Progress({**self.offsets, **offsets}, {**self.positions, **positions})


class IndexRow(NamedTuple):
    """Where a decision is: in the log, and in its topic. A tuple because COPY takes tuples."""

    source_partition: int
    sequence: int
    log_index: int
    record_offset: int


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one database transaction changes: every offset, the positions that moved, a row for each new decision."""

    old: Head
    new: Head
    rows: Sequence[IndexRow]
    offsets: Mapping[int, int]
    positions: Mapping[int, Position]
