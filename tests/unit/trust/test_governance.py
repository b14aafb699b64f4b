"""The governance log's rules, each attacked."""

from collections.abc import Callable
from typing import Any

import pytest

from tallystick.contracts import Activation, ActivationStatement, EntryKind, LogEntry, ModelVersion, Signature
from tallystick.trust.enrolments import Roster
from tallystick.trust.governance import Governance, replay
from tallystick.trust.log_keys import LogKeys

from .helpers import (
    GOVERNANCE,
    NOW_MS,
    Log,
    activation,
    activation_statement,
    key,
    model_statement,
    model_version,
    policy_digest,
    policy_statement,
    policy_version,
    sign,
    trust_policy,
)

TRUST = trust_policy()
MODEL = model_statement()
OTHER = model_statement(version="2", digest=b"2" * 32)
POLICY = policy_statement()
FIRST: dict[str, Any] = {}
SECOND = {"number": 1, "superseded_index": 3, "model_digest": OTHER.digest, "model_index": 2}


def log() -> Log:
    """Return a log of two models (0 and 2), a policy (1) and the first activation (3)."""
    out = Log(GOVERNANCE)
    out.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(MODEL))
    out.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(POLICY))
    out.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(OTHER))
    out.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(statement()))
    return out


def statement(**changes: Any) -> ActivationStatement:
    """Return the first activation's statement, changed."""
    return activation_statement(MODEL.digest, policy_digest(POLICY), **changes)


def after(*records: tuple[EntryKind, bytes]) -> Governance:
    """Replay the log with these records after it."""
    longer = log()
    for kind, value in records:
        longer.append(kind, value)
    return replay(longer.entries, TRUST)


def numbers(governance: Governance) -> list[tuple[int, int]]:
    """Return each accepted activation's index and number."""
    return [(taken.index, taken.number) for taken in governance.activations]


def test_a_sound_log_amounts_to_what_it_says() -> None:
    """Models, policies and activations are there with their places and signers, and nothing is rejected."""
    governance = after((EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**SECOND), "bob", "cyd")))
    assert governance.rejected == []
    assert governance.models == {MODEL.digest: (0, MODEL), OTHER.digest: (2, OTHER)}
    assert governance.policies == {policy_digest(POLICY): (1, POLICY)}
    first, second = governance.activations
    assert (first.index, first.number, first.slot, first.approvers) == (3, 0, "champion", ("ada", "bob"))
    assert (second.index, second.number, second.model, second.policy) == (4, 1, OTHER, POLICY)
    assert second.approvers == ("bob", "cyd")
    assert governance.slot("champion") == governance.activations
    assert governance.slot("challenger") == ()


def test_an_empty_log_is_no_error() -> None:
    """Nothing governs yet."""
    assert replay([], TRUST) == Governance({}, {}, (), (), (), (), Roster.founders(TRUST), LogKeys(), [])


def test_kinds_that_govern_nothing_pass() -> None:
    """Reports and the like are neither applied nor rejected, whatever is in them."""
    governance = after((EntryKind.ENTRY_KIND_REPORT, b"\xff"), (EntryKind.ENTRY_KIND_MALFORMED, b""))
    assert governance.rejected == []


def test_each_slot_counts_for_itself() -> None:
    """A challenger's first activation has number 0 and supersedes none, whatever the champion's count is."""
    governance = after((EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(slot="challenger/b"))))
    assert [taken.slot for taken in governance.activations] == ["champion", "challenger/b"]


def test_the_effective_time_may_go_backwards() -> None:
    """A planned activation is replaced by one that is due before it; order is by number, not by time."""
    governance = after((EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**SECOND, effective_at_ms=NOW_MS - 1))))
    assert [taken.effective_at_ms for taken in governance.activations] == [NOW_MS, NOW_MS - 1]


def test_an_old_model_comes_back_by_a_new_activation() -> None:
    """Going back takes a new number and two new signatures, and is then good."""
    back = {"number": 2, "superseded_index": 4}
    governance = after(
        (EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**SECOND))),
        (EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**back))),
    )
    assert [taken.model_digest for taken in governance.activations] == [MODEL.digest, OTHER.digest, MODEL.digest]


