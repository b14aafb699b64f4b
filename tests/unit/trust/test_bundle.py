"""Proof bundles: a sound one verifies, and nothing that differs from it does."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tallystick.contracts import EntryKind, FeatureVector, Outcome, ReasonCode
from tallystick.trust.bundle import BundleError, verify_bundle
from tallystick.trust.bundle_format import FORMAT, GovernanceProofs, Opening, ProofBundle, encode_bundle, parse_bundle
from tallystick.trust.decisions import GROUPS

from .helpers import (
    DECISIONS,
    GOVERNANCE,
    Log,
    World,
    activation,
    model_statement,
    policy_digest,
    policy_statement,
    trust_policy,
)

TRUST = trust_policy()


def test_a_sound_bundle_verifies() -> None:
    """Decision, model, policy, activation and disclosures come back as they were logged."""
    world = World()
    bundle = verify_bundle(world.bundle("features", "identity"), TRUST)
    assert (bundle.decision, bundle.index) == (world.decision, 5)
    assert (bundle.model, bundle.policy) == (world.model, world.policy)
    assert bundle.activation is not None
    assert (bundle.activation.index, bundle.activation.approvers) == (2, ("ada", "bob"))
    assert bundle.governance is not None
    assert bundle.governance.model.publishers == ("pat",)
    assert bundle.disclosures == {group: world.contents[group] for group in ("features", "identity")}
    assert bundle.entry.topic == "decisions"
    assert bundle.checkpoint.checkpoint.size == 9


def test_what_was_not_checked_is_said() -> None:
    """No witness, no anchor, no sealer, no replay, and the groups that are not disclosed."""
    bundle = verify_bundle(World().bundle("features"), TRUST)
    unchecked = "; ".join(bundle.unchecked)
    for words in (
        "quorum is none",
        "nothing anchors",
        "newer activation",
        "sealers",
        "identity, transaction, explanation",
        "replay",
    ):
        assert words in unchecked


def test_a_quorum_that_is_met_is_not_among_the_unchecked() -> None:
    """Under a policy that wants a witness, and with its cosignature, nothing is said of a quorum."""
    bundle = verify_bundle(World().bundle(), trust_policy("notary-clock"))
    assert "quorum" not in "; ".join(bundle.unchecked)
    assert "nothing anchors" not in "; ".join(bundle.unchecked)
    assert "cosigned by notary-clock: a quorum, as of 20" in bundle.checks[0]


def test_everything_disclosed_leaves_nothing_hidden() -> None:
    """With all groups there, no group is listed as not disclosed."""
    bundle = verify_bundle(World().bundle(*GROUPS), TRUST)
    assert "not disclosed" not in "; ".join(bundle.unchecked)


@pytest.mark.parametrize("in_force", [True, False])
def test_a_rejected_record_has_a_bundle_too(in_force: bool) -> None:
    """It proves the rejection, and what was in force if anything was."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_AMOUNT_NEGATIVE, in_force=in_force)
    bundle = verify_bundle(world.bundle(), TRUST)
    assert bundle.decision.outcome == Outcome.OUTCOME_REJECTED
    assert (bundle.activation is not None) == in_force
    assert "replay" not in "; ".join(bundle.unchecked)


