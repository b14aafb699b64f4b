"""A policy on batches: lists with expiry, absent values, and what it refuses to begin with."""

from hashlib import sha256

import numpy as np
import pytest

from tallystick.contracts import (
    ListKind,
    ListSubject,
    Outcome,
    PolicyList,
    PolicyRule,
    PolicyStatement,
    ReasonCode,
    Transaction,
)
from tallystick.rules.columns import Batch
from tallystick.rules.language import RuleError
from tallystick.rules.lists import NEVER_MS, ListError, MemberList, encode_list, list_key
from tallystick.rules.policies import Policy

KEY = list_key(b"lookup key of thirty-two bytes..", b"salt of 16 bytes")
REVIEW = Outcome.OUTCOME_REVIEW


def stated(file: bytes, entries: int, subject: ListSubject = ListSubject.LIST_SUBJECT_CUSTOMER) -> PolicyList:
    """Return what a policy says of a block list."""
    return PolicyList(
        name="mules", kind=ListKind.LIST_KIND_BLOCK, subject=subject, digest=sha256(file).digest(), entries=entries
    )


def batch(*transactions: Transaction, times_ms: list[int] | None = None, margin: float = -1.0) -> Batch:
    """Return a batch of one feature, which is 1."""
    rows = len(transactions)
    features = np.ones((rows, 1), np.float32)
    return Batch(np.full(rows, margin, np.float32), features, transactions, times_ms or [0] * rows)


def ruled(when: str, *transactions: Transaction) -> list[bool]:
    """Tell of each transaction whether a rule applies."""
    rule = PolicyRule(name="r", outcome=REVIEW, when=when)
    policy = Policy(PolicyStatement(decline_margin=2, review_margin=1, rules=[rule]), ["amount"])
    return [bool(ruling.applied) for ruling in policy.rule(batch(*transactions))]


def test_an_entry_counts_until_its_time_by_the_records_clock() -> None:
    """Kafka's time stamp decides, to the millisecond; nobody asks what time it is."""
    file = encode_list([("cleo", 1_000), ("dan", NEVER_MS)], KEY)
    members = MemberList(stated(file, 2), file, KEY)
    people = [Transaction(customer_id=name) for name in ("cleo", "cleo", "dan", "erin", "Cleo")]
    policy = Policy(PolicyStatement(decline_margin=2, review_margin=1, lists=[stated(file, 2)]), ["amount"], [members])
    found = policy.rule(batch(*people, times_ms=[999, 1_000, 2**62, 0, 0]))
    assert [ruling.applied for ruling in found] == [("mules",), (), ("mules",), (), ()]
    assert found[0].reasons == (ReasonCode.REASON_CODE_LIST_BLOCK,)


def test_a_list_of_merchants_is_about_merchants() -> None:
    """An empty id is on no list, and a customer of the same name neither."""
    file = encode_list([("shop", NEVER_MS)], KEY)
    members = MemberList(stated(file, 1, ListSubject.LIST_SUBJECT_MERCHANT), file, KEY)
    some = [Transaction(merchant_id="shop"), Transaction(customer_id="shop"), Transaction()]
    assert members.on_it(some, [0, 0, 0]) == [0]


