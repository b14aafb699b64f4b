"""Who may sign, and how that changes: each rule attacked."""

from collections.abc import Sequence
from typing import Any

import pytest

from tallystick.contracts import Activation, Enrolment, EnrolmentStatement, EntryKind
from tallystick.trust.enrolments import Roster, needed
from tallystick.trust.governance import Governance, replay

from .helpers import (
    DECISIONS,
    GOVERNANCE,
    Log,
    activation,
    activation_statement,
    enrolment,
    model_statement,
    model_version,
    policy_digest,
    policy_statement,
    policy_version,
    public,
    sign,
    trust_policy,
)

TRUST = trust_policy()  # ada and pat publish; ada, bob and cyd approve
MODEL, POLICY = model_statement(), policy_statement()
ENROLMENT, ACTIVATION = EntryKind.ENTRY_KIND_ENROLMENT, EntryKind.ENTRY_KIND_ACTIVATION


def first(*signers: str) -> tuple[EntryKind, bytes]:
    """Return the first activation, of the model at 0 under the policy at 1."""
    return ACTIVATION, activation(activation_statement(MODEL.digest, policy_digest(POLICY)), *signers)


def after(*records: tuple[EntryKind, bytes]) -> Governance:
    """Replay a log of a model (0), a policy (1) and these records (2, …)."""
    log = Log(GOVERNANCE)
    log.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(MODEL))
    log.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(POLICY))
    for kind, value in records:
        log.append(kind, value)
    return replay(log.entries, TRUST)


def roles(governance: Governance, name: str) -> set[str]:
    """Return a person's roles at the end."""
    return set(governance.roster.people[name].roles)


def test_two_others_enrol_somebody_who_then_signs() -> None:
    """An enrolled approver's signature counts from the next entry on, and their place and signers are known."""
    governance = after((ENROLMENT, enrolment("dan", ["approver"])), first("ada", "dan"))
    assert governance.rejected == []
    assert [(item.index, item.approvers) for item in governance.enrolments] == [(2, ("ada", "bob"))]
    assert governance.activations[0].approvers == ("ada", "dan")


def test_an_enrolled_publisher_publishes() -> None:
    """Every role can be given, and counts for what it is for."""
    other = model_statement(digest=b"2" * 32)
    governance = after(
        (ENROLMENT, enrolment("dan", ["publisher"])),
        (EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(other, "dan")),
        first("ada", "dan"),
    )
    assert set(governance.models) == {MODEL.digest, other.digest}
    assert governance.rejected == [(4, "its signer 'dan' is not an approver")]


def test_nobody_signs_before_being_enrolled() -> None:
    """An activation logged before the enrolment that would allow it stays without effect."""
    governance = after(first("ada", "dan"), (ENROLMENT, enrolment("dan", ["approver"])))
    assert governance.rejected == [(2, "its signer 'dan' is neither in the trust policy nor enrolled")]
    assert governance.activations == ()


def test_a_revoked_signature_counts_for_nothing_any_more() -> None:
    """What a revoked founder signs is rejected, whenever it was signed; what was logged before stands."""
    second = activation_statement(MODEL.digest, policy_digest(POLICY), number=1, superseded_index=2)
    governance = after(
        first("ada", "bob"),
        (ENROLMENT, enrolment("bob", [], "ada", "cyd")),
        (ACTIVATION, activation(second, "ada", "bob")),
        (ACTIVATION, activation(second, "ada", "cyd")),
    )
    assert governance.rejected == [(4, "its signer 'bob' was revoked")]
    assert [taken.approvers for taken in governance.activations] == [("ada", "bob"), ("ada", "cyd")]


def test_roles_are_replaced_not_added() -> None:
    """An enrolment states all roles of a person: ada, publisher and approver, is left a publisher."""
    governance = after((ENROLMENT, enrolment("ada", ["publisher"], "bob", "cyd")), first("ada", "bob"))
    assert roles(governance, "ada") == {"publisher"}
    assert governance.rejected == [(3, "its signer 'ada' is not an approver")]


def test_a_revoked_person_comes_back_with_the_same_key() -> None:
    """Two others give roles again, naming the revocation as superseded."""
    governance = after(
        (ENROLMENT, enrolment("bob", [], "ada", "cyd")),
        (ENROLMENT, enrolment("bob", ["approver"], "ada", "cyd", superseded=2)),
        first("ada", "bob"),
    )
    assert governance.rejected == []
    assert len(governance.activations) == 1


