"""What follows from a margin and from what applied."""

from collections.abc import Callable

import pytest

from tallystick.contracts import Decision, ListKind, ListSubject, Outcome, PolicyList, PolicyRule, PolicyStatement, ReasonCode
from tallystick.trust.decisions import DecisionError, check_decision, check_outcome
from tallystick.trust.policy_statements import PolicyStatementError, check_policy
from tallystick.trust.rulings import RulingError, reason_by_name, rule_on

from .helpers import World, policy_statement, trust_policy

APPROVE, REVIEW, DECLINE = Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_DECLINE


def member_list(name: str, kind: ListKind) -> PolicyList:
    """Return a list of customers."""
    customer = ListSubject.LIST_SUBJECT_CUSTOMER
    return PolicyList(name=name, kind=kind, subject=customer, digest=bytes(32), salt=bytes(16), entries=1)


def policy() -> PolicyStatement:
    """Return a policy that has one of everything."""
    statement = policy_statement()
    statement.lists.extend(
        [
            member_list("allow", ListKind.LIST_KIND_ALLOW),
            member_list("block", ListKind.LIST_KIND_BLOCK),
            member_list("watch", ListKind.LIST_KIND_WATCH),
        ]
    )
    for name, outcome in (("pass", APPROVE), ("look", REVIEW), ("stop", DECLINE)):
        statement.rules.append(PolicyRule(name=name, outcome=outcome, when="margin > 0"))
    return statement


RULINGS = {
    "nothing applies": ((), (APPROVE, REVIEW, DECLINE), ((), ("MARGIN_REVIEW",), ("MARGIN_DECLINE",))),
    "an allow list lifts the margin": (("allow",), (APPROVE, APPROVE, APPROVE), (("LIST_ALLOW",),) * 3),
    "so does a rule that approves": (("pass",), (APPROVE, APPROVE, APPROVE), (("RULE_APPROVE",),) * 3),
    "a block list declines": (
        ("block",),
        (DECLINE, DECLINE, DECLINE),
        (("LIST_BLOCK",), ("LIST_BLOCK", "MARGIN_REVIEW"), ("LIST_BLOCK", "MARGIN_DECLINE")),
    ),
    "whoever is allowed and blocked is declined": (("allow", "block"), (DECLINE,) * 3, (("LIST_BLOCK", "LIST_ALLOW"),) * 3),
    "a watch list reviews at least": (
        ("watch",),
        (REVIEW, REVIEW, DECLINE),
        (("LIST_WATCH",), ("LIST_WATCH", "MARGIN_REVIEW"), ("MARGIN_DECLINE", "LIST_WATCH")),
    ),
    "an allowed one that is watched is reviewed": (("allow", "watch"), (REVIEW,) * 3, (("LIST_WATCH", "LIST_ALLOW"),) * 3),
    "a rule reviews at least": (
        ("look",),
        (REVIEW, REVIEW, DECLINE),
        (("RULE_REVIEW",), ("RULE_REVIEW", "MARGIN_REVIEW"), ("MARGIN_DECLINE", "RULE_REVIEW")),
    ),
    "of two rules the stricter wins": (("pass", "stop"), (DECLINE,) * 3, (("RULE_DECLINE", "RULE_APPROVE"),) * 3),
    "everything at once": (
        ("allow", "block", "watch", "pass", "look", "stop"),
        (DECLINE,) * 3,
        (("LIST_BLOCK", "RULE_DECLINE", "LIST_WATCH", "RULE_REVIEW", "LIST_ALLOW", "RULE_APPROVE"),) * 3,
    ),
}


@pytest.mark.parametrize(("applied", "outcomes", "reasons"), RULINGS.values(), ids=RULINGS)
def test_the_strictest_demand_wins(
    applied: tuple[str, ...], outcomes: tuple[Outcome, ...], reasons: tuple[tuple[str, ...], ...]
) -> None:
    """For a margin that asks for nothing, for review, and to decline."""
    known = reason_by_name(policy())
    for by_margin, outcome, codes in zip((APPROVE, REVIEW, DECLINE), outcomes, reasons, strict=True):
        found = rule_on(by_margin, applied, known)
        assert (found.outcome, found.applied) == (outcome, applied)
        assert [ReasonCode.Name(code).removeprefix("REASON_CODE_") for code in found.reasons] == list(codes)


