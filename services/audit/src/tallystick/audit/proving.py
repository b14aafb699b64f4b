"""Putting a proof bundle together: the decision's inclusion, the model's history, who anchored it, what may be disclosed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from google.protobuf.message import DecodeError

from tallystick.audit.anchoring import Anchors
from tallystick.audit.database import Candidate, Database
from tallystick.audit.entries import EntryError, LoggedDecision, parse_governance
from tallystick.audit.errors import AuditError, EvidenceErasedError, EvidenceMissingError, InconsistentError, UnavailableError
from tallystick.audit.evidence import EvidenceError, key_id, open_evidence, open_groups
from tallystick.audit.finding import Found
from tallystick.audit.governing import Governing
from tallystick.audit.keys import EvidenceKeys
from tallystick.audit.logs import Head, PublishedLog
from tallystick.contracts import Activation, ActivationStatement, EntryKind, LogEntry
from tallystick.trust.bundle_format import GovernanceProofs, LoggedEntry, Opening, ProofBundle
from tallystick.trust.enrolments import needed


@dataclass(frozen=True, slots=True)
class Opened:
    """One evidence record: where it says that its decision is, its SHA-256, and what was asked for of it.

    `sealed` is the record itself if its key was destroyed: nothing of it can be opened, and it says which key that was.
    """

    sequence: int
    digest: bytes
    sealed: bytes | None
    openings: Sequence[Opening]


class Prover:
    """Builds bundles of what was found, each against one checkpoint a log."""

    def __init__(self, governance: PublishedLog, governing: Governing, anchors: Anchors) -> None:
        self._governance = governance
        self._governing = governing
        self._anchors = anchors
        self._proven_at = b""
        self._proven: dict[int, GovernanceProofs] = {}

    async def bundle(self, found: Found, openings: Sequence[Opening] = ()) -> ProofBundle:
        """Return the proof bundle, with what was opened of the evidence.

        Raises:
            InconsistentError: what is stored does not fit together. UnavailableError.
        """
        logged = found.logged
        proven = await found.log.prove(logged.index, found.head)
        governance = None
        if logged.decision.HasField("activation_index"):
            governance = await self._history(logged.decision.activation_index)
        anchors = await self._anchors.prove(found.log, logged.index, found.head)
        return ProofBundle(proven, found.head.note, governance, openings, anchors)

    async def _history(self, activation_index: int) -> GovernanceProofs:
        """Return what shows that an activation was in the governance log; the same to all who ask under one head of it."""
        head = await self._governance.head()
        if head.note != self._proven_at:
            self._proven_at, self._proven = head.note, {}
        if activation_index not in self._proven:
            self._proven[activation_index] = await self._prove_governance(activation_index, head)
        return self._proven[activation_index]

    async def _prove_governance(self, activation_index: int, head: Head) -> GovernanceProofs:
        if activation_index >= head.size:
            raise UnavailableError(self._governance.component, f"its checkpoint does not cover entry {activation_index} yet")
        activation = await self._governance.prove(activation_index, head)
        statement = _activation(activation)
        if max(statement.model_index, statement.policy_index) >= head.size:
            raise InconsistentError(f"Governance log entry {activation_index} names entries that do not exist.")
        model = await self._governance.prove(statement.model_index, head)
        policy = await self._governance.prove(statement.policy_index, head)
        return GovernanceProofs(
            checkpoint=head.note,
            model=model,
            policy=policy,
            activation=activation,
            enrolments=await self._prove_enrolments((model, policy, activation), head),
        )

    async def _prove_enrolments(self, signed: Sequence[LoggedEntry], head: Head) -> list[LoggedEntry]:
        """Return what shows that those who signed these entries might."""
        enrolments = (await self._governing.at(head)).governance.enrolments
        indexes: set[int] = set()
        for logged in signed if enrolments else ():
            indexes |= needed(enrolments, _signers(logged), logged.index)
        return [await self._governance.prove(index, head) for index in sorted(indexes)]


class Opener:
    """Opens evidence, for whoever may see it."""

    def __init__(self, database: Database, keys: EvidenceKeys) -> None:
        self._database = database
        self._keys = keys

    async def of(self, logged: LoggedDecision, groups: Sequence[str]) -> list[Opening]:
        """Return these groups of a logged decision's evidence, each held against its commitment.

        Raises:
            EvidenceMissingError: there is no such evidence. EvidenceErasedError: nobody can open it any more.
            InconsistentError: it is not what the decision committed to. UnavailableError.
        """
        (opened,) = await self.of_several([logged], groups)
        if isinstance(opened, AuditError):
            raise opened
        return opened

    async def of_several(self, decisions: Sequence[LoggedDecision], groups: Sequence[str]) -> list[list[Opening] | AuditError]:
        """Return of each of several logged decisions what `of` does, or what it raises. Raises UnavailableError."""
        asked = [(logged.place, logged.decision.evidence_digest) for logged in decisions if logged.decision.evidence_digest]
        values = await self._database.evidence_at(asked)
        keys = await self._keys.customer_keys(_key_ids(values.values()))
        return [_opened(logged, groups, values, keys) for logged in decisions]

    async def unchecked(self, candidates: Sequence[Candidate], group: str) -> list[Opening | None]:
        """Return of each candidate's evidence a group, None where it does not open. Raises UnavailableError.

        It is held against no decision, which there may not be yet: nothing of it may be shown.
        """
        values = await self._database.evidence_at([(candidate.place, candidate.digest) for candidate in candidates])
        keys = await self._keys.customer_keys(_key_ids(values.values()))
        openings: list[Opening | None] = []
        for candidate in candidates:
            value, opening = values.get(candidate.digest, b""), None
            with suppress(EvidenceError, KeyError):  # a key that is not there was destroyed
                opening = open_groups(value, keys[key_id(value)]).get(group)
            openings.append(opening)
        return openings

    async def openings(self, partition: int, first: int, count: int, groups: Collection[str]) -> list[Opened]:
        """Return what of `groups` can be opened of the evidence at `count` places of a partition from `first` on.

        It is held against no decision: whoever gets it does that. What does not open though its key is there is left out.
        Raises UnavailableError.
        """
        found = await self._database.evidence_from(partition, first, count)
        ids = {value: key_id(value) for _, value in found}
        keys = await self._keys.customer_keys(set(ids.values()))
        opened = []
        for sequence, value in found:
            digest, name = sha256(value).digest(), ids[value]
            if name not in keys:
                opened.append(Opened(sequence, digest, value, openings=()))
                continue
            with suppress(EvidenceError):
                inside = open_groups(value, keys[name])
                of_these = [inside[group] for group in groups if group in inside]
                opened.append(Opened(sequence, digest, None, of_these))
        return opened


def _key_ids(values: Iterable[bytes]) -> set[bytes]:
    ids = set()
    for value in values:
        with suppress(EvidenceError):  # which opening it says again
            ids.add(key_id(value))
    return ids


def _opened(
    logged: LoggedDecision, groups: Sequence[str], values: Mapping[bytes, bytes], keys: Mapping[bytes, bytes]
) -> list[Opening] | AuditError:
    digest = logged.decision.evidence_digest
    if not digest:
        return EvidenceMissingError("This decision has no evidence: the record was rejected before anything was computed.")
    if digest not in values:
        return EvidenceMissingError("The evidence that this decision names is not stored here.")
    try:
        key = keys.get(key_id(values[digest]))
        if key is None:
            return EvidenceErasedError("The key that this evidence was encrypted under has been destroyed.")
        openings = open_evidence(values[digest], key, logged.decision)
    except EvidenceError as error:
        return InconsistentError(f"The stored evidence cannot be used: {error}.")
    if absent := [group for group in groups if group not in openings]:
        return EvidenceMissingError(f"The evidence has nothing in: {', '.join(absent)}.")
    return [openings[group] for group in groups]


def _signers(logged: LoggedEntry) -> list[str]:
    try:
        # Field 2 is the signatures in each of the three kinds; whether they hold is for the verifier.
        return [signature.signer for signature in Activation.FromString(LogEntry.FromString(logged.entry).value).signatures]
    except DecodeError as error:
        raise InconsistentError(f"Governance log entry {logged.index} is not readable.") from error


def _activation(proven: LoggedEntry) -> ActivationStatement:
    try:
        record = parse_governance(proven.index, proven.entry, EntryKind.ENTRY_KIND_ACTIVATION)
        return ActivationStatement.FromString(Activation.FromString(record).statement)
    except (EntryError, DecodeError) as error:
        raise InconsistentError(f"Governance log entry {proven.index} is not an activation.") from error
