"""The governance log, replayed: which models and policies exist, and which activations took effect.

The rules, each of which makes an entry count or not; nothing stops the replay, so that one bad entry cannot hide the next:

- who may sign is what the roster says at that place: the trust policy's founders, and everybody whom entries before it enrolled
  and did not revoke (`enrolments` has the rules);
- a model or policy version needs a publisher's signature; a digest that was published before is not published again;
- an activation needs the signatures of two approvers with different names and keys. The publisher may be one of them, so it
  always takes a second person, and never just one;
- an activation is for this governance log, and for the champion's slot or a challenger's;
- it points, by index and digest, to a model and a policy that the replay has accepted before it;
- its number is one more than the last accepted one in its slot (the first is 0), and it names that one's index as superseded
  (the first none). An old activation logged again, a skipped number and a roll-back to an old number therefore fail. Going
  back to an old *model* is a new activation with two new signatures;
- a digest over records of accesses follows on the one before it (`access_digests`);
- an erasure has the tokens of the keys that it names, and nobody's signature (`erasures` says why); a legal hold is told only;
- an incident needs two approvers' signatures (`incidents` says what it brings about); a topology that is not the trust policy's
  is reported as an entry without effect: a partition belongs to one log for ever, and a topic keeps its partitions.

`effective_at_ms` may go backwards from one activation to the next: whoever replaces a planned model before it ever took effect
needs that. Each takes effect in its own turn: a partition moves to an activation when a record's time stamp has reached it,
and never to a lower number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tallystick.contracts import EntryKind, ModelStatement, PolicyStatement, Topology
from tallystick.trust.access_digests import AccessDigests
from tallystick.trust.enrolments import Roster, SignedEnrolment, open_enrolment
from tallystick.trust.erasures import LoggedErasure, open_erasure, open_hold
from tallystick.trust.errors import TrustError
from tallystick.trust.incidents import SignedIncident, open_incident
from tallystick.trust.log_keys import LogKeys, open_log_key
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import (
    RecordError,
    SignedActivation,
    SignedModel,
    SignedPolicy,
    check_activation,
    open_activation,
    open_entry,
    open_model,
    open_policy,
)


@dataclass(frozen=True, slots=True)
class VerifiedActivation:
    """An activation that counts, with what it activates; `index` is its own in the governance log.

    `until_ms` is a challenger's end, if it has one.
    """

    index: int
    number: int
    slot: str
    model_digest: bytes
    policy_digest: bytes
    effective_at_ms: int
    until_ms: int | None
    model: ModelStatement
    policy: PolicyStatement
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Governance:
    """What a governance log amounts to.

    `models` and `policies` are by digest: (index in the log, statement). `activations` are in log order, which within a slot is
    the order of their numbers. `enrolments`, `incidents` and `erasures` are in log order, `roster` is who may sign the next
    entry, `log_keys` which keys of logs were added and retired. `rejected` holds (index, reason) of each entry without effect.
    """

    models: dict[bytes, tuple[int, ModelStatement]]
    policies: dict[bytes, tuple[int, PolicyStatement]]
    activations: tuple[VerifiedActivation, ...]
    enrolments: tuple[SignedEnrolment, ...]
    incidents: tuple[SignedIncident, ...]
    erasures: tuple[LoggedErasure, ...]
    roster: Roster
    log_keys: LogKeys
    rejected: list[tuple[int, str]]

    def slot(self, slot: str) -> tuple[VerifiedActivation, ...]:
        """Return the slot's activations, number 0 first."""
        return tuple(activation for activation in self.activations if activation.slot == slot)


def replay(entries: Iterable[bytes], policy: TrustPolicy) -> Governance:
    """Return what the governance log amounts to; `entries` are all its entries from index 0, as logged.

    That they are the log's entries (root, signature, quorum, freshness) is for the caller to have checked.
    """
    log = _Replay(policy)
    rejected: list[tuple[int, str]] = []
    for index, data in enumerate(entries):
        try:
            log.take(index, data)
        except TrustError as error:
            rejected.append((index, str(error)))
    return Governance(
        models={digest: (model.index, model.statement) for digest, model in log.models.items()},
        policies={digest: (version.index, version.statement) for digest, version in log.policies.items()},
        activations=tuple(log.activations),
        enrolments=tuple(log.enrolments),
        incidents=tuple(log.incidents),
        erasures=tuple(log.erasures),
        roster=log.roster,
        log_keys=log.log_keys,
        rejected=rejected,
    )