def test_enrolled_people_can_replace_every_founder() -> None:
    """The roster evolves with the log: two newcomers revoke all who were there before, and go on by themselves."""
    governance = after(
        (ENROLMENT, enrolment("dan", ["approver"])),
        (ENROLMENT, enrolment("eve", ["approver"])),
        *((ENROLMENT, enrolment(name, [], "dan", "eve")) for name in ("ada", "bob", "cyd")),
        first("dan", "eve"),
    )
    assert governance.rejected == []
    assert governance.roster.holding("approver") == ("dan", "eve")


def test_the_last_two_cannot_be_revoked() -> None:
    """Whoever is revoked was revoked by two others, so two always remain; neither of them can go."""
    governance = after(
        (ENROLMENT, enrolment("cyd", [], "ada", "bob")),
        (ENROLMENT, enrolment("bob", [], "ada", "cyd")),
        (ENROLMENT, enrolment("bob", [], "ada", "bob")),
        (ENROLMENT, enrolment("bob", [], "ada", "ada")),
    )
    assert [index for index, _ in governance.rejected] == [3, 4, 5]
    assert governance.roster.holding("approver") == ("ada", "bob")


REFUSED: dict[str, tuple[bytes, str]] = {
    "one signature": (enrolment("dan", ["approver"], "ada"), "1 of the 2 approver signatures"),
    "one person twice": (enrolment("dan", ["approver"], "ada", "ada"), "'ada' signed it twice"),
    "a publisher signs": (enrolment("dan", ["approver"], "ada", "pat"), "'pat' is not an approver"),
    "a stranger signs": (enrolment("dan", ["approver"], "ada", "eve"), "'eve' is neither"),
    "the newcomer signs": (enrolment("dan", ["approver"], "ada", "dan"), "'dan' is neither"),
    "the newcomer signs as a third": (enrolment("dan", ["approver"], "ada", "bob", "dan"), "'dan' is neither"),
    "one's own roles": (enrolment("ada", ["approver"], "ada", "bob"), "'ada' signed an enrolment of their own"),
    "one's own roles, as a third": (
        enrolment("ada", ["approver"], "bob", "cyd", "ada"),
        "'ada' signed an enrolment of their own",
    ),
    "a second name for a key": (
        enrolment("ada-2", ["approver"], public_key=public("ada")),
        "the key of 'ada-2' is that of 'ada'",
    ),
    "another key for a name": (enrolment("cyd", [], public_key=public("dan")), "'cyd' has another key"),
    "a log's key": (enrolment("dan", ["approver"], public_key=public(DECISIONS)), "is that of a log or a witness"),
    "a witness's key": (enrolment("dan", ["approver"], public_key=public("notary-clock")), "is that of a log or a witness"),
    "a key of small order": (enrolment("dan", ["approver"], public_key=bytes(32)), "the key of 'dan': "),
    "half a key": (enrolment("dan", ["approver"], public_key=public("dan")[:31]), "the key of 'dan': "),
    "an unknown role": (enrolment("dan", ["king"]), "its roles must be some of approver, publisher"),
    "a role twice": (enrolment("dan", ["approver", "approver"]), "its roles must be"),
    "roles out of order": (enrolment("dan", ["publisher", "approver"]), "its roles must be"),
    "another log's": (enrolment("dan", ["approver"], log=DECISIONS), "is for the log 'tallystick.example/test/decisions'"),
    "nobody to revoke": (enrolment("dan", []), "there is nobody called 'dan' to revoke"),
    "what is so already": (enrolment("cyd", ["approver"]), "it changes nothing"),
    "superseding what is none": (enrolment("dan", ["approver"], superseded=0), "that one supersedes none"),
    "no name": (enrolment("", ["approver"]), "a new name must be"),
    "a name that looks like another": (enrolment("аda", ["approver"]), "a new name must be"),  # the first letter is Cyrillic
    "a name with a space behind": (enrolment("dan ", ["approver"]), "a new name must be"),
    "a name that steers a terminal": (enrolment("\x1b[2J", ["approver"]), "a new name must be"),
    "a long name": (enrolment("d" * 65, ["approver"]), "a new name must be"),
    "an unknown field": (enrolment("dan", ["approver"]) + b"\xf8\x07\x01", "a field that this version does not know"),
    "no record": (b"\xff", "not a well-formed Enrolment"),
    "empty": (b"", "0 of the 2 approver signatures"),
}


