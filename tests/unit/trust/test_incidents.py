"""Incidents and topologies: what counts in the governance log, and what follows in a decisions log."""

from collections.abc import Sequence
from typing import Any

import pytest

from tallystick.contracts import Decision, EntryKind, Incident, IncidentStatement, Topology
from tallystick.trust.decision_log import DecisionLog
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import Governance, replay
from tallystick.trust.incidents import MAX_NUMBER, Incidents

from .helpers import DECISIONS, GOVERNANCE, Log, World, sign, trust_policy

TRUST = trust_policy()


def statement(**changes: Any) -> IncidentStatement:
    """Return what is said of partition 2: 3 to 6 are missing, and it goes on with 7 from offset 40 on."""
    fields: dict[str, Any] = {
        "topic": "transactions",
        "partition": 2,
        "from_sequence": 3,
        "to_sequence": 7,
        "record_offset": 40,
        "log": DECISIONS,
        "explanation": "a broker lost them",
    }
    return IncidentStatement(**(fields | changes))


def incident(said: IncidentStatement, *signers: str) -> bytes:
    """Return the record; signed by ada and bob unless told otherwise."""
    data = said.SerializeToString(deterministic=True)
    signatures = sign("IncidentStatement", data, *(signers or ("ada", "bob")))
    return Incident(statement=data, signatures=signatures).SerializeToString()


def governed(*values: bytes, kind: EntryKind = EntryKind.ENTRY_KIND_INCIDENT) -> tuple[Log, Governance]:
    """Return a governance log of these records, and what it amounts to."""
    log = Log(GOVERNANCE)
    for value in values:
        log.append(kind, value)
    return log, replay(log.entries, TRUST)


def test_two_approvers_make_an_incident() -> None:
    """It is there with its place, its entry's bytes and who signed it, and says where its partition goes on."""
    log, governance = governed(incident(statement()))
    (found,) = governance.incidents
    assert (found.index, found.entry, found.statement, found.approvers) == (0, log.entries[0], statement(), ("ada", "bob"))
    known = Incidents.of(governance.incidents, "transactions")
    assert known.resuming(2, 3, 7, 40) is known.resuming(2, 3, 7, 99) is found
    assert known.passing_over(2, 3, 39) is found
    assert known.first_offset(2, 3) == 40
    for place in ((1, 3, 7, 40), (2, 2, 7, 40), (2, 3, 8, 40), (2, 3, 7, 39)):
        assert known.resuming(*place) is None
    assert known.passing_over(2, 3, 40) is known.passing_over(2, 4, 39) is None
    assert known.first_offset(2, 4) is None
    assert Incidents.of(governance.incidents, "transfers").resuming(2, 3, 7, 40) is None


@pytest.mark.parametrize(
    ("said", "signers", "reason"),
    [
        pytest.param(statement(), ("ada",), "1 of the 2 approver signatures", id="one signature"),
        pytest.param(statement(), ("ada", "ada"), "signed it twice", id="one person twice"),
        pytest.param(statement(), ("ada", "pat"), "'pat' is not an approver", id="a publisher"),
        pytest.param(statement(), ("ada", "eve"), "'eve' is neither in the trust policy nor enrolled", id="a stranger"),
        pytest.param(statement(log=GOVERNANCE), (), "its partition belongs to", id="another log's"),
        pytest.param(statement(topic="transfers"), (), "not in the trust policy", id="an unknown topic"),
        pytest.param(statement(partition=4), (), "not one of the 4", id="an unknown partition"),
        pytest.param(statement(to_sequence=2), (), "goes on with sequence 2, before 3", id="backwards"),
        pytest.param(statement(to_sequence=MAX_NUMBER + 1), (), "larger than any", id="a sequence beyond all"),
        pytest.param(statement(record_offset=2**64 - 1), (), "larger than any", id="an offset beyond all"),
        pytest.param(statement(explanation=" \n"), (), "must say what happened", id="no explanation"),
        pytest.param(statement(explanation="x" * 4_001), (), "must say what happened", id="a novel"),
    ],
)
def test_what_is_no_incident_has_no_effect(said: IncidentStatement, signers: Sequence[str], reason: str) -> None:
    """One mutation of a sound incident, and the sentence that it gets."""
    _, governance = governed(incident(said, *signers))
    assert governance.incidents == ()
    ((_, told),) = governance.rejected
    assert reason in told


