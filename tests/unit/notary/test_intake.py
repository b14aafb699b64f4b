"""Which records become entries, and as what."""

import hashlib
from dataclasses import dataclass

import pytest

from tallystick.contracts import Activation, Commitment, Decision, EntryKind, LogEntry, Malformed, ModelVersion, Report
from tallystick.notary.intake import GOVERNANCE_KINDS, DecisionIntake, WholeTopicIntake
from tallystick.notary.state import Position, Progress

from .stand import Stored, decision, decisions

START = Progress({}, {})
INTAKE = DecisionIntake("transactions")


def entries_of(admitted: list[bytes]) -> list[LogEntry]:
    """Parse entries."""
    return [LogEntry.FromString(entry) for entry in admitted]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(None, "no value", id="null"),
        pytest.param(b"\xff\xff", "not a protobuf Decision", id="garbage"),
        pytest.param(decision(0, 0)[:-3], "not a protobuf Decision", id="truncated"),
        pytest.param(b"", "not on this log's input topic", id="empty"),
        pytest.param(decision(0, 0, source_topic="other"), "not on this log's input topic", id="another topic"),
        pytest.param(decision(1, 0), "another partition than its transaction", id="another partition"),
        pytest.param(decision(0, 0, outcome=0), "outcome is not known", id="no outcome"),
        pytest.param(decision(0, 0, outcome=5), "outcome is not known", id="unknown outcome"),
        pytest.param(decision(0, 0) + b"\xfa\x7f\x01x", "a field that this version does not know", id="unknown field"),
        pytest.param(
            decision(0, 0, commitments=[Commitment.FromString(b"\xfa\x7f\x01x")]),
            "a field that this version does not know",
            id="unknown field within",
        ),
        pytest.param(decision(0, 0, chain=b"short"), "chain is not 32 bytes", id="short chain"),
        pytest.param(decision(0, 0, reasons=[1] * 70_000), "at most 65535 bytes", id="too large"),
        pytest.param(decision(0, 2**63, source_offset=0), "2^63 or more", id="sequence beyond the database's"),
        pytest.param(decision(0, 2**64 - 1, source_offset=0), "2^63 or more", id="sequence beyond everything"),
        pytest.param(decision(0, 0, source_offset=2**63), "2^63 or more", id="source offset beyond Kafka's"),
        pytest.param(decision(0, 0, activation_index=2**63), "2^63 or more", id="activation index beyond the database's"),
    ],
)
def test_what_is_no_decision_is_logged_as_malformed(value: bytes | None, reason: str) -> None:
    """Source, size and digest are logged, never the content; the record takes no sequence number."""
    admission = INTAKE.admit({0: [Stored(0, 7, value), Stored(0, 8, decision(0, 0))]}, START, 100)

    first, second = entries_of(admission.entries)
    malformed = Malformed.FromString(first.value)
    assert (first.kind, first.topic, first.partition, first.offset) == (EntryKind.ENTRY_KIND_MALFORMED, "decisions", 0, 7)
    assert malformed.digest == hashlib.sha256(value or b"").digest()
    assert malformed.size_bytes == len(value or b"")
    assert reason in malformed.reason
    assert (second.kind, second.value) == (EntryKind.ENTRY_KIND_DECISION, decision(0, 0))
    assert admission.rows == [(0, 0, 101, 8)]
    assert admission.offsets == {0: 9}


@pytest.mark.parametrize("spare", [0, 1])
def test_the_largest_entry_is_65535_bytes(spare: int) -> None:
    """One byte decides between an entry and a `Malformed` one."""
    overhead = len(entries_of_size(60_000)) - 60_000
    record = governance("report/r", padded_report(65_535 - overhead + spare))

    entry = WholeTopicIntake(GOVERNANCE_KINDS).admit({0: [record]}, START, 0).entries[0]

    kind = EntryKind.ENTRY_KIND_MALFORMED if spare else EntryKind.ENTRY_KIND_REPORT
    assert LogEntry.FromString(entry).kind == kind
    assert spare or len(entry) == 65_535


def entries_of_size(size: int) -> bytes:
    """Return the entry of a report of `size` bytes."""
    return WholeTopicIntake(GOVERNANCE_KINDS).admit({0: [governance("report/r", padded_report(size))]}, START, 0).entries[0]


