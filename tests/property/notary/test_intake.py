"""Nothing that arrives stops a log for good: a record becomes an entry, or is a repeat, or an incident lets the log go on."""

import hashlib
import itertools
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tallystick.contracts import Decision, EntryKind, Incident, IncidentStatement, LogEntry, Malformed
from tallystick.merkle.tiles import MAX_ENTRY_SIZE
from tallystick.notary.intake import GOVERNANCE_KINDS, DecisionIntake, WholeTopicIntake
from tallystick.notary.state import Progress
from tallystick.trust.incidents import Incidents, SignedIncident


@dataclass(frozen=True, slots=True)
class Arrived:
    """A Kafka record of any content."""

    partition: int
    offset: int
    value: bytes | None
    key: bytes | None
    topic: str
    timestamp: int


INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)
NEAR = st.one_of(st.integers(0, 4), UINT64)
WRITTEN = st.builds(
    lambda **fields: Decision(**fields).SerializeToString(),
    source_topic=st.sampled_from(["transactions", "other", ""]),
    source_partition=st.one_of(st.just(0), st.integers(0, 2**32 - 1)),
    source_offset=NEAR,
    sequence=NEAR,
    chain=st.one_of(st.just(bytes(32)), st.binary(max_size=40)),
    activation_index=st.one_of(st.none(), NEAR),
    outcome=st.sampled_from([1, 1, 1, 2, 4, 0]),
    reasons=st.sampled_from([[], [1] * 70_000]),
)
VALUES = st.one_of(
    st.none(), st.binary(max_size=200), WRITTEN, WRITTEN.map(lambda data: data[:-1]), st.integers(0, 70_000).map(bytes)
)
KEYS = st.one_of(
    st.none(), st.binary(max_size=20), st.sampled_from([b"activation/1", b"incident/1", b"model_version/1", b"topology/"])
)


def arrived(topic: str) -> st.SearchStrategy[list[Arrived]]:
    """Return records of a topic's partition 0, in order, with holes between their offsets."""
    made = st.tuples(VALUES, KEYS, INT64, st.integers(1, 3))

    def placed(drawn: list[tuple[bytes | None, bytes | None, int, int]]) -> list[Arrived]:
        offset, records = -1, []
        for value, key, timestamp, step in drawn:
            offset += step
            records.append(Arrived(0, offset, value, key, topic, timestamp))
        return records

    return st.lists(made, max_size=12).map(placed)


@given(arrived("decisions"))
def test_every_record_of_decisions_is_logged_or_has_a_way_on(records: list[Arrived]) -> None:
    """Each is an entry as it is, a stand-in with size and digest, or a repeat; an incident passes the stop at a record."""
    intake, progress, known, size = DecisionIntake("transactions"), Progress({}, {}), Incidents({}), 0
    logged: list[bytes] = []
    repeats = 0
    for _ in range(2 * len(records) + 1):
        left = [record for record in records if record.offset >= progress.offsets.get(0, 0)]
        if not left:
            break
        admission = intake.admit({0: left}, progress, size, known)
        logged += admission.entries
        repeats += admission.repeats
        size += len(admission.entries)
        progress = progress.advanced(admission.offsets, admission.positions)
        if admission.stops:
            position = progress.positions.get(0)
            expected = position.next_sequence if position else 0
            at = progress.offsets.get(0, 0)
            stopped = next(record for record in records if record.offset >= at)
            sequence = Decision.FromString(stopped.value or b"").sequence
            before = [incident for some in known.known.values() for incident in some]
            known = Incidents.of([*before, _incident(expected, sequence, at)], "transactions")
    else:
        raise AssertionError("the log stands still")
    entries = [LogEntry.FromString(entry) for entry in logged]
    assert all(len(entry) <= MAX_ENTRY_SIZE for entry in logged)
    own = [entry for entry in entries if entry.kind != EntryKind.ENTRY_KIND_INCIDENT]
    assert len(own) + repeats == len(records)
    values = {record.offset: record for record in records}
    for entry in own:
        _check_is(entry, values[entry.offset])
    sequences = [Decision.FromString(entry.value).sequence for entry in own if entry.kind == EntryKind.ENTRY_KIND_DECISION]
    assert sequences == sorted(set(sequences))


@given(arrived("governance"))
def test_every_record_of_governance_is_logged(records: list[Arrived]) -> None:
    """Each is an entry as it is, or a stand-in; a hole in the offsets is one too. Nothing stops."""
    admission = WholeTopicIntake(GOVERNANCE_KINDS).admit({0: records}, Progress({}, {}), 0)
    assert not admission.stops
    assert admission.offsets == ({0: records[-1].offset + 1} if records else {})
    entries = {entry.offset: entry for entry in map(LogEntry.FromString, admission.entries)}
    for record in records:
        _check_is(entries[record.offset], record)
    offsets = [-1, *(record.offset for record in records)]
    jumps = [before + 1 for before, after in itertools.pairwise(offsets) if after > before + 1]
    assert set(entries) == {*offsets[1:], *jumps}
    holes = [entry for offset, entry in entries.items() if offset not in {record.offset for record in records}]
    assert all(entry.kind == EntryKind.ENTRY_KIND_MALFORMED for entry in holes)
    assert all("no records" in Malformed.FromString(entry.value).reason for entry in holes)


def _check_is(entry: LogEntry, record: Arrived) -> None:
    assert (entry.topic, entry.partition, entry.timestamp_ms) == (record.topic, 0, record.timestamp)
    if entry.kind == EntryKind.ENTRY_KIND_MALFORMED:
        stand_in = Malformed.FromString(entry.value)
        value = record.value or b""
        assert (stand_in.digest, stand_in.size_bytes) == (hashlib.sha256(value).digest(), len(value))
    else:
        assert entry.value == record.value


def _incident(expected: int, sequence: int, offset: int) -> SignedIncident:
    statement = IncidentStatement(
        topic="transactions", from_sequence=expected, to_sequence=sequence, record_offset=offset, explanation="x"
    )
    value = Incident(statement=statement.SerializeToString()).SerializeToString()
    return SignedIncident(0, LogEntry(kind=EntryKind.ENTRY_KIND_INCIDENT, value=value).SerializeToString(), statement, ())
