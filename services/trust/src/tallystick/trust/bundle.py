"""A proof bundle, verified: from bytes and a trust policy to one decision that can be relied on, without asking anybody.

What a single bundle cannot show is said in `VerifiedBundle.unchecked` rather than left out.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from google.protobuf.message import Message

from tallystick.contracts import (
    Decision,
    EntryKind,
    Explanation,
    FeatureVector,
    Identity,
    LogEntry,
    TransactionDetails,
)
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import Note
from tallystick.merkle.policy import VerifiedCheckpoint
from tallystick.merkle.proofs import verify_consistency, verify_inclusion
from tallystick.trust import account
from tallystick.trust.anchors.verifying import VerifiedAnchor, verify_receipt
from tallystick.trust.bundle_format import AnchorProof, GovernanceProofs, LoggedEntry, Opening, ProofBundle, parse_bundle
from tallystick.trust.commitments import open_commitment
from tallystick.trust.decision_log import check_made_under
from tallystick.trust.decisions import GROUPS, check_decision, check_log
from tallystick.trust.enrolments import Roster, SignedEnrolment, needed, open_enrolment
from tallystick.trust.errors import TrustError
from tallystick.trust.features import FeatureSchema
from tallystick.trust.governance import verified_activation
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import (
    open_activation,
    open_entry,
    open_model,
    open_policy,
)
from tallystick.trust.statements import Signer
from tallystick.trust.verified import VerifiedBundle, VerifiedGovernance

__all__ = ["BundleError", "VerifiedBundle", "VerifiedGovernance", "verify_bundle"]

FLOAT32_SIZE = 4

CONTENTS: dict[str, type[Message]] = {
    "identity": Identity,
    "transaction": TransactionDetails,
    "features": FeatureVector,
    "explanation": Explanation,
}
"""The message in each disclosure group."""


class BundleError(TrustError):
    """A bundle does not prove what it should; the message is one sentence for people."""


def verify_bundle(data: bytes, policy: TrustPolicy) -> VerifiedBundle:
    """Verify a bundle's file.

    Raises:
        BundleError: Anything in it is not as it must be.
    """
    with _part("the bundle cannot be read"):
        bundle = parse_bundle(data)
    with _part("the decisions log's checkpoint is refused"):
        checkpoint = policy.log_policy.verify_checkpoint(bundle.checkpoint, _decisions_origin(bundle.checkpoint, policy))
    entry = _included(bundle.decision, checkpoint, EntryKind.ENTRY_KIND_DECISION, "decision")
    with _part("the decision is not sound"):
        decision = parse_message(Decision, entry.value, "its record")
        check_decision(decision, policy)
        if entry.partition != decision.source_partition:
            raise BundleError(f"it is of partition {decision.source_partition}, and was logged from {entry.partition}")
        check_log(decision, checkpoint.checkpoint.origin, policy)
    governance = _verify_governance(bundle, decision, policy)
    disclosures = _open_disclosures(bundle.disclosures, decision, governance)
    pinned = [proof for proof in bundle.anchors if proof.receipt.by in policy.anchorers]
    anchors = [_verify_anchor(proof, bundle.decision.index, checkpoint.checkpoint, policy) for proof in pinned]
    unpinned = [proof.receipt.by for proof in bundle.anchors if proof not in pinned]
    return VerifiedBundle(
        entry=entry,
        decision=decision,
        index=bundle.decision.index,
        checkpoint=checkpoint,
        governance=governance,
        disclosures=disclosures,
        anchors=anchors,
        checks=account.checks(bundle.decision.index, decision, checkpoint, governance, disclosures, anchors),
        unchecked=account.unchecked(policy.log_policy, decision, governance, disclosures, anchors, unpinned),
    )


@contextmanager
def _part(what: str) -> Iterator[None]:
    """Say which part of the bundle an error is about."""
    try:
        yield
    except ValueError as error:  # every error of trust and merkle is one
        raise BundleError(f"{what}: {error}") from error


def _decisions_origin(note: bytes, policy: TrustPolicy) -> str:
    """Return which decisions log a checkpoint says it is of."""
    origin = Checkpoint.parse(Note.parse(note).text).origin
    if origin not in policy.decisions_origins:
        raise BundleError(f"it is of {origin!r}, which is none of the trust policy's decisions logs")
    return origin


def _included(logged: LoggedEntry, checkpoint: VerifiedCheckpoint, kind: EntryKind, what: str) -> LogEntry:
    """Return a logged entry of `kind` once the checkpoint's root is shown to cover it."""
    with _part(f"the {what} is not in the log"):
        size, root = checkpoint.checkpoint.size, checkpoint.checkpoint.root
        verify_inclusion(logged.index, size, leaf_hash(logged.entry), logged.proof, root)
    with _part(f"the {what} is not sound"):
        return open_entry(logged.entry, kind)


def _verify_anchor(proof: AnchorProof, index: int, checkpoint: Checkpoint, policy: TrustPolicy) -> VerifiedAnchor:
    """Verify a receipt, and that its head covers the entry at `index` of the log that `checkpoint` is of."""
    with _part(f"the anchor by {proof.receipt.by} is refused"):
        if proof.size <= index:
            raise BundleError(f"a head of {proof.size:,} entries does not cover entry {index:,}")
        anchor = verify_receipt(proof.receipt, checkpoint.origin, proof.size, policy.anchorers)
        old, new = sorted([(anchor.size, anchor.root), (checkpoint.size, checkpoint.root)], key=lambda head: head[0])
        verify_consistency(old[0], new[0], old[1], new[1], proof.consistency)
    return anchor


