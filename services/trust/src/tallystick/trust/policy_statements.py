"""What makes a `PolicyStatement` well formed; whether its rules' expressions are, `tallystick.rules` says."""

import re
from collections.abc import Iterable
from math import isfinite

from tallystick.contracts import ListKind, ListSubject, Outcome, PolicyList, PolicyRule, PolicyStatement
from tallystick.trust.commitments import DIGEST_SIZE, SALT_SIZE
from tallystick.trust.errors import TrustError

MAX_VALUE_BYTES = 61_440
"""The largest record value that a policy may accept: with its envelope, it must fit a log entry."""
MAX_RULES = 100
MAX_LISTS = 16
MAX_LIST_ENTRIES = 1_000_000
MAX_EXPRESSION = 1_000
MAX_ABOUT = 500
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_DEMANDS = frozenset({Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_DECLINE})


class PolicyStatementError(TrustError):
    """A policy says what no policy may; the message says where."""


def check_policy(statement: PolicyStatement) -> None:
    """Check a policy's numbers, and the form of its rules and lists.

    Raises:
        PolicyStatementError: Something is not as it must be.
    """
    if not (isfinite(statement.decline_margin) and isfinite(statement.review_margin)):
        raise PolicyStatementError("a margin of the policy is not finite")
    if statement.review_margin > statement.decline_margin:
        raise PolicyStatementError("the policy's review margin is over its decline margin")
    if statement.event_time_tolerance_ms < 0:
        raise PolicyStatementError("the policy's event time tolerance is negative")
    if not 1 <= statement.max_value_bytes <= MAX_VALUE_BYTES:
        raise PolicyStatementError(
            f"the policy's largest value is {statement.max_value_bytes} bytes; 1 to {MAX_VALUE_BYTES} can be logged"
        )
    if len(statement.rules) > MAX_RULES or len(statement.lists) > MAX_LISTS:
        raise PolicyStatementError(
            f"of {len(statement.rules)} rules and {len(statement.lists)} lists {MAX_RULES} and {MAX_LISTS} are allowed"
        )
    for rule in statement.rules:
        _check_rule(rule)
    for item in statement.lists:
        _check_list(item)
    _check_names([*(item.name for item in statement.lists), *(rule.name for rule in statement.rules)])


def _check_rule(rule: PolicyRule) -> None:
    where = f"the rule {rule.name!r}"
    if rule.outcome not in _DEMANDS:
        raise PolicyStatementError(f"{where} must demand APPROVE, REVIEW or DECLINE")
    if not 1 <= len(rule.when) <= MAX_EXPRESSION:
        raise PolicyStatementError(
            f"{where} has an expression of {len(rule.when)} characters; 1 to {MAX_EXPRESSION} are allowed"
        )
    _check_about(rule.about, where)


def _check_list(item: PolicyList) -> None:
    where = f"the list {item.name!r}"
    if item.kind not in ListKind.values() or item.kind == ListKind.LIST_KIND_UNSPECIFIED:
        raise PolicyStatementError(f"{where} must be an allow, block or watch list")
    if item.subject not in ListSubject.values() or item.subject == ListSubject.LIST_SUBJECT_UNSPECIFIED:
        raise PolicyStatementError(f"{where} must name customers, terminals or merchants")
    if len(item.digest) != DIGEST_SIZE or len(item.salt) != SALT_SIZE:
        raise PolicyStatementError(f"{where} must have a digest of {DIGEST_SIZE} bytes and a salt of {SALT_SIZE}")
    if not 1 <= item.entries <= MAX_LIST_ENTRIES:
        raise PolicyStatementError(f"{where} has {item.entries} entries; 1 to {MAX_LIST_ENTRIES:,} are allowed")
    _check_about(item.about, where)


def _check_about(about: str, where: str) -> None:
    if len(about) > MAX_ABOUT or not about.isprintable():
        raise PolicyStatementError(f"what {where} says of itself must be up to {MAX_ABOUT} printable characters")


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise PolicyStatementError(
                f"{name!r} is no name for a rule or list: up to 64 of a-z, 0-9, '-' and '_', a letter first"
            )
        if name in seen:
            raise PolicyStatementError(f"two rules or lists are named {name!r}")
        seen.add(name)