def padded_report(size: int) -> bytes:
    """Return a report of exactly `size` bytes."""
    value = Report(summary="x" * (size - 4)).SerializeToString()
    assert len(value) == size
    return value


def test_repeats_are_skipped_and_counted() -> None:
    """Decisions that a restarted scoring sends again are read past; the first is the one that is kept."""
    other = Stored(0, 2, decision(0, 1, outcome=3))

    admission = INTAKE.admit({0: [*decisions(0, [0, 1]), other, *decisions(0, [2], 3)]}, START, 0)

    assert [Decision.FromString(entry.value).outcome for entry in entries_of(admission.entries)] == [1, 1, 1]
    assert admission.repeats == 1
    assert admission.rows == [(0, 0, 0, 0), (0, 1, 1, 1), (0, 2, 2, 3)]
    assert admission.offsets == {0: 4}


def test_nothing_but_repeats_moves_only_the_offset() -> None:
    """A batch of repeats adds no entry and no position."""
    progress = Progress({0: 5}, {0: Position(5, 40, bytes(32), None, 4, 4)})

    admission = INTAKE.admit({0: decisions(0, [3, 4], 5)}, progress, 5)

    assert (admission.entries, admission.positions, admission.offsets, admission.repeats) == ([], {}, {0: 7}, 2)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(decision(0, 3), "sequence 3 where 2 is next: decisions are missing", id="gap"),
        pytest.param(decision(0, 2, source_offset=10), "source offset 10 after 10", id="source offset repeated"),
        pytest.param(decision(0, 2, source_offset=9), "source offset 9 after 10", id="source offset back"),
    ],
)
def test_a_gap_stops_its_partition_only(bad: bytes, reason: str) -> None:
    """Nothing of the partition is taken from the gap on, and its offset stays before it; other partitions go on."""
    batch = {0: [*decisions(0, [0, 1]), Stored(0, 2, bad), *decisions(0, [2], 3)], 1: decisions(1, [0])}

    admission = INTAKE.admit(batch, START, 0)

    assert admission.offsets == {0: 2, 1: 1}
    assert [row[:2] for row in admission.rows] == [(0, 0), (0, 1), (1, 0)]
    assert list(admission.stops) == [0]
    assert reason in admission.stops[0]
    assert "offset 2" in admission.stops[0]


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        pytest.param(7, 6, "decided under the activation at 6 after the one at 7", id="an earlier one"),
        pytest.param(7, None, "decided under no activation after the one at 7", id="none"),
        pytest.param(0, None, "decided under no activation after the one at 0", id="none after the first entry"),
    ],
)
@pytest.mark.parametrize("batches", [1, 2])
def test_the_activation_never_goes_back(before: int, now: int | None, reason: str, batches: int) -> None:
    """A decision under a superseded model stops its partition, in the same batch or a later one; others go on."""
    first = Stored(0, 0, decision(0, 0, activation_index=before))
    second = Stored(0, 1, decision(0, 1) if now is None else decision(0, 1, activation_index=now))
    other = Stored(1, 0, decision(1, 0))

    if batches == 1:
        admission = INTAKE.admit({0: [first, second], 1: [other]}, START, 0)
        assert admission.offsets == {0: 1, 1: 1}
    else:
        progress = START.advanced({0: 1}, INTAKE.admit({0: [first]}, START, 0).positions)
        admission = INTAKE.admit({0: [second], 1: [other]}, progress, 1)
        assert admission.offsets == {1: 1}

    assert reason in admission.stops[0]
    assert "offset 1" in admission.stops[0]
    assert [row[:2] for row in admission.rows] == ([(0, 0), (1, 0)] if batches == 1 else [(1, 0)])
    assert 1 not in admission.stops


def test_the_activation_stays_or_grows() -> None:
    """None before the first; then the same, or a later one, each the last that the position names."""
    indexes = [None, None, 0, 0, 3, 3, 2**63 - 1]
    values = [decision(0, at) if index is None else decision(0, at, activation_index=index) for at, index in enumerate(indexes)]

    admission = INTAKE.admit({0: [Stored(0, at, value) for at, value in enumerate(values)]}, START, 0)

    assert (len(admission.entries), admission.stops) == (7, {})
    assert admission.positions[0].activation_index == 2**63 - 1