@pytest.mark.parametrize("applied", [("stop", "look"), ("look", "look"), ("pass", "allow"), ("other",)])
def test_what_applied_is_named_in_the_policys_order_each_once(applied: tuple[str, ...]) -> None:
    """So that one decision has one form."""
    with pytest.raises(RulingError):
        rule_on(APPROVE, applied, reason_by_name(policy()))


def decided(applied: list[str], outcome: Outcome, *reasons: ReasonCode) -> Decision:
    """Return a decision under `policy`, sound by itself, on a margin that it approves."""
    world = World(margin=-1.0)
    decision = world.decision
    decision.outcome = outcome
    decision.reasons[:] = reasons
    decision.applied[:] = applied
    check_decision(decision, trust_policy())
    return decision


def test_a_decision_must_follow_from_what_it_says_applied() -> None:
    """Outcome and reasons are recomputed from the margin and the names."""
    check_outcome(decided(["look"], REVIEW, ReasonCode.REASON_CODE_RULE_REVIEW), policy())
    wrong: dict[str, tuple[Decision, Callable[[], type[Exception]]]] = {
        "left out": (decided([], REVIEW, ReasonCode.REASON_CODE_RULE_REVIEW), lambda: DecisionError),
        "another reason": (decided(["look"], REVIEW, ReasonCode.REASON_CODE_LIST_WATCH), lambda: DecisionError),
        "one reason too many": (
            decided(["look"], REVIEW, ReasonCode.REASON_CODE_RULE_REVIEW, ReasonCode.REASON_CODE_RULE_APPROVE),
            lambda: DecisionError,
        ),
        "no such rule": (decided(["lock"], REVIEW, ReasonCode.REASON_CODE_RULE_REVIEW), lambda: RulingError),
    }
    for decision, error in wrong.values():
        with pytest.raises(error()):
            check_outcome(decision, policy())


def test_a_rejected_record_was_ruled_on_by_nothing() -> None:
    """It carries no names."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_VALUE_NULL)
    world.decision.applied.append("look")
    with pytest.raises(DecisionError, match="only a scored record"):
        check_decision(world.decision, trust_policy())


def _rule(**fields: object) -> Callable[[PolicyStatement], None]:
    def change(statement: PolicyStatement) -> None:
        for name, value in fields.items():
            setattr(statement.rules[0], name, value)

    return change


def _list(**fields: object) -> Callable[[PolicyStatement], None]:
    def change(statement: PolicyStatement) -> None:
        for name, value in fields.items():
            setattr(statement.lists[0], name, value)

    return change


MALFORMED = {
    "no name": (_rule(name=""), "is no name for a rule or list"),
    "a name that shouts": (_rule(name="Stop"), "is no name for a rule or list"),
    "a name twice": (_rule(name="stop"), "two rules or lists are named 'stop'"),
    "a list's name": (_rule(name="block"), "two rules or lists are named 'block'"),
    "no demand": (_rule(outcome=0), "must demand APPROVE, REVIEW or DECLINE"),
    "rejects": (_rule(outcome=4), "must demand APPROVE, REVIEW or DECLINE"),
    "no expression": (_rule(when=""), "an expression of 0 characters"),
    "a long expression": (_rule(when="x" * 1_001), "an expression of 1001 characters"),
    "steers a terminal": (_rule(about="\x1b[2J"), "up to 500 printable characters"),
    "no kind": (_list(kind=0), "must be an allow, block or watch list"),
    "no subject": (_list(subject=0), "must name customers, terminals or merchants"),
    "no digest": (_list(digest=b""), "a digest of 32 bytes"),
    "no salt": (_list(salt=b""), "a salt of 16"),
    "empty": (_list(entries=0), "has 0 entries"),
    "many rules": (lambda p: p.rules.extend([p.rules[0]] * 100), "of 103 rules"),
}


@pytest.mark.parametrize(("change", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_policies_are_refused(change: Callable[[PolicyStatement], None], reason: str) -> None:
    """Whatever a publisher signed."""
    statement = policy()
    check_policy(statement)
    change(statement)
    with pytest.raises(PolicyStatementError, match=reason):
        check_policy(statement)