@pytest.mark.parametrize(("record", "reason"), REFUSED.values(), ids=REFUSED)
def test_an_enrolment_against_the_rules_has_no_effect(record: bytes, reason: str) -> None:
    """It is rejected with its reason, and the roster is the founders'."""
    governance = after((ENROLMENT, record))
    assert [index for index, _ in governance.rejected] == [2]
    assert reason in governance.rejected[0][1]
    assert governance.roster == Roster.founders(TRUST)


@pytest.mark.parametrize("name", ["dan-2", "bob-2"])
def test_a_revoked_key_is_not_enrolled_under_another_name(name: str) -> None:
    """A key has one name for ever: that of a revoked founder or of a revoked newcomer does not come back as another person."""
    old = name.removesuffix("-2")
    governance = after(
        (ENROLMENT, enrolment("dan", ["approver"], "ada", "cyd")),
        (ENROLMENT, enrolment("dan", [], "ada", "cyd", superseded=2)),
        (ENROLMENT, enrolment("bob", [], "ada", "cyd")),
        (ENROLMENT, enrolment(name, ["approver"], "ada", "cyd", public_key=public(old))),
    )
    assert governance.rejected == [(5, f"the key of '{name}' is that of '{old}': a person has one name, revoked or not")]


def test_an_enrolment_logged_again_has_no_effect() -> None:
    """The very records that enrolled, revoked and enrolled somebody again, logged once more, bring nothing back."""
    records = [
        (ENROLMENT, enrolment("dan", ["approver"])),
        (ENROLMENT, enrolment("dan", [], superseded=2)),
        (ENROLMENT, enrolment("dan", ["approver"], superseded=3)),
        (ENROLMENT, enrolment("dan", [], superseded=4)),
    ]
    governance = after(*records, *records)
    assert [index for index, _ in governance.rejected] == [6, 7, 8, 9]
    assert roles(governance, "dan") == set()


def test_signatures_on_one_kind_do_not_count_for_another() -> None:
    """Approvals of an activation, moved to an enrolment, are no approvals."""
    data = EnrolmentStatement(log=GOVERNANCE, signer="dan", public_key=public("dan"), roles=["approver"]).SerializeToString()
    record = Enrolment(statement=data, signatures=sign("ActivationStatement", data, "ada", "bob")).SerializeToString()
    assert "is not good" in after((ENROLMENT, record)).rejected[0][1]


def test_a_newcomer_s_name_with_the_founder_s_key_signs_nothing() -> None:
    """After dan is enrolled, ada's key under dan's name is no second approval."""
    statement = activation_statement(MODEL.digest, policy_digest(POLICY)).SerializeToString(deterministic=True)
    signatures = sign("ActivationStatement", statement, "ada", "ada")
    signatures[1].signer = "dan"
    record = Activation(statement=statement, signatures=signatures).SerializeToString()
    governance = after((ENROLMENT, enrolment("dan", ["approver"])), (ACTIVATION, record))
    assert governance.rejected == [(3, "the signature of 'dan' on it is not good")]


def chain(*links: tuple[str, Sequence[str], Sequence[str], int | None]) -> Governance:
    """Replay enrolments only, from index 2 on: name, roles, signers, superseded."""
    return after(*((ENROLMENT, enrolment(name, given, *by, superseded=last)) for name, given, by, last in links))


@pytest.mark.parametrize(
    ("names", "before", "expected"),
    [
        (["ada", "bob"], 100, set()),
        (["dan"], 100, {2}),
        (["dan"], 2, set()),
        (["eve"], 100, {2, 3}),
        (["fay"], 100, {2, 3, 4, 5}),
        (["eve"], 4, {2, 3}),
        (["ada", "gus"], 100, {6}),
    ],
)
def test_what_shows_who_somebody_was_goes_back_to_the_founders(names: Sequence[str], before: int, expected: set[int]) -> None:
    """Somebody's own enrolments, those of who signed them, and so on; nothing of others, nothing later."""
    any_role: Any = ["approver"]
    governance = chain(
        ("dan", any_role, ("ada", "bob"), None),
        ("eve", any_role, ("ada", "dan"), None),
        ("eve", ["approver", "publisher"], ("ada", "dan"), 3),
        ("fay", any_role, ("eve", "dan"), None),
        ("gus", any_role, ("ada", "bob"), None),
    )
    assert governance.rejected == []
    expected = expected | ({4} if "eve" in names and before == 100 else set())
    assert needed(governance.enrolments, names, before) == expected
