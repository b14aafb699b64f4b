"""What stands in the decisions' log besides decisions, and that all of it comes from one topic, in its order."""

from collections.abc import Sequence

import pytest

from tallystick.contracts import Decision, EntryKind, LogEntry, Malformed
from tallystick.notary.intake import DecisionIntake
from tallystick.notary.state import Position, Progress
from tallystick.trust.decision_log import DecisionLog
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import replay
from tallystick.trust.incidents import Incidents

from ..notary.stand import Stored
from .helpers import DECISIONS, World, trust_policy
from .test_incidents import incident, statement

TRUST = trust_policy()
NO_DECISION = Malformed(digest=bytes(32), size_bytes=1, reason="no decision").SerializeToString()


def malformed(offset: int, partition: int = 2, value: bytes = NO_DECISION, topic: str = "decisions") -> bytes:
    """Return the entry that stands for a record."""
    kind = EntryKind.ENTRY_KIND_MALFORMED
    return LogEntry(kind=kind, topic=topic, partition=partition, offset=offset, value=value).SerializeToString()


def decided(sequence: int, offset: int, topic: str = "decisions") -> bytes:
    """Return the entry of a decision on partition 2."""
    decision = Decision()
    decision.CopyFrom(World().decision)
    decision.sequence, decision.source_offset = sequence, 2 * sequence
    kind, value = EntryKind.ENTRY_KIND_DECISION, decision.SerializeToString()
    return LogEntry(kind=kind, topic=topic, partition=2, offset=offset, value=value).SerializeToString()


def log(*incidents: bytes) -> DecisionLog:
    """Return a log that nothing was taken of, under a governance log with these incidents."""
    governance = World().governance_log()
    for record in incidents:
        governance.append(EntryKind.ENTRY_KIND_INCIDENT, record)
    known = replay(governance.entries, TRUST)
    return DecisionLog(DECISIONS, TRUST, {one.index: one for one in known.activations}, known.incidents)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        pytest.param([malformed(0, value=b"\xff")], "not a well-formed Malformed", id="no stand-in"),
        pytest.param([malformed(0, value=b"")], "its digest has 0 bytes", id="no digest"),
        pytest.param([malformed(0, partition=4)], "partition 4, which does not belong to this log", id="no partition"),
        pytest.param([malformed(3), malformed(3)], "offset 3 comes after the one at 3 in partition 2", id="twice"),
        pytest.param([malformed(3), malformed(2)], "offset 2 comes after the one at 3", id="back"),
        pytest.param([decided(0, 5), malformed(4)], "offset 4 comes after the one at 5", id="back after a decision"),
        pytest.param([malformed(5), decided(0, 4)], "offset 4 comes after the one at 5", id="a decision before it"),
        pytest.param([decided(0, 0), malformed(1, topic="other")], "from the topic 'other'", id="another topic"),
        pytest.param([decided(0, 0), decided(1, 1, "other")], "from the topic 'other'", id="a decision of another topic"),
    ],
)
def test_what_cannot_stand_there_is_named(entries: Sequence[bytes], reason: str) -> None:
    """The last of the entries, before and after its log's state was saved."""
    for saved in (False, True):
        read = log()
        for entry in entries[:-1]:
            read.take(entry)
        if saved:
            read = DecisionLog.from_json(read.to_json(), DECISIONS, TRUST, read.activations)
        with pytest.raises(TrustError, match=reason):
            read.take(entries[-1])


def test_each_partition_has_its_own_offsets() -> None:
    """Stand-ins in the order of their records are sound."""
    read = log()
    for entry in (malformed(0), decided(0, 1), malformed(0, partition=1), malformed(2), decided(1, 7)):
        read.take(entry)
    assert read.counts == {"MALFORMED": 3, "DECLINE": 2}


def test_records_are_read_again_by_an_incident_only() -> None:
    """A topic that was made anew: what is no decision there comes before the incident's entry, at an offset that was passed."""
    passing = incident(statement(from_sequence=1, to_sequence=1, record_offset=0))
    for read, refused in ((log(passing), None), (log(), "offset 0 comes after the one at 9")):
        read.take(decided(0, 9))
        following = Decision.FromString(LogEntry.FromString(decided(1, 1)).value)
        records = [Stored(2, 0, b"\xff"), Stored(2, 1, following.SerializeToString())]
        progress = Progress({2: 0}, {2: Position(1, 0, bytes(32), 2, 9, 0)})
        known = Incidents.of(read.incidents, "transactions")
        entries = DecisionIntake("transactions").admit({2: records}, progress, 1, known).entries
        if refused is None:
            for entry in entries:
                read.take(entry)
            assert read.counts == {"DECLINE": 2, "MALFORMED": 1, "INCIDENT": 1}
        else:
            with pytest.raises(TrustError, match=refused):
                read.take(entries[0])
