"""What a policy makes of a margin and of the lists and rules that applied: the outcome and its reason codes.

Whether a rule or list applied, only whoever evaluates it on the transaction can say; what follows from it, everybody can: the
strictest demand wins. Block lists and rules that decline demand to decline; watch lists and rules that ask for review, to
review; the margin, what it reaches. Where an allow list or a rule that approves applies, the margin demands nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from tallystick.contracts import ListKind, Outcome, PolicyStatement, ReasonCode
from tallystick.trust.errors import TrustError

OUTCOME_OF_REASON = {
    ReasonCode.REASON_CODE_LIST_BLOCK: Outcome.OUTCOME_DECLINE,
    ReasonCode.REASON_CODE_RULE_DECLINE: Outcome.OUTCOME_DECLINE,
    ReasonCode.REASON_CODE_MARGIN_DECLINE: Outcome.OUTCOME_DECLINE,
    ReasonCode.REASON_CODE_LIST_WATCH: Outcome.OUTCOME_REVIEW,
    ReasonCode.REASON_CODE_RULE_REVIEW: Outcome.OUTCOME_REVIEW,
    ReasonCode.REASON_CODE_MARGIN_REVIEW: Outcome.OUTCOME_REVIEW,
    ReasonCode.REASON_CODE_LIST_ALLOW: Outcome.OUTCOME_APPROVE,
    ReasonCode.REASON_CODE_RULE_APPROVE: Outcome.OUTCOME_APPROVE,
}
"""What each reason asks for. The most telling comes first: the first one of those that a decision has is its outcome's."""

_OF_RULE = {
    Outcome.OUTCOME_DECLINE: ReasonCode.REASON_CODE_RULE_DECLINE,
    Outcome.OUTCOME_REVIEW: ReasonCode.REASON_CODE_RULE_REVIEW,
    Outcome.OUTCOME_APPROVE: ReasonCode.REASON_CODE_RULE_APPROVE,
}
_OF_LIST = {
    ListKind.LIST_KIND_BLOCK: ReasonCode.REASON_CODE_LIST_BLOCK,
    ListKind.LIST_KIND_WATCH: ReasonCode.REASON_CODE_LIST_WATCH,
    ListKind.LIST_KIND_ALLOW: ReasonCode.REASON_CODE_LIST_ALLOW,
}
_OF_MARGIN = {
    Outcome.OUTCOME_DECLINE: ReasonCode.REASON_CODE_MARGIN_DECLINE,
    Outcome.OUTCOME_REVIEW: ReasonCode.REASON_CODE_MARGIN_REVIEW,
}
_LIFTING = frozenset({ReasonCode.REASON_CODE_LIST_ALLOW, ReasonCode.REASON_CODE_RULE_APPROVE})
_PLACES = {reason: place for place, reason in enumerate(OUTCOME_OF_REASON)}


class RulingError(TrustError):
    """What is said to have applied is not what the policy has."""


class Ruling(NamedTuple):
    """What is done with a transaction, why (the most telling reason first), and which of the policy's lists and rules applied.

    `applied` holds their names, in the policy's order; it and `reasons` are empty for a plain approval.
    """

    outcome: Outcome
    reasons: tuple[ReasonCode, ...]
    applied: tuple[str, ...]


def marked_stale(ruling: Ruling) -> Ruling:
    """Return the ruling with the mark that a profile behind its features was not final: a reason that asks for nothing."""
    return ruling._replace(reasons=(*ruling.reasons, ReasonCode.REASON_CODE_PROFILE_STALE))


def without_mark(reasons: Sequence[ReasonCode]) -> tuple[ReasonCode, ...]:
    """Return a decision's reasons without that mark."""
    marked = bool(reasons) and reasons[-1] == ReasonCode.REASON_CODE_PROFILE_STALE
    return tuple(reasons[:-1] if marked else reasons)


def reason_by_name(policy: PolicyStatement) -> Mapping[str, ReasonCode]:
    """Return each list's and rule's reason code by its name, in the policy's order: its lists, then its rules."""
    lists = {item.name: _OF_LIST[item.kind] for item in policy.lists}
    return lists | {rule.name: _OF_RULE[rule.outcome] for rule in policy.rules}


def rule_on(by_margin: Outcome, applied: Sequence[str], reasons: Mapping[str, ReasonCode]) -> Ruling:
    """Return the ruling.

    Args:
        by_margin: what the policy makes of the margin alone.
        applied: the names of all lists and rules that applied, in the policy's order, each once.
        reasons: what `reason_by_name` says of the policy.

    Raises:
        RulingError: The policy has no such list or rule, or they are in another order.
    """
    places = {name: place for place, name in enumerate(reasons)}
    if unknown := [name for name in applied if name not in places]:
        raise RulingError(f"{unknown[0]!r} is said to have applied, and the policy has no rule and no list of that name")
    if any(places[before] >= places[after] for before, after in pairwise(applied)):
        raise RulingError("what applied is not in the policy's order, each once")
    found = {reasons[name] for name in applied}
    if by_margin in _OF_MARGIN and not found & _LIFTING:
        found.add(_OF_MARGIN[by_margin])
    telling = tuple(sorted(found, key=_PLACES.__getitem__))
    return Ruling(outcome_of_reasons(telling), telling, tuple(applied))


def outcome_of_reasons(reasons: Collection[ReasonCode]) -> Outcome:
    """Return the outcome of reasons in the order of `OUTCOME_OF_REASON`."""
    return OUTCOME_OF_REASON[next(iter(reasons))] if reasons else Outcome.OUTCOME_APPROVE
