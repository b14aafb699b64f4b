"""The governance part of bundles: of what enrolled people signed, they carry who enrolled them, and nothing less verifies."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tallystick.contracts import EntryKind
from tallystick.trust.bundle import BundleError, VerifiedBundle, verify_bundle
from tallystick.trust.bundle_format import GovernanceProofs, encode_bundle

from .helpers import DECISIONS, GOVERNANCE, Log, World, activation, enrolment, model_version, policy_version, trust_policy

TRUST = trust_policy()
DAN, EVE, MODEL, POLICY, ACTIVATION, LATER = range(6)
"""Where things are in the log: dan and eve enrolled (eve by ada and dan), model, policy, activation, and dan revoked."""


def governed() -> tuple[World, Log]:
    """Return a world whose model pat published and dan and eve activated, and its governance log."""
    world = World(approvers=("dan", "eve"))
    world.activation.model_index, world.activation.policy_index = MODEL, POLICY
    world.decision.activation_index = ACTIVATION
    log = Log(GOVERNANCE)
    log.append(EntryKind.ENTRY_KIND_ENROLMENT, enrolment("dan", ["approver"]))
    log.append(EntryKind.ENTRY_KIND_ENROLMENT, enrolment("eve", ["approver"], "ada", "dan"))
    log.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(world.model))
    log.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(world.policy))
    log.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(world.activation, *world.approvers))
    log.append(EntryKind.ENTRY_KIND_ENROLMENT, enrolment("dan", [], "ada", "bob", superseded=DAN))
    return world, log


def bundle(world: World, log: Log, shown: Sequence[int]) -> bytes:
    """Return the bundle that shows these enrolments."""
    proofs = GovernanceProofs(
        log.checkpoint(), log.prove(MODEL), log.prove(POLICY), log.prove(ACTIVATION), [log.prove(index) for index in shown]
    )
    return encode_bundle(replace(world.proofs(governance=log), governance=proofs))


def verified(shown: Sequence[int]) -> VerifiedBundle:
    """Verify the bundle that shows these enrolments."""
    return verify_bundle(bundle(*governed(), shown), TRUST)


def test_enrolled_approvers_signatures_count() -> None:
    """With the enrolments of both, it verifies, and says by whom they were enrolled and what it cannot show."""
    found = verified([DAN, EVE])
    assert found.activation is not None
    assert found.activation.approvers == ("dan", "eve")
    assert "dan was enrolled as approver by ada and bob (entry 0)" in found.checks
    assert "eve was enrolled as approver by ada and dan (entry 1)" in found.checks
    assert any("had been revoked before" in line for line in found.unchecked)


def test_even_founders_may_have_been_revoked() -> None:
    """A bundle of founders alone says as well that it cannot show that nobody was revoked."""
    found = verify_bundle(World().bundle(), TRUST)
    assert found.governance is not None
    assert found.governance.enrolments == ()
    assert any("had been revoked before" in line for line in found.unchecked)


REFUSED: dict[str, tuple[Sequence[int], str]] = {
    "nothing shown": ((), "its signer 'dan' is neither in the trust policy nor enrolled"),
    "one is missing": ((DAN,), "its signer 'eve' is neither in the trust policy nor enrolled"),
    "who enrolled her is missing": ((EVE,), "the enrolment at index 1 is not sound: its signer 'dan' is neither"),
    "out of order": ((EVE, DAN), "the enrolment at index 1 is not sound"),
    "one twice": ((DAN, DAN, EVE), "not in the log's order"),
    "one too many": ((DAN, EVE, LATER), "shows an enrolment at index 5 that nothing in it calls for"),
    "a model for an enrolment": ((DAN, EVE, MODEL), "the enrolment is not sound: the entry is of kind model version"),
}


@pytest.mark.parametrize(("shown", "reason"), REFUSED.values(), ids=REFUSED)
def test_other_enrolments_than_are_needed_are_refused(shown: Sequence[int], reason: str) -> None:
    """Exactly those that lead from the founders to the signers, in the log's order."""
    with pytest.raises(BundleError, match=reason):
        verified(shown)


def test_an_enrolment_after_the_activation_does_not_count_for_it() -> None:
    """Who signs first and is enrolled later has not signed."""
    world, log = governed()
    world.activation.model_index, world.activation.policy_index, world.decision.activation_index = 1, 2, 3
    fresh = Log(GOVERNANCE, [log.entries[index] for index in (DAN, MODEL, POLICY)])
    fresh.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(world.activation, *world.approvers))
    fresh.append(EntryKind.ENTRY_KIND_ENROLMENT, enrolment("eve", ["approver"], "ada", "dan"))
    proofs = GovernanceProofs(
        fresh.checkpoint(), fresh.prove(1), fresh.prove(2), fresh.prove(3), [fresh.prove(0), fresh.prove(4)]
    )
    with pytest.raises(BundleError, match="the activation is not sound: its signer 'eve' is neither"):
        verify_bundle(encode_bundle(replace(world.proofs(governance=fresh), governance=proofs)), TRUST)


def _strip_proof(document: dict[str, dict[str, list[dict[str, list[str]]]]]) -> None:
    document["governance"]["enrolments"][0]["proof"].pop()


def _swap(document: dict[str, dict[str, list[dict[str, list[str]]]]]) -> None:
    first, second = document["governance"]["enrolments"]
    first["entry"], second["entry"] = second["entry"], first["entry"]


@pytest.mark.parametrize("change", [_strip_proof, _swap])
def test_an_enrolment_that_the_log_does_not_hold_is_refused(
    change: Callable[[dict[str, dict[str, list[dict[str, list[str]]]]]], None],
) -> None:
    """Each is proven like everything else in the bundle."""
    document = json.loads(bundle(*governed(), [DAN, EVE]))
    change(document)
    with pytest.raises(BundleError, match="the enrolment is not in the log"):
        verify_bundle(json.dumps(document).encode(), TRUST)


def test_enrolments_may_be_absent() -> None:
    """A bundle of founders verifies without the name."""
    document = json.loads(World().bundle())
    del document["governance"]["enrolments"]
    assert verify_bundle(json.dumps(document).encode(), TRUST).governance is not None


def test_a_governance_checkpoint_without_quorum_is_refused() -> None:
    """A policy that wants a witness wants it on both logs."""
    world = World()
    proofs = world.proofs()
    assert proofs.governance is not None
    bare = replace(proofs.governance, checkpoint=world.governance_log().checkpoint(cosigners=()))
    with pytest.raises(BundleError, match=r"the governance log's checkpoint is refused: .*quorum"):
        verify_bundle(encode_bundle(replace(proofs, governance=bare)), trust_policy("notary-clock"))


def test_an_activation_cannot_come_from_the_decisions_log() -> None:
    """Whoever writes the decisions log cannot slip governance entries into it."""
    world = World()
    forged = Log(DECISIONS, world.governance_log().entries)
    proofs = replace(
        world.proofs(), governance=GovernanceProofs(forged.checkpoint(), forged.prove(0), forged.prove(1), forged.prove(2))
    )
    with pytest.raises(BundleError, match="the governance log's checkpoint is refused"):
        verify_bundle(encode_bundle(proofs), TRUST)
