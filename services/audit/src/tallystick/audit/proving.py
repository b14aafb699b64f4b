"""Putting a proof bundle together: the decision's inclusion, the model's history, who anchored it, what may be disclosed."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from google.protobuf.message import DecodeError

from tallystick.audit.anchoring import Anchors
from tallystick.audit.database import Database
from tallystick.audit.entries import EntryError, LoggedDecision, parse_governance
from tallystick.audit.errors import EvidenceMissingError, InconsistentError, UnavailableError
from tallystick.audit.evidence import EvidenceError, key_id, open_evidence, open_groups
from tallystick.audit.finding import Found
from tallystick.audit.governing import Governing
from tallystick.audit.keys import EvidenceKeys
from tallystick.audit.logs import Head, PublishedLog
from tallystick.contracts import Activation, ActivationStatement, EntryKind, LogEntry
from tallystick.trust.bundle_format import GovernanceProofs, LoggedEntry, Opening, ProofBundle, encode_bundle
from tallystick.trust.enrolments import needed


@dataclass(frozen=True, slots=True)
class Opened:
    """One evidence record, opened: where it says that its decision is, its SHA-256, and the groups that were asked for."""

    sequence: int
    digest: bytes
    openings: Sequence[Opening]


class Prover:
    """Builds bundles of what was found, each against one checkpoint a log."""

    def __init__(
        self, governance: PublishedLog, governing: Governing, anchors: Anchors, database: Database, keys: EvidenceKeys
    ) -> None:
        self._governance = governance
        self._governing = governing
        self._anchors = anchors
        self._database = database
        self._keys = keys

    async def bundle(self, found: Found, groups: Sequence[str] = ()) -> bytes:
        """Return the proof bundle, with `groups` of the evidence disclosed.

        Raises:
            EvidenceMissingError: there is no such evidence. EvidenceErasedError: nobody can open it any more.
            InconsistentError: what is stored does not fit together. UnavailableError.
        """
        logged = found.logged
        proven = await found.log.prove(logged.index, found.head)
        governance = None
        if logged.decision.HasField("activation_index"):
            governance = await self._prove_governance(logged.decision.activation_index)
        openings = await self._open(logged, groups) if groups else ()
        anchors = await self._anchors.prove(found.log, logged.index, found.head)
        return encode_bundle(ProofBundle(proven, found.head.note, governance, openings, anchors))

    async def _prove_governance(self, activation_index: int) -> GovernanceProofs:
        head = await self._governance.head()
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
        enrolments = (await self._governing.at(head)).enrolments
        indexes: set[int] = set()
        for logged in signed if enrolments else ():
            indexes |= needed(enrolments, _signers(logged), logged.index)
        return [await self._governance.prove(index, head) for index in sorted(indexes)]

    async def _open(self, logged: LoggedDecision, groups: Sequence[str]) -> list[Opening]:
        digest = logged.decision.evidence_digest
        if not digest:
            raise EvidenceMissingError("This decision has no evidence: the record was rejected before anything was computed.")
        value = await self._database.evidence(logged.place, digest)
        if value is None:
            raise EvidenceMissingError("The evidence that this decision names is not stored here.")
        try:
            openings = open_evidence(value, await self._keys.customer_key(key_id(value)), logged.decision)
        except EvidenceError as error:
            raise InconsistentError(f"The stored evidence cannot be used: {error}.") from error
        if absent := [group for group in groups if group not in openings]:
            raise EvidenceMissingError(f"The evidence has nothing in: {', '.join(absent)}.")
        return [openings[group] for group in groups]


class Opener:
    """Opens the evidence of many decisions at once, for whoever may see it; the caller holds it against the log."""

    def __init__(self, database: Database, keys: EvidenceKeys) -> None:
        self._database = database
        self._keys = keys

    async def openings(self, partition: int, first: int, count: int, groups: Collection[str]) -> list[Opened]:
        """Return what of `groups` can be opened of the evidence at `count` places of a partition from `first` on.

        What was erased, or does not open, is left out. Raises UnavailableError.
        """
        found = await self._database.evidence_from(partition, first, count)
        ids = {value: key_id(value) for _, value in found}
        keys = await self._keys.customer_keys(set(ids.values()))
        opened = []
        for sequence, value in found:
            with suppress(KeyError, EvidenceError):
                inside = open_groups(value, keys[ids[value]])
                opened.append(Opened(sequence, sha256(value).digest(), [inside[group] for group in groups if group in inside]))
        return opened


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