ACTIVATIONS: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "one approver": (SECOND, ("ada",), "1 of the 2 approver signatures"),
    "one approver twice": (SECOND, ("ada", "ada"), "'ada' signed it twice"),
    "nobody": (SECOND, ("nobody",), "'nobody' is neither in the trust policy nor enrolled"),
    "a publisher approves": (SECOND, ("ada", "pat"), "'pat' is not an approver"),
    "a third, unknown hand": (SECOND, ("ada", "bob", "eve"), "'eve' is neither in the trust policy nor enrolled"),
    "number replayed": (SECOND | {"number": 0, "superseded_index": None}, (), "has number 0, and the next of 'champion' is 1"),
    "number skipped": (SECOND | {"number": 2}, (), "has number 2, and the next of 'champion' is 1"),
    "number far ahead": (SECOND | {"number": 2**64 - 1}, (), "and the next of 'champion' is 1"),
    "supersedes none": (SECOND | {"superseded_index": None}, (), "every other supersedes one"),
    "supersedes another": (SECOND | {"superseded_index": 1}, (), "supersedes index 1, and the last one is at 3"),
    "supersedes itself": (SECOND | {"superseded_index": 4}, (), "supersedes index 4, and the last one is at 3"),
    "first supersedes one": (
        {"slot": "challenger/x", "superseded_index": 3},
        (),
        "the first activation of a slot has number 0",
    ),
    "slot starts at one": (
        {"slot": "challenger/x", "number": 1, "superseded_index": 3},
        (),
        "has number 1, and the next of 'challenger/x' is 0",
    ),
    "index of another model": (SECOND | {"model_index": 0}, (), "points to another model than the one at index 2"),
    "digest of another model": (SECOND | {"model_digest": MODEL.digest}, (), "points to another model than the one at index 0"),
    "model never published": (SECOND | {"model_digest": b"3" * 32}, (), "a model that no earlier entry published"),
    "model digest missing": (SECOND | {"model_digest": None}, (), "a model that no earlier entry published"),
    "index of another policy": (SECOND | {"policy_index": 0}, (), "points to another policy than the one at index 1"),
    "policy never published": (SECOND | {"policy_digest": b"3" * 32}, (), "a policy that no earlier entry published"),
    "no slot": (SECOND | {"slot": ""}, (), "is neither champion nor challenger/ and a name"),
    "slot that steers a terminal": (
        SECOND | {"slot": "challenger/\x1b[2J"},
        (),
        "is neither champion nor challenger/ and a name",
    ),
    "slot without a name": (SECOND | {"slot": "challenger/"}, (), "is neither champion nor challenger/ and a name"),
    "another log": (SECOND | {"log": "test.example/governance"}, (), "is for the log 'test.example/governance' and not for"),
    "no log": (SECOND | {"log": None}, (), "is for the log '' and not for"),
    "a champion with an end": (SECOND | {"until_ms": 2**60}, (), "ends with the next one"),
}


@pytest.mark.parametrize(("changes", "signers", "reason"), ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_a_bad_activation_has_no_effect(changes: dict[str, Any], signers: tuple[str, ...], reason: str) -> None:
    """It is recorded with its reason, what was in force stays so, and the next good one still counts."""
    governance = after(
        (EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**changes), *signers)),
        (EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**SECOND))),
    )
    assert [index for index, _ in governance.rejected] == [4]
    assert reason in governance.rejected[0][1]
    assert numbers(governance) == [(3, 0), (5, 1)]


def test_an_activation_logged_again_has_no_effect() -> None:
    """The very same record, signatures and all, does not roll anything back."""
    governance = after(
        (EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**SECOND))),
        (EntryKind.ENTRY_KIND_ACTIVATION, activation(statement())),
        (EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**SECOND))),
    )
    assert numbers(governance) == [(3, 0), (4, 1)]
    assert [index for index, _ in governance.rejected] == [5, 6]


def test_signatures_cannot_be_moved_to_another_statement() -> None:
    """Approvals of one activation are worth nothing on the next."""
    old = Activation.FromString(activation(statement()))
    forged = Activation(statement=statement(**SECOND).SerializeToString(), signatures=old.signatures)
    governance = after((EntryKind.ENTRY_KIND_ACTIVATION, forged.SerializeToString()))
    assert "is not good" in governance.rejected[0][1]


def test_a_stolen_name_is_not_a_signature() -> None:
    """Signing as someone else with one's own key is refused."""
    data = statement(**SECOND).SerializeToString()
    signatures = sign("ActivationStatement", data, "ada")
    signatures.append(Signature(signer="bob", signature=key("ada").sign(b"tallystick/v1/ActivationStatement\n" + data)))
    forged = Activation(statement=data, signatures=signatures)
    governance = after((EntryKind.ENTRY_KIND_ACTIVATION, forged.SerializeToString()))
    assert "the signature of 'bob' on it is not good" in governance.rejected[0][1]


def test_an_activation_counts_only_after_its_model_and_policy() -> None:
    """Activating first and publishing later is refused, and stays so."""
    early = Log(GOVERNANCE)
    early.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(model_index=1, policy_index=2)))
    early.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(MODEL))
    early.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(POLICY))
    governance = replay(early.entries, TRUST)
    assert governance.activations == ()
    assert governance.rejected == [(0, "the activation names a model that no earlier entry published")]


def test_a_rejected_model_cannot_be_activated() -> None:
    """An activation that points to a model version which did not count has no effect either."""
    forged = Log(GOVERNANCE)
    forged.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(MODEL, "bob"))
    forged.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(POLICY))
    forged.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(statement()))
    governance = replay(forged.entries, TRUST)
    assert [index for index, _ in governance.rejected] == [0, 2]
    assert governance.activations == ()


