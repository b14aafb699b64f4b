"""What chaos counts: each kind of damage, made by hand, is seen and only it."""

from itertools import islice

import pytest

from tallystick.contracts import Decision, EntryKind, LogEntry, Outcome

from ...chaos.faults import HABITS, faults
from ...chaos.figures import differing, duplicated, lost, out_of_order, unlogged
from ...chaos.timeline import Sample, percentile, recoveries_s

SOUND = [
    Decision(source_partition=0, source_offset=offset, sequence=offset, margin_bits=7, outcome=Outcome.OUTCOME_APPROVE)
    for offset in range(4)
]
INPUTS = {(0, offset) for offset in range(4)}
RECORDS = {(0, offset): (5, decision.SerializeToString()) for offset, decision in enumerate(SOUND)}


def entry(offset: int, timestamp_ms: int = 5) -> LogEntry:
    """Return the entry of a sound decision."""
    value = SOUND[offset].SerializeToString()
    kind = EntryKind.ENTRY_KIND_DECISION
    return LogEntry(kind=kind, topic="decisions", partition=0, offset=offset, timestamp_ms=timestamp_ms, value=value)


@pytest.mark.parametrize(
    ("places", "counts"),
    [
        ([0, 1, 2, 3], (0, 0, 0)),
        ([0, 1, 3], (1, 0, 1)),
        ([0, 1, 1, 2, 3], (0, 1, 1)),
        ([0, 2, 1, 3], (0, 0, 3)),
        ([1, 2, 3], (1, 0, 1)),
    ],
)
def test_lost_duplicated_and_out_of_order(places: list[int], counts: tuple[int, int, int]) -> None:
    """Left out, doubled, swapped, begun in the middle: each shows where it should."""
    topic = {0: [SOUND[number] for number in places]}
    assert (lost(INPUTS, topic), duplicated(topic.values()), out_of_order(topic.values())) == counts


def test_another_margin_or_outcome_differs() -> None:
    """One bit of a margin is enough, and so is the outcome; rows that only one run has are lost, not different."""
    calm = {str(number): decision for number, decision in enumerate(SOUND)}
    bit, outcome = Decision(), Decision()
    bit.CopyFrom(SOUND[1])
    bit.margin_bits ^= 1
    outcome.CopyFrom(SOUND[2])
    outcome.outcome = Outcome.OUTCOME_DECLINE
    assert differing(calm, calm) == 0
    assert differing({"0": SOUND[0], "1": bit, "2": outcome}, calm) == 2


def test_unlogged_is_what_the_log_has_not_or_has_otherwise() -> None:
    """A record without an entry, or whose entry has another time stamp, is not logged as it is."""
    assert unlogged(RECORDS, [entry(0), entry(1), entry(2), entry(3)]) == 0
    assert unlogged(RECORDS, [entry(0), entry(1), entry(2)]) == 1
    assert unlogged(RECORDS, [entry(0), entry(1), entry(2), entry(3, timestamp_ms=6)]) == 1


def test_recovery_ends_when_all_that_had_arrived_is_logged() -> None:
    """Not when as many are logged: row 0 comes last into the log, so the fault is felt until then; without it, for ever."""
    samples = [Sample(0.0, 0, 0), Sample(1.0, 3, 0), Sample(2.0, 3, 2), Sample(4.0, 4, 3), Sample(5.0, 4, 4)]
    assert recoveries_s([0.5, 1.5, 4.5], samples, [2, 0, 1, 3]) == [0.5, 2.5, 0.5]
    assert recoveries_s([1.5], samples, [9, 0, 1, 2]) == [float("inf")]


def test_percentile_is_one_of_the_values() -> None:
    """Of ten, the 99th percentile is the largest; of a hundred, the last but one; of none, nothing."""
    assert percentile(range(10), 0.99) == 9
    assert percentile(range(100), 0.99) == 98
    assert percentile([], 0.99) == 0.0


def test_a_seed_determines_the_faults() -> None:
    """The same seed, the same faults; another one, others; of every four, two kills and a pause of each kind."""
    for name, habit in HABITS.items():
        some = list(islice(faults(1, name), 8))
        assert some == list(islice(faults(1, name), 8)) != list(islice(faults(2, name), 8))
        for four in (some[:4], some[4:]):
            pauses = sorted(fault.seconds for fault in four if fault.kind == "pause")
            assert len(pauses) == 2
            assert pauses[0] <= habit.short_s[1] < habit.long_s[0] <= pauses[1]