def test_a_missing_governance_may_be_null() -> None:
    """Absent and null mean the same: the decision names no activation."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_NO_ACTIVE_MODEL, in_force=False)
    document = json.loads(world.bundle()) | {"governance": None}
    assert verify_bundle(json.dumps(document).encode(), TRUST).governance is None


def test_encoding_and_parsing_are_each_other_s_inverse() -> None:
    """A bundle that is written is read as it was."""
    proofs = World().proofs(*GROUPS)
    assert encode_bundle(parse_bundle(encode_bundle(proofs))) == encode_bundle(proofs)


# --- every byte ---------------------------------------------------------------------------------------------------------------


def _without_cosignatures() -> bytes:
    """Return a bundle in which every byte counts: no signature line of a key that nobody asks for."""
    world = World()
    proofs = world.proofs("features")
    governance = world.governance_log()
    log = Log(DECISIONS, [*world.decision_log.entries, proofs.decision.entry, *[b"after"] * world.after])
    assert proofs.governance is not None
    return encode_bundle(
        replace(
            proofs,
            checkpoint=log.checkpoint(cosigners=()),
            governance=replace(proofs.governance, checkpoint=governance.checkpoint(cosigners=())),
        )
    )


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_a_bundle_can_be_flipped(bit: int) -> None:
    """Every single flipped bit of a sound bundle is refused: there is no byte that does not count."""
    sound = _without_cosignatures()
    verify_bundle(sound, TRUST)
    for place in range(len(sound)):
        broken = bytearray(sound)
        broken[place] ^= 1 << bit
        with pytest.raises(BundleError):
            verify_bundle(bytes(broken), TRUST)


def test_a_cosignature_may_at_most_become_a_stranger_s() -> None:
    """Flipped bits in a cosignature line are refused, or make it a line of an unknown key: then it counts for nobody."""
    sound = World().bundle()
    start = sound.index("— notary-clock".encode())
    stop = sound.index(b'"', start)
    strangers = 0
    for place in range(start, stop):
        broken = bytearray(sound)
        broken[place] ^= 1
        try:
            bundle = verify_bundle(bytes(broken), TRUST)
        except BundleError:
            continue
        strangers += 1
        assert bundle.checkpoint.cosigned == {}
        with pytest.raises(BundleError, match="quorum"):
            verify_bundle(bytes(broken), trust_policy("notary-clock"))
    assert 0 < strangers < stop - start


@pytest.mark.parametrize("length", [0, 1, 100, 1000, -2])
def test_a_cut_bundle_is_refused(length: int) -> None:
    """Whatever remains of it is not a bundle."""
    with pytest.raises(BundleError, match="cannot be read"):
        verify_bundle(World().bundle()[:length], TRUST)


# --- the file -----------------------------------------------------------------------------------------------------------------

Document = dict[str, Any]


def _at(*path: str | int, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        target: Any = document
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


def _repeat_disclosure(document: Document) -> None:
    document["disclosures"] *= 2


def _longer_proof(document: Document) -> None:
    document["decision"]["proof"].append(b64encode(bytes(32)).decode())


def _shorter_proof(document: Document) -> None:
    document["decision"]["proof"].pop()


def _swap_checkpoints(document: Document) -> None:
    decision, governance = document["decision"], document["governance"]
    decision["checkpoint"], governance["checkpoint"] = governance["checkpoint"], decision["checkpoint"]


def _swap_entries(document: Document) -> None:
    governance = document["governance"]
    governance["model"], governance["policy"] = governance["policy"], governance["model"]


FILE: dict[str, tuple[Callable[[Document], None], str]] = {
    "another format": (_at("format", value="tallystick/proof-bundle/v2"), f"understands '{FORMAT}'"),
    "an unknown name": (_at("comment", value=""), "the bundle has 'comment', which is not known"),
    "an unknown name inside": (_at("decision", "note", value=""), "decision has 'note', which is not known"),
    "no decision": (lambda document: document.pop("decision"), "the bundle lacks 'decision'"),
    "no proof": (lambda document: document["decision"].pop("proof"), "decision lacks 'proof'"),
    "an index in words": (_at("decision", "index", value="5"), "'index' must be an integer"),
    "a true index": (_at("decision", "index", value=True), "'index' must be an integer"),
    "a negative index": (_at("decision", "index", value=-1), "index -1 is out of range"),
    "a huge index": (_at("decision", "index", value=2**63), "is out of range"),
    "an index beyond the log": (_at("decision", "index", value=9), "the decision is not in the log"),
    "another index": (_at("decision", "index", value=4), "the decision is not in the log: the proof does not lead"),
    "a proof too long": (_longer_proof, "the decision is not in the log"),
    "a proof too short": (_shorter_proof, "the decision is not in the log"),
    "an endless proof": (_at("decision", "proof", value=[""] * 65), "the proof has 65 hashes, more than any log's"),
    "a short hash": (_at("decision", "proof", 0, value="AAAA"), "the decision is not in the log"),
    "a number for a hash": (_at("decision", "proof", 0, value=1), "decision: proof must be a string"),
    "not base64": (_at("decision", "entry", value="CA E="), "decision: entry is not base64"),
    "not canonical base64": (_at("decision", "entry", value="CAF="), "decision: entry is not canonical base64"),
    "not even a character": (_at("decision", "checkpoint", value="\ud800"), "half a character"),
    "no checkpoint": (_at("decision", "checkpoint", value=""), "the decisions log's checkpoint is refused"),
    "checkpoints swapped": (_swap_checkpoints, "checkpoint is refused: .*governance', which is none of the .* decisions logs"),
    "entries swapped": (_swap_entries, "the model is not sound: the entry is of kind policy version and not model version"),
    "no governance": (lambda document: document.pop("governance"), "does not prove the activation at index 2"),
    "null governance": (_at("governance", value=None), "does not prove the activation at index 2"),
    "a list for governance": (_at("governance", value=[]), "'governance' must be an object"),
    "an unknown group": (_at("disclosures", 0, "group", value="diary"), "discloses 'diary', which is no disclosure group"),
    "a disclosure twice": (_repeat_disclosure, "discloses features twice"),
    "a disclosure as another": (
        _at("disclosures", 0, "group", value="identity"),
        "identity is not what the decision commits to",
    ),
    "a short salt": (_at("disclosures", 0, "salt", value="AAAA"), "the salt has 3 bytes and not 16"),
    "another salt": (_at("disclosures", 0, "salt", value=b64encode(bytes(16)).decode()), "not those that were committed to"),
    "another content": (_at("disclosures", 0, "content", value="AAAA"), "features is not what the decision commits to"),
}


@pytest.mark.parametrize(("change", "reason"), FILE.values(), ids=FILE)
def test_a_changed_file_is_refused(change: Callable[[Document], None], reason: str) -> None:
    """One mutation of the file, and the sentence that it gets."""
    document = json.loads(World().bundle("features"))
    change(document)
    with pytest.raises(BundleError, match=reason):
        verify_bundle(json.dumps(document).encode(), TRUST)


def test_a_name_that_is_repeated_is_refused() -> None:
    """Two readers could take different ones."""
    with pytest.raises(BundleError, match="the name 'index' is repeated"):
        verify_bundle(World().bundle().replace(b'"index": 5', b'"index": 4, "index": 5'), TRUST)


def test_a_bundle_that_is_too_large_is_not_even_read() -> None:
    """Size is looked at first."""
    with pytest.raises(BundleError, match="more than the 1048576 allowed"):
        verify_bundle(b" " * 2**20 + World().bundle(), TRUST)


# --- worlds that are internally consistent, properly logged and wrong ---------------------------------------------------------


def _decision(**changes: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in changes.items():
            setattr(world.decision, name, value)

    return change


def _activation(**changes: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in changes.items():
            setattr(world.activation, name, value)

    return change


def _approvers(*names: str) -> Callable[[World], None]:
    return lambda world: setattr(world, "approvers", names)


def _publishers(*names: str) -> Callable[[World], None]:
    return lambda world: setattr(world, "publishers", names)


def _lenient_policy(world: World) -> None:
    """Activate a policy under which the logged outcome would have been another."""
    world.policy = policy_statement(decline_margin=3.0)
    world.activation.policy_digest = world.decision.policy_digest = policy_digest(world.policy)


def _approved(world: World) -> None:
    """Log an approval where the policy declines."""
    world.decision.outcome = Outcome.OUTCOME_APPROVE
    del world.decision.reasons[:]


def _rejected_under_other_policy(world: World) -> None:
    world.reject(ReasonCode.REASON_CODE_VALUE_NULL)
    world.decision.policy_digest = b"x" * 32


def _other_model(world: World) -> None:
    """Publish a model that the activation does not name."""
    world.model = model_statement(digest=b"x" * 32)


def _other_schema(world: World) -> None:
    world.decision.feature_schema_digest = b"x" * 32


def _later_model(world: World) -> None:
    world.activation.model_index = 3


WORLDS: dict[str, tuple[Callable[[World], None], str]] = {
    "score": (_decision(score=1), "the decision is not sound: its score is 1, and its margin makes 924"),
    "outcome": (
        _approved,
        "does not follow from its activation: the policy makes OUTCOME_DECLINE of its margin and of what applied",
    ),
    "policy swapped for a lenient one": (_lenient_policy, "the policy makes OUTCOME_REVIEW of its margin"),
    "topic": (_decision(source_topic="refunds"), "topic 'refunds' is not in the trust policy"),
    "partition": (_decision(source_partition=9), "partition 9 is not one of the topic's 4"),
    "activation index": (_decision(activation_index=1), "names the activation at 1, the bundle proves 2"),
    "policy digest": (_decision(policy_digest=b"x" * 32), "names another policy than its activation"),
    "policy digest of a rejection": (_rejected_under_other_policy, "names another policy than its activation"),
    "model digest": (_decision(model_digest=b"x" * 32), "names another model than its activation"),
    "schema digest": (_other_schema, "names another feature schema than its model"),
    "one approver": (_approvers("ada"), "the activation is not sound: it has 1 of the 2 approver signatures"),
    "one approver twice": (_approvers("ada", "ada"), "'ada' signed it twice"),
    "a stranger approves": (_approvers("ada", "eve"), "'eve' is neither in the trust policy nor enrolled"),
    "a publisher approves": (_approvers("ada", "pat"), "'pat' is not an approver"),
    "an approver publishes": (_publishers("bob"), "the model is not sound: its signer 'bob' is not a publisher"),
    "a stranger publishes": (
        _publishers("eve"),
        "the model is not sound: its signer 'eve' is neither in the trust policy nor enrolled",
    ),
    "another slot": (_activation(slot="challenger/b"), "for 'challenger/b', and only 'champion' decides"),
    "another model published": (_other_model, "points to another model than the one at index 0"),
    "a model index elsewhere": (_later_model, "points to another model than the one at index 0"),
    "a policy index elsewhere": (_activation(policy_index=0), "points to another policy than the one at index 1"),
    "number without superseded": (_activation(number=1), "every other supersedes one"),
    "superseded without number": (_activation(superseded_index=0), "has number 0 and supersedes none"),
    "superseded after itself": (_activation(number=1, superseded_index=2), "does not come before it"),
}


@pytest.mark.parametrize(("change", "reason"), WORLDS.values(), ids=WORLDS)
def test_what_is_logged_and_wrong_is_refused(change: Callable[[World], None], reason: str) -> None:
    """Every signature, hash and proof of the logs is good here; what they say is not."""
    world = World()
    change(world)
    with pytest.raises(BundleError, match=reason):
        verify_bundle(world.bundle(), TRUST)


def test_the_activation_must_come_after_what_it_activates() -> None:
    """An activation logged before its model, pointing ahead, is refused by its place."""
    world = World()
    world.activation.model_index, world.activation.policy_index = 1, 2
    world.decision.activation_index = 0
    ordered = world.governance_log()
    early = Log(GOVERNANCE, [ordered.entries[2], *ordered.entries[:2]])
    proofs = replace(
        world.proofs(), governance=GovernanceProofs(early.checkpoint(), early.prove(1), early.prove(2), early.prove(0))
    )
    with pytest.raises(BundleError, match="comes before the model or policy"):
        verify_bundle(encode_bundle(proofs), TRUST)


def test_a_decision_must_be_logged_from_its_own_partition() -> None:
    """The envelope's partition is the decision's."""
    world = World()
    log = Log(DECISIONS)
    index = log.append(EntryKind.ENTRY_KIND_DECISION, world.decision.SerializeToString(), partition=1)
    proofs = replace(world.proofs(), decision=log.prove(index), checkpoint=log.checkpoint())
    with pytest.raises(BundleError, match="it is of partition 2, and was logged from 1"):
        verify_bundle(encode_bundle(proofs), TRUST)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (EntryKind.ENTRY_KIND_REPORT, World().decision.SerializeToString(), "of kind report and not decision"),
        (EntryKind.ENTRY_KIND_MALFORMED, b"", "of kind malformed and not decision"),
        (EntryKind.ENTRY_KIND_UNSPECIFIED, World().decision.SerializeToString(), "of kind unspecified and not decision"),
        (EntryKind.ENTRY_KIND_DECISION, b"\xff", "its record is not a well-formed Decision"),
        (EntryKind.ENTRY_KIND_DECISION, World().decision.SerializeToString() + b"\xf8\x07\x01", "does not know"),
        (EntryKind.ENTRY_KIND_DECISION, b"", "topic '' is not in the trust policy"),
    ],
)
def test_another_kind_of_entry_is_no_decision(kind: EntryKind, value: bytes, reason: str) -> None:
    """Only a well-formed decision in a decision's envelope counts, however well it is logged."""
    log = Log(DECISIONS)
    index = log.append(kind, value, partition=2)
    proofs = replace(World().proofs(), decision=log.prove(index), checkpoint=log.checkpoint())
    with pytest.raises(BundleError, match=reason):
        verify_bundle(encode_bundle(proofs), TRUST)


