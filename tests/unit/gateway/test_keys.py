"""Idempotency keys."""

import pytest

from tallystick.contracts import Transaction
from tallystick.gateway.keys import IdempotencyKeyError, fingerprint, parse_key, request_id, transaction_id
from tallystick.trust.transactions import check_fields


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (' "a b" ', "a b"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("k" * 255, "k" * 255),
    ],
)
def test_a_key_is_a_string_with_or_without_its_quotes(header: str, key: str) -> None:
    """What RFC 8941 calls a string, and what many clients send in its place, are one key."""
    assert parse_key(header) == key


@pytest.mark.parametrize("header", ["", '""', '"', '"a', 'a"', "a b", '"a"b"', r'"a\b"', "é", "a\tb", "k" * 256, '"a", "b"'])
def test_what_is_no_key_is_refused(header: str) -> None:
    """Nothing that two replicas could read in two ways."""
    with pytest.raises(IdempotencyKeyError):
        parse_key(header)


def test_what_a_transaction_id_is_made_of() -> None:
    """The same key makes the same id anywhere; another key, channel or place another one, and none can be made to clash."""
    asked = [("a", "bc", None), ("ab", "c", None), ("a", "b", None), ("a", "bc", 0), ("a", "bc", 1), ("a", "0bc", None)]
    ids = [transaction_id(request_id(*one)) for one in asked]
    assert len(set(ids)) == len(asked)
    assert ids == [transaction_id(request_id(*one)) for one in asked]
    # Known here, so that no release makes others of the keys that callers still have.
    assert ids[0] == "gw-OoKxd7Eqja-RST4l-SMy3ci8DyU74fFi1V86nIlJIU0"


def test_a_made_id_is_one_that_scoring_takes() -> None:
    """It is a transaction id as any other."""
    made = transaction_id(request_id("c", "k"))
    check_fields(Transaction(transaction_id=made, customer_id="c", amount_minor=1, currency="EUR", event_time_ms=1))


def test_a_fingerprint_tells_transactions_apart() -> None:
    """Equal transactions have one, in whatever order their attributes came; others, and other requests', have others."""
    one = Transaction(customer_id="c", amount_minor=1, attributes={"a": 1.0, "b": 2.0})
    same = Transaction(customer_id="c", amount_minor=1, attributes={"b": 2.0, "a": 1.0})
    other = Transaction(customer_id="c", amount_minor=2, attributes={"a": 1.0, "b": 2.0})
    assert fingerprint(b"r", one) == fingerprint(b"r", same)
    assert len({fingerprint(b"r", one), fingerprint(b"r", other), fingerprint(b"s", one)}) == 3