def test_a_partition_starts_at_sequence_0() -> None:
    """The first decision ever must be the first decision: a log begins where its input begins."""
    assert "sequence 1 where 0 is next" in INTAKE.admit({0: decisions(0, [1])}, START, 0).stops[0]


def test_the_position_is_that_of_the_last_decision() -> None:
    """What scoring resumes from is taken from the last decision, not from what follows it."""
    last = Stored(0, 9, decision(0, 1, activation_index=0))
    batch = {0: [*decisions(0, [0]), last, Stored(0, 10, None)]}

    position = INTAKE.admit(batch, START, 50).positions[0]

    chain = Decision.FromString(decision(0, 1)).chain
    assert position == Position(2, 10, chain, activation_index=0, record_offset=9, log_index=51)
    assert INTAKE.admit({0: decisions(0, [0])}, START, 0).positions[0].activation_index is None


@dataclass(frozen=True, slots=True)
class Case:
    """A governance record and what it becomes."""

    key: bytes | None
    value: bytes | None
    kind: EntryKind


MODEL = ModelVersion(statement=b"s").SerializeToString()


def governance(key: str | bytes | None, value: bytes | None) -> Stored:
    """Return a record of topic `governance`."""
    return Stored(0, 0, value, key.encode() if isinstance(key, str) else key, "governance")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(b"model_version/m", MODEL, EntryKind.ENTRY_KIND_MODEL_VERSION), id="model"),
        pytest.param(Case(b"policy_version/", MODEL, EntryKind.ENTRY_KIND_POLICY_VERSION), id="policy"),
        pytest.param(Case(b"activation/a/b", MODEL, EntryKind.ENTRY_KIND_ACTIVATION), id="activation"),
        pytest.param(Case(b"report/r", b"", EntryKind.ENTRY_KIND_REPORT), id="report"),
        pytest.param(Case(b"erasure/e", b"", EntryKind.ENTRY_KIND_ERASURE), id="erasure"),
        pytest.param(Case(b"incident/i", MODEL, EntryKind.ENTRY_KIND_INCIDENT), id="incident"),
        pytest.param(Case(b"access_digest/0", b"", EntryKind.ENTRY_KIND_ACCESS_DIGEST), id="access digest"),
        pytest.param(Case(b"topology/t", b"", EntryKind.ENTRY_KIND_TOPOLOGY), id="topology"),
        pytest.param(Case(None, MODEL, EntryKind.ENTRY_KIND_MALFORMED), id="no key"),
        pytest.param(Case(b"", MODEL, EntryKind.ENTRY_KIND_MALFORMED), id="empty key"),
        pytest.param(Case(b"model_version", MODEL, EntryKind.ENTRY_KIND_MALFORMED), id="no id"),
        pytest.param(Case(b"Model_version/m", MODEL, EntryKind.ENTRY_KIND_MALFORMED), id="wrong case"),
        pytest.param(Case(b"decision/m", MODEL, EntryKind.ENTRY_KIND_MALFORMED), id="kind of another log"),
        pytest.param(Case(b"\xff/m", MODEL, EntryKind.ENTRY_KIND_MALFORMED), id="key is not text"),
        pytest.param(Case(b"activation/1", None, EntryKind.ENTRY_KIND_MALFORMED), id="null"),
        pytest.param(Case(b"activation/1", b"\xff", EntryKind.ENTRY_KIND_MALFORMED), id="garbage"),
    ],
)
def test_the_key_says_what_a_governance_record_is(case: Case) -> None:
    """The value must parse as the kind in the key, and is logged as it is."""
    admission = WholeTopicIntake(GOVERNANCE_KINDS).admit({0: [governance(case.key, case.value)]}, START, 0)

    (entry,) = entries_of(admission.entries)
    assert entry.kind == case.kind
    assert case.kind == EntryKind.ENTRY_KIND_MALFORMED or entry.value == case.value
    assert admission.offsets == {0: 1}
    assert admission.rows == []


def test_governance_repeats_are_logged() -> None:
    """Governance has no sequence numbers: what is sent twice is in the log twice, and readers make nothing of it."""
    value = Activation(statement=b"s").SerializeToString()
    records = [Stored(0, at, value, b"activation/1", "governance") for at in (0, 1)]

    assert len(WholeTopicIntake(GOVERNANCE_KINDS).admit({0: records}, START, 0).entries) == 2
