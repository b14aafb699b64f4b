"""What came of it, counted from the servers' own records. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from tallystick.contracts import Decision, EntryKind, LogEntry

Place = tuple[int, int]
"""Partition and offset of an input record."""


@dataclass(frozen=True, slots=True)
class Figures:
    """`build/chaos.json`, in this order.

    Attributes:
        kills: processes ended by SIGKILL.
        transactions: input records.
        lost: of them, those without a decision.
        duplicated: decisions, in the topic or in the log, for records that had one.
        out_of_order: decisions, in the topic or in the log, that are not their partition's next.
        differing: decisions with another margin or outcome than the calm run's.
        unlogged: decisions that are not in the log as they are in the topic.
        recovery_p99_s: from a fault to when all that had arrived by then was in the published log.
    """

    kills: int
    transactions: int
    lost: int
    duplicated: int
    out_of_order: int
    differing: int
    unlogged: int
    recovery_p99_s: float

    @property
    def held(self) -> bool:
        """True if nothing went wrong."""
        return not any((self.lost, self.duplicated, self.out_of_order, self.differing, self.unlogged))

    def document(self) -> dict[str, int | float | None]:
        """Return what is written; a fault that was felt to the end has no time (null)."""
        return {name: None if value == float("inf") else value for name, value in asdict(self).items()}


def lost(inputs: Iterable[Place], decisions: Mapping[int, Sequence[Decision]]) -> int:
    """Return how many input records have no decision."""
    return len(set(inputs) - {place(decision) for part in decisions.values() for decision in part})


def duplicated(partitions: Iterable[Sequence[Decision]]) -> int:
    """Return how many decisions are for a record that has one."""
    places = [place(decision) for part in partitions for decision in part]
    return len(places) - len(set(places))


def out_of_order(partitions: Iterable[Sequence[Decision]]) -> int:
    """Return how many decisions are not their partition's next, by sequence number and by the input's offset."""
    count = 0
    for part in partitions:
        sequence, offset = -1, -1
        for decision in part:
            count += decision.sequence != sequence + 1 or decision.source_offset <= offset
            sequence, offset = decision.sequence, decision.source_offset
    return count


def differing(stormy: Mapping[str, Decision], calm: Mapping[str, Decision]) -> int:
    """Return how many rows, decided in both runs, were decided otherwise."""
    return sum(_verdict(stormy[row]) != _verdict(calm[row]) for row in stormy.keys() & calm.keys())


def unlogged(records: Mapping[tuple[int, int], tuple[int, bytes]], log: Sequence[LogEntry]) -> int:
    """Return how many records of `decisions` (time stamp and value, by partition and offset) no log entry is made of."""
    logged = {
        (entry.partition, entry.offset): (entry.timestamp_ms, entry.value)
        for entry in log
        if entry.kind == EntryKind.ENTRY_KIND_DECISION
    }
    return sum(logged.get(where) != record for where, record in records.items())


def place(decision: Decision) -> Place:
    """Return the place of a decision's input record."""
    return decision.source_partition, decision.source_offset


def _verdict(decision: Decision) -> tuple[int, int]:
    return decision.margin_bits, decision.outcome