def test_an_entry_s_unknown_field_in_a_commitment_is_found() -> None:
    """Unknown fields are looked for inside messages too."""
    world = World()
    world.decision.commitments[2].MergeFromString(b"\xf8\x07\x01")
    with pytest.raises(BundleError, match="its record holds a field that this version does not know"):
        verify_bundle(world.bundle(), TRUST)


def test_a_checkpoint_of_another_key_is_refused() -> None:
    """Only the log's own key signs for it."""
    world = World()
    log = Log(DECISIONS)
    index = log.append(EntryKind.ENTRY_KIND_DECISION, world.decision.SerializeToString(), partition=2)
    proofs = replace(world.proofs(), decision=log.prove(index), checkpoint=log.checkpoint(signer="eve"))
    with pytest.raises(BundleError, match="the decisions log's checkpoint is refused"):
        verify_bundle(encode_bundle(proofs), TRUST)


def test_an_activation_for_a_decision_that_names_none_is_refused() -> None:
    """A bundle carries nothing that its decision does not call for."""
    world = World()
    governance = world.proofs().governance
    world.reject(ReasonCode.REASON_CODE_NO_ACTIVE_MODEL, in_force=False)
    with pytest.raises(BundleError, match="proves an activation, and the decision names none"):
        verify_bundle(encode_bundle(replace(world.proofs(), governance=governance)), TRUST)