def test_a_list_remembers_whom_it_was_asked_about_and_not_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is bounded, and forgetting changes no answer."""
    monkeypatch.setattr("tallystick.rules.lists._REMEMBERED", 3)
    file = encode_list([("c1", NEVER_MS)], KEY)
    members = MemberList(stated(file, 1), file, KEY)
    for _ in range(3):
        assert members.on_it([Transaction(customer_id=f"c{number}") for number in range(5)], [0] * 5) == [1]
        assert members.on_it([Transaction(customer_id="c1")], [0]) == [0]


def test_a_list_says_nothing_of_who_is_on_it() -> None:
    """The file holds no id, and without the key no digest of one."""
    file = encode_list([("customer-1", NEVER_MS)], KEY)
    assert b"customer-1" not in file
    assert sha256(b"customer-1").digest()[:16] not in file
    other = list_key(b"lookup key of thirty-two bytes..", b"another salt....")
    assert encode_list([("customer-1", NEVER_MS)], other)[19:35] != file[19:35]


def test_another_file_is_refused() -> None:
    """A list is the one that the policy names, or none."""
    file = encode_list([("cleo", 1_000), ("dan", 2_000)], KEY)
    with pytest.raises(ListError, match="the policy says"):
        MemberList(stated(file, 2), file[:-1], KEY)
    for other, entries in ((file, 3), (b"x" + file, 2), (file[:-1], 2)):
        with pytest.raises(ListError, match=f"no list of {entries} entries"):
            MemberList(stated(other, entries), other, KEY)


def test_entries_are_in_order_each_once() -> None:
    """One list has one file."""
    file = encode_list([("cleo", 1_000), ("dan", 2_000)], KEY)
    swapped = file[:19] + file[43:] + file[19:43]
    with pytest.raises(ListError, match="not in order"):
        MemberList(stated(swapped, 2), swapped, KEY)
    with pytest.raises(ListError, match="twice"):
        encode_list([("cleo", 1), ("cleo", 2)], KEY)


def test_an_absent_attribute_is_null_and_is_not_made_by_asking() -> None:
    """A rule about it does not apply, nor does its opposite; the transaction is as it was."""
    with_it, without = Transaction(attributes={"risk": 5}), Transaction()
    assert ruled("attribute.risk > 3", with_it, without) == [True, False]
    assert ruled("NOT attribute.risk > 3", with_it, without) == [False, False]
    assert ruled("attribute.risk IS NULL", with_it, without) == [False, True]
    assert not without.attributes


def test_a_rule_counts_where_every_value_is_null() -> None:
    """A column of NULLs alone is a column all the same: one answer for each transaction."""
    assert ruled("COALESCE(attribute.risk, 7) = 7", *[Transaction()] * 3) == [True] * 3
    assert ruled("0 = ABS(COALESCE(attribute.risk, 0))", *[Transaction()] * 3) == [True] * 3
    assert ruled("margin < 0 OR attribute.risk = 1", *[Transaction()] * 3) == [True] * 3


def test_what_is_no_number_is_not_known() -> None:
    """In polars NaN is more than anything, and a rule would apply where nobody meant it."""
    huge = Transaction(attributes={"risk": 1e308})
    assert ruled("attribute.risk * 10 - attribute.risk * 10 > 0", huge) == [False]
    assert ruled("attribute.risk * 10 * 0 IS NULL AND 0 / (attribute.risk - attribute.risk) IS NULL", huge) == [True]


def test_what_does_not_fit_the_features_is_refused_before_anything_is_ruled_on() -> None:
    """By name, with the rule's."""
    rule = PolicyRule(name="dear", outcome=REVIEW, when="feature.unknown > 1")
    with pytest.raises(RuleError, match=r"the rule 'dear': there is no feature\.unknown"):
        Policy(PolicyStatement(rules=[rule]), ["amount"])
    with pytest.raises(RuleError, match="has 1 lists, and 0 are here"):
        Policy(PolicyStatement(lists=[PolicyList(name="x", kind=ListKind.LIST_KIND_BLOCK)]), ["amount"])


def test_a_policy_says_what_has_to_be_disclosed_to_rule_again() -> None:
    """The groups of the evidence that its rules and lists are about."""
    file = encode_list([("cleo", 1)], KEY)
    rules = [PolicyRule(name="r", outcome=REVIEW, when="attribute.b > 1 AND attribute.a > 1")]
    lists = [MemberList(stated(file, 1), file, KEY)]
    whole = Policy(PolicyStatement(rules=rules, lists=[stated(file, 1)]), ["amount"], lists)
    assert whole.groups == frozenset({"transaction", "identity"})
    assert whole.attributes == ("a", "b")
    assert Policy(PolicyStatement(lists=[stated(file, 1)]), ["amount"], [None]).groups == frozenset()
