"""How a partition of a decisions log goes on after something went wrong with its decisions: only by what two approvers signed.

A decision is due if it has the next sequence, a source offset after the last one's and no earlier activation. Whoever meets
another one stops at it. An `Incident` says what is missing and with which sequence the log goes on, from which record on; the
notary, scoring and whoever checks the whole log apply it alike, by `Incidents`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from tallystick.contracts import Incident, IncidentStatement
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import APPROVALS, RecordError
from tallystick.trust.statements import APPROVER, Signer, verify_signatures

MAX_NUMBER = 2**62
"""More than any sequence or offset will reach, and a step below what databases hold."""
MAX_EXPLANATION = 4_000


@dataclass(frozen=True, slots=True)
class SignedIncident:
    """An incident that counts: its place in the governance log, that entry's exact bytes, what it says and who signed it."""

    index: int
    entry: bytes
    statement: IncidentStatement
    approvers: tuple[str, ...]


def open_incident(index: int, entry: bytes, value: bytes, signers: Iterable[Signer], policy: TrustPolicy) -> SignedIncident:
    """Return the `Incident` in `value`, signed by two approvers; `entry` is the log entry that holds it.

    Raises:
        TrustError: It is not well formed, not well signed, or about a partition that the trust policy does not know.
    """
    record = parse_message(Incident, value, "the record")
    approvers = verify_signatures("IncidentStatement", record.statement, record.signatures, signers, APPROVER, APPROVALS)
    statement = parse_message(IncidentStatement, record.statement, "the statement")
    check_incident(statement, policy)
    return SignedIncident(index, entry, statement, approvers)


def check_incident(statement: IncidentStatement, policy: TrustPolicy) -> None:
    """Check what an incident says; its signatures are not looked at.

    Raises:
        TrustError: It says what cannot be, or nothing of what happened.
    """
    origin = policy.decisions_origin(statement.topic, statement.partition)
    if statement.log != origin:
        raise RecordError(f"the incident is for the log {statement.log!r}, and its partition belongs to {origin!r}")
    if statement.to_sequence < statement.from_sequence:
        raise RecordError(f"the incident goes on with sequence {statement.to_sequence}, before {statement.from_sequence}")
    if max(statement.to_sequence, statement.record_offset) > MAX_NUMBER:
        raise RecordError("a number in the incident is larger than any partition's")
    if not statement.explanation.strip() or len(statement.explanation) > MAX_EXPLANATION:
        raise RecordError(f"the incident must say what happened, in 1 to {MAX_EXPLANATION:,} characters")


@dataclass(frozen=True, slots=True)
class Incidents:
    """The incidents of one input topic, by partition and by the sequence that was next."""

    known: Mapping[tuple[int, int], tuple[SignedIncident, ...]]

    @classmethod
    def of(cls, incidents: Iterable[SignedIncident], topic: str) -> Self:
        """Return those about a topic."""
        known: dict[tuple[int, int], tuple[SignedIncident, ...]] = {}
        for incident in incidents:
            if incident.statement.topic == topic:
                place = incident.statement.partition, incident.statement.from_sequence
                known[place] = (*known.get(place, ()), incident)
        return cls(known)

    def resuming(self, partition: int, expected: int, sequence: int, record_offset: int) -> SignedIncident | None:
        """Return the incident by which the decision of `sequence` at this offset is taken where `expected` is next."""
        for incident in self.known.get((partition, expected), ()):
            if incident.statement.to_sequence == sequence and record_offset >= incident.statement.record_offset:
                return incident
        return None

    def passing_over(self, partition: int, expected: int, record_offset: int) -> SignedIncident | None:
        """Return the incident by which a decision at this offset that is not due is passed over where `expected` is next."""
        for incident in self.known.get((partition, expected), ()):
            if record_offset < incident.statement.record_offset:
                return incident
        return None

    def input_is_lost(self, partition: int, expected: int) -> bool:
        """Tell whether an incident lets the partition go on with the next sequence itself, whatever became of the input."""
        return any(incident.statement.to_sequence == expected for incident in self.known.get((partition, expected), ()))

    def first_offset(self, partition: int, expected: int) -> int | None:
        """Return where an incident says that the decisions go on, None if there is none where `expected` is next."""
        offsets = [incident.statement.record_offset for incident in self.known.get((partition, expected), ())]
        return min(offsets, default=None)


NO_INCIDENTS = Incidents({})


def not_due(
    decision_sequence: int, source_offset: int, activation: int, *, expected: int, last_source_offset: int, in_force: int
) -> str | None:
    """Return in words why a decision is not due in its partition, None if it is; -1 is no activation, or no offset yet."""
    if decision_sequence != expected:
        return f"sequence {decision_sequence} where {expected} is next: decisions are missing"
    if source_offset <= last_source_offset:
        return f"source offset {source_offset} after {last_source_offset}: the input topic went back or was made anew"
    if activation < in_force:
        made = "no activation" if activation < 0 else f"the activation at {activation}"
        return f"decided under {made} after the one at {in_force}: scoring went back to a model that was superseded"
    return None