def verified_activation(activation: SignedActivation, model: SignedModel, policy: SignedPolicy) -> VerifiedActivation:
    """Return the activation with what it activates.

    Raises:
        RecordError: It names another model or policy, or one that comes after it.
    """
    check_activation(activation, model, policy)
    statement = activation.statement
    return VerifiedActivation(
        index=activation.index,
        number=statement.number,
        slot=statement.slot,
        model_digest=statement.model_digest,
        policy_digest=statement.policy_digest,
        effective_at_ms=statement.effective_at_ms,
        until_ms=statement.until_ms if statement.HasField("until_ms") else None,
        model=model.statement,
        policy=policy.statement,
        approvers=activation.approvers,
    )


class _Replay:
    """The state between two entries; `take` changes it only for an entry that counts."""

    def __init__(self, policy: TrustPolicy) -> None:
        self.models: dict[bytes, SignedModel] = {}
        self.policies: dict[bytes, SignedPolicy] = {}
        self.activations: list[VerifiedActivation] = []
        self.enrolments: list[SignedEnrolment] = []
        self.incidents: list[SignedIncident] = []
        self.erasures: list[LoggedErasure] = []
        self.roster = Roster.founders(policy)
        self.log_keys = LogKeys()
        self._accesses = AccessDigests()
        self._last: dict[str, VerifiedActivation] = {}
        self._policy = policy

    def take(self, index: int, data: bytes) -> None:
        """Apply one entry; kinds that govern nothing pass unseen."""
        entry = open_entry(data)
        if entry.kind == EntryKind.ENTRY_KIND_MODEL_VERSION:
            model = open_model(index, entry.value, self.roster.signers)
            _check_new(self.models.get(model.statement.digest), "model")
            self.models[model.statement.digest] = model
        elif entry.kind == EntryKind.ENTRY_KIND_POLICY_VERSION:
            version = open_policy(index, entry.value, self.roster.signers)
            _check_new(self.policies.get(version.digest), "policy")
            self.policies[version.digest] = version
        elif entry.kind == EntryKind.ENTRY_KIND_ACTIVATION:
            self._activate(open_activation(index, entry.value, self.roster.signers, self.roster.log))
        elif entry.kind == EntryKind.ENTRY_KIND_ENROLMENT:
            enrolment = open_enrolment(index, entry.value, self.roster)
            self.enrolments.append(enrolment)
            self.roster = self.roster.after(enrolment)
        elif entry.kind == EntryKind.ENTRY_KIND_INCIDENT:
            self.incidents.append(open_incident(index, data, entry.value, self.roster.signers, self._policy))
        elif entry.kind == EntryKind.ENTRY_KIND_ERASURE:
            self.erasures.append(open_erasure(index, entry.value))
        elif entry.kind == EntryKind.ENTRY_KIND_LEGAL_HOLD:
            open_hold(entry.value)
        elif entry.kind == EntryKind.ENTRY_KIND_TOPOLOGY:
            _check_topology(parse_message(Topology, entry.value, "the record"), self._policy)
        elif entry.kind == EntryKind.ENTRY_KIND_ACCESS_DIGEST:
            self._accesses.take(entry.value)
        elif entry.kind == EntryKind.ENTRY_KIND_LOG_KEY:
            change = open_log_key(index, entry.value, self.roster, self.log_keys, self._policy.log_policy)
            self.log_keys = self.log_keys.after(change)
            self.roster = self.roster.without_key(change.key.public_key)

    def _activate(self, activation: SignedActivation) -> None:
        statement = activation.statement
        self._check_turn(activation)
        model, policy = self.models.get(statement.model_digest), self.policies.get(statement.policy_digest)
        if model is None:
            raise RecordError("the activation names a model that no earlier entry published")
        if policy is None:
            raise RecordError("the activation names a policy that no earlier entry published")
        verified = verified_activation(activation, model, policy)
        self._last[verified.slot] = verified
        self.activations.append(verified)

    def _check_turn(self, activation: SignedActivation) -> None:
        statement = activation.statement
        last = self._last.get(statement.slot)
        number = 0 if last is None else last.number + 1
        if statement.number != number:
            raise RecordError(f"the activation has number {statement.number}, and the next of {statement.slot!r} is {number}")
        if last is not None and statement.superseded_index != last.index:
            raise RecordError(
                f"the activation supersedes index {statement.superseded_index}, and the last one is at {last.index}"
            )


def _check_new(known: SignedModel | SignedPolicy | None, what: str) -> None:
    if known is not None:
        raise RecordError(f"the same {what} was published before, at index {known.index}")


def _check_topology(topology: Topology, policy: TrustPolicy) -> None:
    topic = policy.topics.get(topology.topic)
    if topic is None:
        raise RecordError(f"the topology is of the topic {topology.topic!r}, which is not in the trust policy")
    said = topology.partitions, topology.partitioner, tuple(topology.origins)
    if said != (topic.partitions, topic.partitioner, topic.origins):
        raise RecordError(
            f"the topology of {topology.topic!r} is not the trust policy's: a topic's partitions, their partitioner and each"
            " partition's log stay for ever"
        )
