"""The decisions' log, read from its first entry: every decision in its turn, and made under what was in force.

A bundle shows that one decision is in the log. That none is missing, doubled or out of order, and that no partition ever went
back to a superseded activation, only the whole log can show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from tallystick.contracts import Decision, EntryKind, LogEntry, Outcome
from tallystick.trust.decisions import check_decision, check_log, check_outcome
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import VerifiedActivation
from tallystick.trust.incidents import SignedIncident
from tallystick.trust.malformed import open_malformed
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import CHAMPION, kind_name, open_entry


class DecisionLogError(TrustError):
    """An entry of the decisions' log does not follow from those before it, or from what was in force."""


@dataclass(slots=True)
class PartitionState:
    """Where one input partition stands after an entry.

    -1 is none: no activation yet, and no incident by which the next decision is taken.
    """

    next_sequence: int = 0
    source_offset: int = -1
    activation_index: int = -1
    incident: int = -1


@dataclass(slots=True)
class DecisionLog:
    """The state after the entries taken so far: a few numbers a partition, whatever the log's length.

    `origin` is the log's; `activations` (by index) and `incidents` (in its order) are the governance log's. `counts` holds how
    many entries there were of each kind or outcome, `taken` the indexes of the incidents by which it has gone on. All records
    are of one topic, `topic`; `offsets` holds the last record's in each of its partitions. `switches` holds where each
    partition came under another activation: topic, partition, the activation's index, the first sequence under it.
    """

    origin: str
    policy: TrustPolicy
    activations: Mapping[int, VerifiedActivation]
    incidents: Sequence[SignedIncident] = ()
    partitions: dict[tuple[str, int], PartitionState] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    topic: str | None = None
    offsets: dict[int, int] = field(default_factory=dict)
    switches: list[tuple[str, int, int, int]] = field(default_factory=list)

    def take(self, data: bytes) -> None:
        """Take the log's next entry; after an error the state is of no use any more.

        Raises:
            TrustError: It is not the entry that can come here, and why.
        """
        entry = open_entry(data)
        if entry.kind == EntryKind.ENTRY_KIND_MALFORMED:
            self._check_topic(entry)
            self._take_malformed(entry)
        elif entry.kind == EntryKind.ENTRY_KIND_DECISION:
            self._check_topic(entry)
            self._take_decision(entry)
        elif entry.kind == EntryKind.ENTRY_KIND_INCIDENT:
            self._take_incident(data)
        else:
            raise DecisionLogError(f"an entry of kind {kind_name(entry.kind)} does not belong into a log of decisions")

    def passed(self) -> list[SignedIncident]:
        """Return the incidents by which the log has gone on, in the governance log's order."""
        return [incident for incident in self.incidents if incident.index in self.taken]

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values, for `from_json`."""
        return {
            "partitions": [[*place, asdict(state)] for place, state in self.partitions.items()],
            "counts": self.counts,
            "incidents": sorted(self.taken),
            "topic": self.topic,
            "offsets": sorted(self.offsets.items()),
            "switches": self.switches,
        }

    @classmethod
    def from_json(
        cls,
        value: Mapping[str, Any],
        origin: str,
        policy: TrustPolicy,
        activations: Mapping[int, VerifiedActivation],
        incidents: Sequence[SignedIncident] = (),
    ) -> "DecisionLog":
        """Return the log as `to_json` left it. Raises KeyError, TypeError or ValueError if `value` is something else."""
        partitions = {(str(topic), int(number)): PartitionState(**state) for topic, number, state in value["partitions"]}
        return cls(
            origin,
            policy,
            activations,
            incidents,
            partitions,
            {str(name): int(count) for name, count in value["counts"].items()},
            set(map(int, value["incidents"])),
            None if value["topic"] is None else str(value["topic"]),
            {int(partition): int(offset) for partition, offset in value["offsets"]},
            [(str(topic), int(number), int(index), int(first)) for topic, number, index, first in value["switches"]],
        )

    def _take_decision(self, entry: LogEntry) -> None:
        decision = parse_message(Decision, entry.value, "the record")
        check_decision(decision, self.policy)
        check_log(decision, self.origin, self.policy)
        if entry.partition != decision.source_partition:
            raise DecisionLogError(f"it is of partition {decision.source_partition}, and was logged from {entry.partition}")
        place = (decision.source_topic, decision.source_partition)
        state = self.partitions.setdefault(place, PartitionState())
        in_force = decision.activation_index if decision.HasField("activation_index") else -1
        if state.incident >= 0:
            self._check_resumed(decision, entry, state.incident)
        else:
            self._check_turn(decision, entry, state)
            if in_force < state.activation_index:
                raise DecisionLogError(
                    f"it was decided under activation {in_force}, and its partition had moved on to {state.activation_index}"
                )
        if in_force >= 0:
            self._check_activation(decision, switching=in_force > state.activation_index)
        if in_force != state.activation_index:
            self.switches.append((*place, in_force, decision.sequence))
        state.next_sequence, state.incident = decision.sequence + 1, -1
        state.source_offset, state.activation_index = decision.source_offset, in_force
        self.offsets[entry.partition] = entry.offset
        self._count(Outcome.Name(decision.outcome).removeprefix("OUTCOME_"))

    def _take_malformed(self, entry: LogEntry) -> None:
        open_malformed(entry.value)
        partition = entry.partition
        if not any(partition in topic.of_log(self.origin) for topic in self.policy.topics.values()):
            raise DecisionLogError(f"it was logged from partition {partition}, which does not belong to this log")
        # Records are read again from where an incident says, and what is none of them then stands before the incident's entry.
        if not self._may_go_back(partition, entry.offset):
            self._check_offset(entry)
        self.offsets[partition] = entry.offset
        self._count("MALFORMED")

    def _take_incident(self, data: bytes) -> None:
        incident = next((incident for incident in self.incidents if incident.entry == data), None)
        if incident is None:
            raise DecisionLogError("it is an incident that the governance log does not have")
        said = incident.statement
        state = self.partitions.setdefault((said.topic, said.partition), PartitionState())
        if said.log != self.origin or said.from_sequence != state.next_sequence or state.incident >= 0:
            raise DecisionLogError(
                f"it is an incident of {said.log}, of sequence {said.from_sequence} in partition {said.partition}, where"
                f" {state.next_sequence} is next"
            )
        state.incident = incident.index
        self.taken.add(incident.index)
        self._count("INCIDENT")

    def _check_resumed(self, decision: Decision, entry: LogEntry, index: int) -> None:
        """Check that a decision is the one with which an incident lets its partition go on."""
        said = next(incident.statement for incident in self.incidents if incident.index == index)
        if decision.sequence != said.to_sequence or entry.offset < said.record_offset:
            raise DecisionLogError(
                f"it has sequence {decision.sequence} at offset {entry.offset}, and by the incident at {index} its partition"
                f" goes on with {said.to_sequence} from offset {said.record_offset}"
            )

    def _check_turn(self, decision: Decision, entry: LogEntry, state: PartitionState) -> None:
        where = f"partition {decision.source_partition} of {decision.source_topic}"
        if decision.sequence != state.next_sequence:
            raise DecisionLogError(f"it has sequence {decision.sequence} where {state.next_sequence} is next in {where}")
        if decision.source_offset <= state.source_offset:
            raise DecisionLogError(f"its source offset {decision.source_offset} comes after {state.source_offset} in {where}")
        self._check_offset(entry)

    def _check_topic(self, entry: LogEntry) -> None:
        if self.topic is None:
            self.topic = entry.topic
        if entry.topic != self.topic:
            raise DecisionLogError(f"it was logged from the topic {entry.topic!r}, and those before it from {self.topic!r}")

    def _check_offset(self, entry: LogEntry) -> None:
        last = self.offsets.get(entry.partition, -1)
        if entry.offset <= last:
            raise DecisionLogError(
                f"its record at offset {entry.offset} comes after the one at {last} in partition {entry.partition} of"
                f" {entry.topic}"
            )

    def _may_go_back(self, partition: int, offset: int) -> bool:
        """Whether an incident lets the partition's records be read again from this offset, where it stands now."""
        return any(
            said.log == self.origin
            and said.partition == partition
            and said.record_offset <= offset
            and said.from_sequence == self.partitions.get((said.topic, partition), PartitionState()).next_sequence
            for said in (incident.statement for incident in self.incidents)
        )

    def _check_activation(self, decision: Decision, *, switching: bool) -> None:
        activation = self.activations.get(decision.activation_index)
        if activation is None:
            raise DecisionLogError(
                f"it names the activation at {decision.activation_index}, which the governance log does not have"
            )
        check_made_under(decision, activation)
        if switching and decision.decided_at_ms < activation.effective_at_ms:
            raise DecisionLogError(
                f"it switched its partition at {decision.decided_at_ms} ms to an activation that takes effect at "
                f"{activation.effective_at_ms} ms"
            )

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def check_made_under(decision: Decision, activation: VerifiedActivation) -> None:
    """Check that a sound decision follows from the activation that it names.

    Raises:
        DecisionLogError: It names another model, policy or feature schema than the activation.
        DecisionError: The policy makes another outcome of its margin.
    """
    if activation.slot != CHAMPION:
        raise DecisionLogError(f"the activation is for {activation.slot!r}, and only {CHAMPION!r} decides")
    if decision.policy_digest != activation.policy_digest:
        raise DecisionLogError("the decision names another policy than its activation")
    if decision.outcome == Outcome.OUTCOME_REJECTED:
        return
    if decision.model_digest != activation.model_digest:
        raise DecisionLogError("the decision names another model than its activation")
    if decision.feature_schema_digest != sha256(activation.model.feature_schema).digest():
        raise DecisionLogError("the decision names another feature schema than its model")
    check_outcome(decision, activation.policy)
