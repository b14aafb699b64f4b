"""How a partition goes on: only by an incident, and then exactly as that says."""

from pathlib import Path

import pytest

from tallystick.contracts import Decision, EntryKind, LogEntry
from tallystick.notary.intake import Admission, DecisionIntake
from tallystick.notary.pipeline import LOOK_AGAIN_S
from tallystick.notary.state import Position, Progress
from tallystick.trust.incidents import NO_INCIDENTS, Incidents, SignedIncident

from .incident import Told, incident, incidents
from .stand import Stand, Stored, decision, decisions, logged_sequences

INTAKE = DecisionIntake("transactions")
AT_THREE = Progress({0: 3}, {0: Position(3, 20, bytes(32), 5, 2, 2)})
"""Partition 0 after sequence 2, decided under the activation at 5; the next record is at offset 3."""


def made(sequence: int, offset: int, source_offset: int | None = None, activation_index: int | None = 5) -> Stored:
    """Return a decision's record."""
    fields = {} if source_offset is None else {"source_offset": source_offset}
    if activation_index is not None:
        fields["activation_index"] = activation_index
    return Stored(0, offset, decision(0, sequence, **fields))


def admit(records: list[Stored], known: Incidents = NO_INCIDENTS) -> Admission:
    """Return what records of partition 0 come to after sequence 2."""
    return INTAKE.admit({0: records}, AT_THREE, 3, known)


def kinds(admission: Admission) -> list[EntryKind]:
    """Return the kinds of the entries."""
    return [LogEntry.FromString(entry).kind for entry in admission.entries]


DECISION, MALFORMED = EntryKind.ENTRY_KIND_DECISION, EntryKind.ENTRY_KIND_MALFORMED
INCIDENT = EntryKind.ENTRY_KIND_INCIDENT


@pytest.mark.parametrize(
    ("bad", "passing"),
    [
        pytest.param(made(7, 3), incident(0, 3, 7, 3), id="a gap"),
        pytest.param(made(3, 3, source_offset=20), incident(0, 3, 3, 3), id="the input went back"),
        pytest.param(made(3, 3, activation_index=4), incident(0, 3, 3, 3), id="an activation that was superseded"),
        pytest.param(made(3, 3, activation_index=None), incident(0, 3, 3, 3), id="no activation"),
        pytest.param(made(9, 3, source_offset=1, activation_index=None), incident(0, 3, 9, 0), id="all at once"),
    ],
)
def test_an_incident_lets_a_partition_go_on(bad: Stored, passing: SignedIncident) -> None:
    """Without it nothing is taken; with it its entry comes first, then the decision, and the next ones as ever."""
    sequence = Decision.FromString(bad.value or b"").sequence
    after = made(sequence + 1, 4, source_offset=100)
    stopped = admit([bad, after])
    assert (stopped.entries, list(stopped.stops), stopped.offsets) == ([], [0], {})

    passed = admit([bad, after], incidents(passing))

    assert passed.stops == {}
    assert kinds(passed) == [INCIDENT, DECISION, DECISION]
    assert passed.entries[0] == passing.entry
    assert passed.rows == [(0, sequence, 4, 3), (0, sequence + 1, 5, 4)]
    assert passed.positions[0].next_sequence == sequence + 2


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(incident(1, 3, 7, 3), id="another partition"),
        pytest.param(incident(0, 2, 7, 3), id="from another sequence"),
        pytest.param(incident(0, 3, 8, 3), id="to another sequence"),
        pytest.param(incident(0, 3, 7, 3, topic="transfers"), id="another topic"),
    ],
)
def test_an_incident_that_says_something_else_changes_nothing(known: SignedIncident) -> None:
    """The partition stays where it is."""
    assert admit([made(7, 3)], incidents(known)) == admit([made(7, 3)])


def test_what_is_not_due_is_passed_over_until_the_record_that_an_incident_names() -> None:
    """Forged decisions that would stop a partition are logged as malformed, and take no number; the true one follows."""
    forged = [made(10**9, 3), made(3, 4, activation_index=None), Stored(0, 5, b"\xff")]
    admission = admit([*forged, made(3, 6), made(4, 7)], incidents(incident(0, 3, 3, 6)))

    assert admission.stops == {}
    assert kinds(admission) == [MALFORMED, MALFORMED, MALFORMED, INCIDENT, DECISION, DECISION]
    assert [row.sequence for row in admission.rows] == [3, 4]
    assert admission.offsets == {0: 8}


