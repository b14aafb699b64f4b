"""From Kafka records to what profiles take of them.

A transaction that scoring would reject for its form, its clock or its names counts here neither; what takes its customer's
history or the model to be refused (a repeat of weeks ago, an attribute missing) is not known here, and counts.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError

from tallystick.contracts import Label, Transaction, Verdict

Headers = Sequence[tuple[str, bytes | None]]
TERMINAL, MERCHANT = b"terminal/", b"merchant/"
_MAX_SECOND = 2**32 - 1
_NAME = re.compile(r"[!-~]{1,64}")
_JSON = b"application/json"


class EntryError(ValueError):
    """The record is no such thing; the message says why."""


class Entry(NamedTuple):
    """A transaction, or a label when `labelled_at_ms` is not None."""

    subjects: list[bytes]
    identifier: int
    second_s: int
    labelled_at_ms: int | None = None
    fraud: bool = False


def read_transaction(headers: Headers, value: bytes | None, timestamp_ms: int, tolerance_ms: int) -> Entry:
    """Return a transaction's entry.

    Args:
        headers: the record's headers.
        value: its value.
        timestamp_ms: its Kafka time stamp.
        tolerance_ms: the largest distance of event time and time stamp.

    Raises:
        EntryError: if it is none.
    """
    transaction = _transaction(headers, value)
    time_ms = transaction.event_time_ms
    if abs(time_ms - timestamp_ms) > tolerance_ms or timestamp_ms < 0:
        raise EntryError("its event time is too far from its time stamp")
    return _entry(transaction, time_ms)


def read_label(value: bytes | None) -> Entry:
    """Return a label's entry.

    Raises:
        EntryError: if it is none.
    """
    try:
        label = Label.FromString(value or b"")
    except DecodeError:
        raise EntryError("not a protobuf Label") from None
    if label.verdict not in (Verdict.VERDICT_GENUINE, Verdict.VERDICT_FRAUD):
        raise EntryError("its verdict is neither genuine nor fraud")
    if not 0 < label.labelled_at_ms // 1000 <= _MAX_SECOND // 2:
        raise EntryError("its time is out of range")
    entry = _entry(label, label.event_time_ms)
    return entry._replace(labelled_at_ms=label.labelled_at_ms, fraud=label.verdict == Verdict.VERDICT_FRAUD)


def identify(customer_id: str, transaction_id: str) -> int:
    """Return by what a transaction is known here: 64 bits."""
    return int.from_bytes(blake2b(f"{customer_id}\0{transaction_id}".encode(), digest_size=8).digest())


def _transaction(headers: Headers, value: bytes | None) -> Transaction:
    content_types = [content for name, content in headers if name.lower() == "content-type"] if headers else ()
    try:
        if content_types and (content_types[0] or b"").strip().lower() == _JSON:
            return Parse(value or b"", Transaction())
        return Transaction.FromString(value or b"")
    except (DecodeError, ParseError, ValueError, RecursionError):
        raise EntryError("not a Transaction") from None


def _entry(record: Transaction | Label, time_ms: int) -> Entry:
    if not 0 < time_ms // 1000 <= _MAX_SECOND:
        raise EntryError("its event time is out of range")
    named = [record.transaction_id, record.customer_id]
    subjects = []
    if record.terminal_id:
        named.append(record.terminal_id)
        subjects.append(TERMINAL + record.terminal_id.encode())
    if record.merchant_id:
        named.append(record.merchant_id)
        subjects.append(MERCHANT + record.merchant_id.encode())
    if not all(map(_NAME.fullmatch, named)):
        raise EntryError("a name is missing, too long, or not visible ASCII")
    return Entry(subjects, identify(record.customer_id, record.transaction_id), time_ms // 1000)