def test_a_digest_is_published_once() -> None:
    """A model published again, with another schema for example, changes nothing about the first."""
    again = model_statement(name="twin", digest=MODEL.digest)
    governance = after((EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(again)))
    assert governance.rejected == [(4, "the same model was published before, at index 0")]
    assert governance.models[MODEL.digest] == (0, MODEL)
    governance = after((EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(POLICY)))
    assert governance.rejected == [(4, "the same policy was published before, at index 1")]


def _new_model(**changes: Any) -> Callable[[], tuple[EntryKind, bytes]]:
    new = {"digest": b"3" * 32} | changes
    return lambda: (EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(model_statement(**new)))


def _new_policy(**changes: Any) -> Callable[[], tuple[EntryKind, bytes]]:
    new = {"version": "2"} | changes
    return lambda: (EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(policy_statement(**new)))


def _unsigned() -> tuple[EntryKind, bytes]:
    data = OTHER.SerializeToString()
    return EntryKind.ENTRY_KIND_MODEL_VERSION, ModelVersion(statement=data).SerializeToString()


VERSIONS: dict[str, tuple[Callable[[], tuple[EntryKind, bytes]], str]] = {
    "unsigned": (_unsigned, "0 of the 1 publisher signatures"),
    "published by an approver": (
        lambda: (EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(model_statement(digest=b"3" * 32), "bob")),
        "'bob' is not a publisher",
    ),
    "published by nobody": (
        lambda: (EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(policy_statement(version="2"), "eve")),
        "'eve' is neither in the trust policy nor enrolled",
    ),
    "a publisher and a stranger": (
        lambda: (EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(model_statement(digest=b"3" * 32), "pat", "eve")),
        "'eve' is neither in the trust policy nor enrolled",
    ),
    "policy in a model's clothes": (
        lambda: (EntryKind.ENTRY_KIND_MODEL_VERSION, policy_version(policy_statement(version="2"))),
        "the signature of 'pat' on it is not good",
    ),
    "no record": (lambda: (EntryKind.ENTRY_KIND_MODEL_VERSION, b"\xff"), "the record is not a well-formed ModelVersion"),
    "empty record": (lambda: (EntryKind.ENTRY_KIND_POLICY_VERSION, b""), "0 of the 1 publisher signatures"),
    "an unknown field": (
        lambda: (EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(OTHER) + b"\xf8\x07\x01"),
        "the record holds a field that this version does not know",
    ),
    "model without a name": (_new_model(name=""), "its name must be"),
    "model with a long version": (_new_model(version="v" * 129), "its version must be"),
    "policy without a name": (_new_policy(name=""), "its name must be"),
    "policy that steers a terminal": (_new_policy(version="\x1b[2J"), "its version must be"),
    "short digest": (_new_model(digest=b"3" * 31), "the model's digest has 31 bytes and not 32"),
    "another format": (_new_model(format="pickle"), "the model's format 'pickle' is not known"),
    "no size": (_new_model(size_bytes=0), "the model's size is missing"),
    "no schema": (_new_model(feature_schema=b""), "the feature schema is refused"),
    "NaN threshold": (_new_policy(decline_margin=float("nan")), "a margin of the policy is not finite"),
    "infinite threshold": (_new_policy(decline_margin=float("inf")), "a margin of the policy is not finite"),
    "thresholds crossed": (_new_policy(review_margin=3.0), "review margin is over its decline margin"),
    "negative tolerance": (_new_policy(event_time_tolerance_ms=-1), "event time tolerance is negative"),
    "accepts nothing": (_new_policy(max_value_bytes=0), "largest value is 0 bytes"),
    "accepts what cannot be logged": (_new_policy(max_value_bytes=65_535), "largest value is 65535 bytes"),
}


@pytest.mark.parametrize(("record", "reason"), VERSIONS.values(), ids=VERSIONS)
def test_a_bad_version_does_not_exist(record: Callable[[], tuple[EntryKind, bytes]], reason: str) -> None:
    """It is recorded with its reason and has no effect; what was there before stays."""
    governance = after(record())
    assert [index for index, _ in governance.rejected] == [4]
    assert reason in governance.rejected[0][1]
    assert (len(governance.models), len(governance.policies)) == (2, 1)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b"\xff", "the entry is not a well-formed LogEntry"),
        (LogEntry(kind=EntryKind.ENTRY_KIND_REPORT).SerializeToString() + b"\xf8\x07\x01", "the entry holds a field"),
    ],
)
def test_an_entry_that_is_none_does_not_stop_the_replay(entry: bytes, reason: str) -> None:
    """It is recorded, and the entries after it count with their own indexes."""
    longer = log()
    longer.entries.append(entry)
    longer.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(statement(**SECOND)))
    governance = replay(longer.entries, TRUST)
    assert numbers(governance) == [(3, 0), (5, 1)]
    assert [(index, reason in said) for index, said in governance.rejected] == [(4, True)]