def test_passing_over_goes_on_in_the_next_batch() -> None:
    """What is known of an incident does not hang on where a batch ends."""
    known = incidents(incident(0, 3, 6, 5))
    first = admit([made(8, 3), made(9, 4)], known)
    assert (kinds(first), first.offsets, first.positions) == ([MALFORMED, MALFORMED], {0: 5}, {})
    second = INTAKE.admit({0: [made(6, 5)]}, AT_THREE.advanced(first.offsets, first.positions), 5, known)
    assert kinds(second) == [INCIDENT, DECISION]


def test_beyond_what_an_incident_names_the_partition_stops_again() -> None:
    """One incident passes one gap."""
    admission = admit([made(6, 3), made(8, 4)], incidents(incident(0, 3, 6, 3)))
    assert kinds(admission) == [INCIDENT, DECISION]
    assert "sequence 8 where 7 is next" in admission.stops[0]


def test_decisions_that_are_due_need_no_incident() -> None:
    """One that turned out not to be needed leaves no trace."""
    admission = admit([made(3, 3), made(4, 4)], incidents(incident(0, 3, 7, 9)))
    assert kinds(admission) == [DECISION, DECISION]


async def test_a_stopped_partition_goes_on_once_the_governance_log_says_so(tmp_path: Path) -> None:
    """The others go on meanwhile; incidents are asked for at once and then every few seconds."""
    told = Told()
    batches = ({0: [*decisions(0, range(3)), *decisions(0, range(5, 8), 3)], 1: decisions(1, range(4))},)
    stand = Stand(tmp_path, batches, incidents=told)
    pipeline = await stand.run()
    assert list(pipeline.stopped_partitions) == [0]
    assert len(told.asked) == 1

    for _ in range(3):
        stand.now_s += LOOK_AGAIN_S
        await pipeline.round()
    _, entries = await stand.verify()
    assert logged_sequences(entries) == {0: [0, 1, 2], 1: [0, 1, 2, 3]}
    assert list(pipeline.stopped_partitions) == [0]
    assert len(told.asked) == 4

    passing = incident(0, 3, 5, 3)
    told.incidents = incidents(passing)
    stand.now_s += LOOK_AGAIN_S
    await pipeline.round()
    _, entries = await stand.verify()
    assert logged_sequences(entries) == {0: [0, 1, 2, 5, 6, 7], 1: [0, 1, 2, 3]}
    assert pipeline.stopped_partitions == {}
    assert passing.entry in [entry.SerializeToString() for entry in entries]
    assert (await stand.run()).size == len(entries)


async def test_after_a_crash_the_incident_is_there_once(tmp_path: Path) -> None:
    """Incident and decision are one commit: a notary that starts over repeats neither."""
    told = Told(incidents(incident(0, 2, 4, 2)))
    stand = Stand(tmp_path, ({0: [*decisions(0, range(2)), *decisions(0, [4, 5], 2)]},), incidents=told)
    for _ in range(2):
        pipeline = await stand.run()
        stand.now_s += LOOK_AGAIN_S
        await pipeline.round()
    _, entries = await stand.verify()
    assert [entry.kind for entry in entries] == [DECISION, DECISION, INCIDENT, DECISION, DECISION]


async def test_a_topic_that_was_made_anew_is_read_from_where_the_incident_says(tmp_path: Path) -> None:
    """Its offsets begin again; what it repeats is skipped."""
    told = Told()
    stand = Stand(tmp_path, ({0: decisions(0, range(5))},), incidents=told)
    await stand.run()
    stand.batches = ({0: [*decisions(0, [3, 4]), *decisions(0, [5, 6], 2)]},)
    pipeline, topic = stand.notary()
    await pipeline.recover()
    topic.stop(0, "the topic ends before what was read")
    told.incidents = incidents(incident(0, 5, 5, 0))
    await pipeline.round()
    await pipeline.round()
    _, entries = await stand.verify()
    assert logged_sequences(entries) == {0: [0, 1, 2, 3, 4, 5, 6]}
    assert pipeline.stopped_partitions == {}