def _verify_governance(bundle: ProofBundle, decision: Decision, policy: TrustPolicy) -> VerifiedGovernance | None:
    if not decision.HasField("activation_index"):
        if bundle.governance is not None:
            raise BundleError("the bundle proves an activation, and the decision names none")
        return None
    if bundle.governance is None:
        raise BundleError(
            f"the bundle does not prove the activation at index {decision.activation_index} that the decision names"
        )
    governance = _open_governance(bundle.governance, policy)
    _check_made_under(decision, governance)
    return governance


def _open_governance(proofs: GovernanceProofs, policy: TrustPolicy) -> VerifiedGovernance:
    with _part("the governance log's checkpoint is refused"):
        checkpoint = policy.log_policy.verify_checkpoint(proofs.checkpoint, policy.governance_origin)
    enrolments = _open_enrolments(proofs.enrolments, checkpoint, policy)

    def signers(index: int) -> tuple[Signer, ...]:
        roster = Roster.founders(policy)
        for enrolment in enrolments:
            roster = roster.after(enrolment) if enrolment.index < index else roster
        return roster.signers

    entry = _included(proofs.model, checkpoint, EntryKind.ENTRY_KIND_MODEL_VERSION, "model")
    with _part("the model is not sound"):
        model = open_model(proofs.model.index, entry.value, signers(proofs.model.index))
    entry = _included(proofs.policy, checkpoint, EntryKind.ENTRY_KIND_POLICY_VERSION, "policy")
    with _part("the policy is not sound"):
        version = open_policy(proofs.policy.index, entry.value, signers(proofs.policy.index))
    entry = _included(proofs.activation, checkpoint, EntryKind.ENTRY_KIND_ACTIVATION, "activation")
    with _part("the activation is not sound"):
        signed = open_activation(
            proofs.activation.index, entry.value, signers(proofs.activation.index), policy.governance_origin
        )
        activation = verified_activation(signed, model, version)
    names = ((model.index, model.publishers), (version.index, version.publishers), (signed.index, signed.approvers))
    wanted = set().union(*(needed(enrolments, who, index) for index, who in names))
    if extra := {item.index for item in enrolments} - wanted:
        raise BundleError(f"the bundle shows an enrolment at index {min(extra)} that nothing in it calls for")
    return VerifiedGovernance(model, version, activation, checkpoint, enrolments)


def _open_enrolments(
    logged: Sequence[LoggedEntry], checkpoint: VerifiedCheckpoint, policy: TrustPolicy
) -> tuple[SignedEnrolment, ...]:
    """Replay the enrolments that the bundle shows; what others there were, only the whole log tells."""
    roster, enrolments = Roster.founders(policy), list[SignedEnrolment]()
    for item in logged:
        entry = _included(item, checkpoint, EntryKind.ENTRY_KIND_ENROLMENT, "enrolment")
        if enrolments and item.index <= enrolments[-1].index:
            raise BundleError("the enrolments are not in the log's order")
        with _part(f"the enrolment at index {item.index} is not sound"):
            enrolments.append(open_enrolment(item.index, entry.value, roster))
        roster = roster.after(enrolments[-1])
    return tuple(enrolments)


def _check_made_under(decision: Decision, governance: VerifiedGovernance) -> None:
    """Check that the decision follows from what it names."""
    activation = governance.activation
    if decision.activation_index != activation.index:
        raise BundleError(
            f"the decision names the activation at {decision.activation_index}, the bundle proves {activation.index}"
        )
    with _part("the decision does not follow from its activation"):
        check_made_under(decision, activation)


def _open_disclosures(
    openings: Sequence[Opening], decision: Decision, governance: VerifiedGovernance | None
) -> dict[str, bytes]:
    commitments: dict[int, bytes] = {commitment.group: commitment.digest for commitment in decision.commitments}
    disclosures: dict[str, bytes] = {}
    for opening in openings:
        if opening.group not in GROUPS:
            raise BundleError(f"the bundle discloses {opening.group!r}, which is no disclosure group")
        if opening.group in disclosures:
            raise BundleError(f"the bundle discloses {opening.group} twice")
        if GROUPS[opening.group] not in commitments:
            raise BundleError(f"the bundle discloses {opening.group}, and the decision commits to nothing")
        with _part(f"the disclosed {opening.group} is not what the decision commits to"):
            open_commitment(commitments[GROUPS[opening.group]], opening.salt, opening.content)
        with _part(f"the disclosed {opening.group} is not sound"):
            message = parse_message(CONTENTS[opening.group], opening.content, "its content")
            if isinstance(message, FeatureVector) and governance is not None:
                _check_features(message, FeatureSchema.parse(governance.model.statement.feature_schema))
        disclosures[opening.group] = opening.content
    return disclosures


def _check_features(vector: FeatureVector, schema: FeatureSchema) -> None:
    if vector.feature_schema_digest != schema.digest:
        raise BundleError("it is of another feature schema than the decision's")
    if len(vector.values) != FLOAT32_SIZE * len(schema.features):
        raise BundleError(f"it has {len(vector.values)} bytes, and the schema's {len(schema.features)} features have 4 each")
