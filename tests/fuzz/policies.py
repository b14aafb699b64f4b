"""Policies from outside: rules, files as people write them, and lists."""

import contextlib
from hashlib import sha256

import numpy as np

from tallystick.cli.policy.file import PolicyFileError, read_policy_file
from tallystick.contracts import ListKind, ListSubject, Outcome, PolicyList, PolicyRule, PolicyStatement, Transaction
from tallystick.rules.columns import Batch
from tallystick.rules.language import RuleError
from tallystick.rules.lists import ListError, MemberList, encode_list
from tallystick.rules.policies import Policy

_FEATURES = ("amount", "card present")
_PAID = [Transaction(currency="EUR", attributes={"a": 1.5}), Transaction(terminal_id="t-1", amount_minor=7)]
_BATCH = Batch(np.array([0.5, -1], np.float32), np.array([[1, np.nan], [0, 3]], np.float32), _PAID, [5, 6])
_KEY = bytes(32)

RULES = [
    b"transaction.amount_minor > 500 AND NOT transaction.currency <> 'EUR' OR margin / 0 >= -1.25",
    b'feature."card present" NOT IN (0, -1.5) AND COALESCE(attribute.a, 2) BETWEEN 1 AND ABS(feature.amount * 3 - 1)',
    b"(transaction.source IS NOT NULL) = (transaction.hour < 6) or transaction.terminal_id in ('t-1', 'it''s')",
]
FILES = [
    b"""name = "card"
version = "1"
decline_margin = 2.5
review_margin = 1
event_time_tolerance_ms = 300000
max_value_bytes = 61440
[[rules]]
name = "dear"
outcome = "REVIEW"
when = "feature.amount > 100"
[[lists]]
name = "mules"
kind = "block"
subject = "customer"
file = "mules.csv"
about = "why"
"""
]
LISTS = [encode_list([("cleo", 5), ("dan", 2**63 - 1)], _KEY), b"# nobody\nc1\nc2,2026-01-01T00:00:00Z\n"]


def rule(data: bytes) -> None:
    """Take a rule, and if it is one evaluate it: each row by itself gives what the batch gives."""
    when = PolicyRule(name="r", outcome=Outcome.OUTCOME_REVIEW, when=data.decode("utf-8", "replace"))
    try:
        policy = Policy(PolicyStatement(decline_margin=9, review_margin=9, rules=[when]), _FEATURES)
    except RuleError:
        return
    alone = [
        policy.rule(Batch(_BATCH.margins[row : row + 1], _BATCH.matrix[row : row + 1], _PAID[row : row + 1], [0]))[0]
        for row in range(2)
    ]
    assert policy.rule(_BATCH) == alone


def file(data: bytes) -> None:
    """Take a policy's file, whose lists name one customer."""
    try:
        draft = read_policy_file(data, lambda _: b"c1\n", lambda: _KEY, bytes, 0)
    except PolicyFileError:
        return
    assert PolicyStatement.FromString(draft.data) == draft.statement
    assert draft.files.keys() == draft.keys.keys()


def members(data: bytes) -> None:
    """Take a list as its file, and as people write it."""
    entries = max(0, (len(data) - 19) // 24)
    stated = PolicyList(
        name="x",
        kind=ListKind.LIST_KIND_BLOCK,
        subject=ListSubject.LIST_SUBJECT_CUSTOMER,
        digest=sha256(data).digest(),
        entries=entries,
    )
    with contextlib.suppress(ListError):
        assert len(MemberList(stated, data, _KEY).on_it([Transaction(customer_id="cleo")], [4])) <= entries
    with contextlib.suppress(PolicyFileError):
        read_policy_file(FILES[0], lambda _: data, lambda: _KEY, bytes, 0)
