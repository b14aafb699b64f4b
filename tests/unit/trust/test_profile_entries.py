"""From records to entries: what counts, and what is refused with which word."""

import pytest
from google.protobuf.json_format import MessageToJson

from tallystick.contracts import Label, Transaction, Verdict
from tallystick.trust.profiles.entries import EntryError, identify, read_label, read_transaction

DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_123
PAID = Transaction(
    transaction_id="t", customer_id="c", amount_minor=5, currency="EUR", event_time_ms=NOW_MS, terminal_id="7", merchant_id="m"
)
LABEL = Label(
    transaction_id="t",
    customer_id="c",
    verdict=Verdict.VERDICT_FRAUD,
    labelled_at_ms=NOW_MS + DAY_MS,
    event_time_ms=NOW_MS,
    terminal_id="7",
)


def test_both_encodings_give_one_entry() -> None:
    """A transaction counts alike as protobuf and as JSON: at its second, for its terminal and its merchant."""
    binary = read_transaction([], PAID.SerializeToString(), NOW_MS, DAY_MS)
    header = [("content-type", b"application/json")]
    assert binary == read_transaction(header, MessageToJson(PAID).encode(), NOW_MS, DAY_MS)
    assert binary == ([b"terminal/7", b"merchant/m"], identify("c", "t"), NOW_MS // 1000, None, False)


def test_a_label_names_its_transaction_as_that_names_itself() -> None:
    """A label meets its transaction by customer and transaction id."""
    entry = read_label(LABEL.SerializeToString())
    assert entry == ([b"terminal/7"], identify("c", "t"), NOW_MS // 1000, NOW_MS + DAY_MS, True)
    assert identify("c", "t") != identify("ct", "")


def test_a_transaction_without_a_place_counts_nowhere() -> None:
    """Neither terminal nor merchant: no subject."""
    nowhere = Transaction(transaction_id="t", customer_id="c", event_time_ms=NOW_MS)
    assert read_transaction([], nowhere.SerializeToString(), NOW_MS, DAY_MS).subjects == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"terminal_id": "7 "}, "visible ASCII"),
        ({"terminal_id": "7" * 65}, "too long"),
        ({"merchant_id": "\u00e9"}, "visible ASCII"),
        ({"transaction_id": ""}, "missing"),
        ({"event_time_ms": NOW_MS - DAY_MS - 1}, "too far"),
        ({"event_time_ms": NOW_MS + DAY_MS + 1}, "too far"),
    ],
)
def test_what_scoring_rejects_for_its_form_does_not_count(changes: dict[str, object], reason: str) -> None:
    """Names that are none, clocks that are off."""
    other = Transaction()
    other.CopyFrom(PAID)
    for name, value in changes.items():
        setattr(other, name, value)
    with pytest.raises(EntryError, match=reason):
        read_transaction([], other.SerializeToString(), NOW_MS, DAY_MS)


@pytest.mark.parametrize("value", [None, b"\xff\xff", b"{", b'{"transactionId": 5}'])
@pytest.mark.parametrize("headers", [[], [("Content-Type", b"application/json")]])
def test_bytes_that_are_no_transaction_are_refused(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    """Whatever the bytes: one error, and no other."""
    with pytest.raises(EntryError):
        read_transaction(headers, value, NOW_MS, DAY_MS)


@pytest.mark.parametrize(
    "changes", [{"verdict": 0}, {"verdict": 9}, {"labelled_at_ms": 0}, {"labelled_at_ms": 2**62}, {"event_time_ms": 0}]
)
def test_a_label_that_says_nothing_is_refused(changes: dict[str, int]) -> None:
    """No verdict, or no time."""
    other = Label()
    other.CopyFrom(LABEL)
    for name, value in changes.items():
        setattr(other, name, value)
    with pytest.raises(EntryError):
        read_label(other.SerializeToString())