def test_a_signature_on_another_statement_does_not_count() -> None:
    """What two people signed cannot be turned into something else."""
    record = Incident.FromString(incident(statement()))
    record.statement = statement(to_sequence=8).SerializeToString(deterministic=True)
    _, governance = governed(record.SerializeToString())
    assert governance.incidents == ()


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"partitions": 8}, False),
        ({"partitioner": "random"}, False),
        ({"topic": "transfers"}, False),
        ({"origins": [DECISIONS] * 3}, False),
        ({"origins": [*[DECISIONS] * 3, "elsewhere"]}, False),
    ],
)
def test_a_topology_is_the_trust_policys_or_reported(changes: dict[str, Any], accepted: bool) -> None:
    """No partition changes its log, and no topic its partitions, by what somebody logs."""
    fields: dict[str, Any] = {"topic": "transactions", "partitions": 4, "partitioner": "murmur2", "origins": [DECISIONS] * 4}
    value = Topology(**(fields | changes)).SerializeToString()
    _, governance = governed(value, kind=EntryKind.ENTRY_KIND_TOPOLOGY)
    assert (governance.rejected == []) is accepted


class DecisionsLog:
    """A decisions log that is read as it grows, under a governance log of one incident after model, policy and activation."""

    def __init__(self, *incidents: bytes) -> None:
        self.world = World()
        governance = self.world.governance_log()
        self.indexes = [governance.append(EntryKind.ENTRY_KIND_INCIDENT, value) for value in incidents]
        self.entries = governance.entries
        amounts = replay(governance.entries, TRUST)
        activations = {activation.index: activation for activation in amounts.activations}
        self.log = DecisionLog(DECISIONS, TRUST, activations, amounts.incidents)

    def decide(self, sequence: int, offset: int, source_offset: int | None = None) -> None:
        """Take a decision on partition 2."""
        decision = Decision()
        decision.CopyFrom(self.world.decision)
        decision.sequence = sequence
        decision.source_offset = 2 * sequence if source_offset is None else source_offset
        log = Log(DECISIONS, [b""] * offset)
        log.append(EntryKind.ENTRY_KIND_DECISION, decision.SerializeToString(), topic="decisions", partition=2)
        self.log.take(log.entries[offset])


def test_the_whole_log_goes_on_by_its_incident() -> None:
    """The incident stands at the gap, byte for byte as the governance log has it; the state survives being saved."""
    read = DecisionsLog(incident(statement(from_sequence=2)))
    for sequence in (0, 1):
        read.decide(sequence, sequence)
    read.log.take(read.entries[read.indexes[0]])
    saved = read.log.to_json()
    read.log = DecisionLog.from_json(saved, DECISIONS, TRUST, read.log.activations, read.log.incidents)
    read.decide(7, 40, source_offset=9)
    read.decide(8, 41)
    assert read.log.counts["INCIDENT"] == 1
    assert [taken.index for taken in read.log.passed()] == read.indexes


@pytest.mark.parametrize(
    ("sequence", "offset", "reason"),
    [
        pytest.param(6, 40, "goes on with 7 from offset 40", id="another sequence"),
        pytest.param(7, 39, "goes on with 7 from offset 40", id="before its record"),
    ],
)
def test_an_incident_passes_what_it_says_and_no_more(sequence: int, offset: int, reason: str) -> None:
    """The decision after it is the one that it names."""
    read = DecisionsLog(incident(statement(from_sequence=0)))
    read.log.take(read.entries[read.indexes[0]])
    with pytest.raises(TrustError, match=reason):
        read.decide(sequence, offset)


def test_a_gap_without_an_incident_is_found() -> None:
    """Nor does one help that stands elsewhere, or that the governance log does not have."""
    with pytest.raises(TrustError, match="sequence 7 where 0 is next"):
        DecisionsLog(incident(statement(from_sequence=0))).decide(7, 40)
    read = DecisionsLog(incident(statement(from_sequence=1)))
    with pytest.raises(TrustError, match="of sequence 1 in partition 2, where 0 is next"):
        read.log.take(read.entries[read.indexes[0]])
    other, _ = governed(incident(statement(from_sequence=0)))
    with pytest.raises(TrustError, match="that the governance log does not have"):
        read.log.take(other.entries[0])


def test_a_decision_in_another_partitions_log_is_found() -> None:
    """A whole log holds its own partitions' decisions only."""
    read = DecisionsLog()
    read.log.origin = "elsewhere"
    with pytest.raises(TrustError, match=f"belongs to the log {DECISIONS}, and it is proven in elsewhere"):
        read.decide(0, 0)