def test_a_rejection_discloses_nothing() -> None:
    """There is no commitment that a disclosure could open."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_VALUE_NULL)
    with pytest.raises(BundleError, match="discloses identity, and the decision commits to nothing"):
        verify_bundle(world.bundle("identity"), TRUST)


@pytest.mark.parametrize(
    ("group", "content", "reason"),
    [
        ("identity", b"\xff", "the disclosed identity is not sound: its content is not a well-formed Identity"),
        ("explanation", b"\xf8\x07\x01", "does not know"),
        ("features", FeatureVector(feature_schema_digest=bytes(32)).SerializeToString(), "of another feature schema"),
    ],
)
def test_a_commitment_to_nonsense_is_refused(group: str, content: bytes, reason: str) -> None:
    """What opens must also be what the group says it is."""
    with pytest.raises(BundleError, match=reason):
        verify_bundle(World(contents={group: content}).bundle(group), TRUST)


@pytest.mark.parametrize("features", [(), (1.0,), (1.0, 2.0, 3.0)])
def test_a_vector_has_its_schema_s_length(features: tuple[float, ...]) -> None:
    """One float32 a feature, no more and no less."""
    with pytest.raises(BundleError, match=f"it has {4 * len(features)} bytes, and the schema's 2 features"):
        verify_bundle(World(features=features).bundle("features"), TRUST)


def test_disclosures_can_be_of_some_other_decision_s_world() -> None:
    """A disclosure that opens another decision's commitment opens nothing here."""
    proofs: ProofBundle = World().proofs()
    other = World(features=(1.0, 2.0))
    opening = Opening("features", other.salt("features"), other.contents["features"])
    with pytest.raises(BundleError, match="the disclosed features is not what the decision commits to"):
        verify_bundle(encode_bundle(replace(proofs, disclosures=[opening])), TRUST)


def test_a_roll_back_to_an_old_activation_s_entry_is_caught_by_its_index() -> None:
    """A bundle cannot prove another, even properly approved, activation than the one that the decision names."""
    world = World()
    log = world.governance_log()
    world.activation.number, world.activation.superseded_index = 1, 2
    newer = log.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(world.activation))
    proofs = replace(
        world.proofs(), governance=GovernanceProofs(log.checkpoint(), log.prove(0), log.prove(1), log.prove(newer))
    )
    with pytest.raises(BundleError, match=f"names the activation at 2, the bundle proves {newer}"):
        verify_bundle(encode_bundle(proofs), TRUST)
