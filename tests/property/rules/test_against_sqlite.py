"""The rules' language is SQL: SQLite, which shares no line with it, gives the same answer on every row."""

import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import assume, given, settings

from tallystick.contracts import Outcome, PolicyRule, PolicyStatement, Transaction
from tallystick.rules.columns import Batch
from tallystick.rules.language import RuleError
from tallystick.rules.policies import Policy

from .expressions import FEATURES, conditions, rows

Row = tuple[float, list[float], Transaction]


def batch_of(some: Sequence[Row]) -> Batch:
    """Return rows as a policy takes them."""
    return Batch(
        np.array([margin for margin, _, _ in some], np.float32),
        np.array([values for _, values, _ in some], np.float32).reshape(len(some), len(FEATURES)),
        [paid for _, _, paid in some],
        [0] * len(some),
    )


def policy_of(*expressions: str) -> Policy:
    """Return a policy with these rules, which all ask for review; the margin asks for nothing."""
    rules = [
        PolicyRule(name=f"r{place}", outcome=Outcome.OUTCOME_REVIEW, when=expression)
        for place, expression in enumerate(expressions)
    ]
    return Policy(PolicyStatement(decline_margin=99, review_margin=99, rules=rules), FEATURES)


def in_sqlite(expression: str, row: Row) -> bool:
    """Tell what SQLite makes of a condition on one row."""
    margin, values, paid = row
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=paid.event_time_ms)
    columns: dict[str, float | str | None] = {
        "margin": margin,
        "transaction.amount_minor": float(paid.amount_minor),
        "transaction.hour": float(moment.hour),
        "transaction.weekday": float(moment.weekday()),
        **{f"feature.{name}": value for name, value in zip(FEATURES, values, strict=True)},
        **{f"attribute.{name}": paid.attributes.get(name) for name in ("a", "b c")},
        **{f"transaction.{name}": getattr(paid, name) or None for name in ("currency", "terminal_id", "merchant_id", "source")},
    }
    names = ", ".join(f'"{name}"' for name in columns)
    # Its names are one identifier each; whole numbers would be integers there, and here every number is a float.
    text = re.sub(r"('(?:[^']|'')*')|(\w+)\.(?:\"([^\"]+)\"|([A-Za-z_]\w*))", _one_name, expression)
    text = re.sub(r"('(?:[^']|'')*'|\"[^\"]*\")|(?<![\w.])(\d+)(?![\w.])", lambda m: m[1] or f"{m[2]}.0", text)
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE paid ({names})")
        database.execute(f"INSERT INTO paid VALUES ({', '.join('?' * len(columns))})", list(columns.values()))  # noqa: S608  so are the names
        (found,) = database.execute(f"SELECT {text} FROM paid").fetchone()  # noqa: S608  a condition of our own making
    database.close()
    return bool(found)


def _one_name(found: re.Match[str]) -> str:
    return found[1] or f'"{found[2]}.{found[3] or found[4]}"'


def applied(policy: Policy, some: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return which rules apply to each row."""
    return [ruling.applied for ruling in policy.rule(batch_of(some))]


@given(conditions, rows)
@settings(max_examples=300, deadline=None)
def test_a_rule_applies_where_sqlite_says_that_its_condition_is_true(expression: str, some: list[Row]) -> None:
    """Three-valued logic, absent values, division by nothing, precedence: all as in SQL."""
    try:
        policy = policy_of(expression)
    except RuleError:
        assume(False)
    assert applied(policy, some) == [("r0",) if in_sqlite(expression, row) else () for row in some]


@given(conditions, conditions, rows)
@settings(max_examples=100, deadline=None)
def test_a_rule_is_about_its_own_row_only(one: str, other: str, some: list[Row]) -> None:
    """Whatever else is in the batch, in whatever order, and whichever rules there are besides."""
    try:
        both, alone = policy_of(one, other), policy_of(one)
    except RuleError:
        assume(False)
    together = applied(both, some)
    assert [applied(both, [row])[0] for row in some] == together
    assert applied(both, some[::-1]) == together[::-1]
    assert [tuple(name for name in names if name == "r0") for names in together] == applied(alone, some)
