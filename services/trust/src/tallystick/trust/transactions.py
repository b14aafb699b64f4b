"""A transaction's form: from a record's bytes and headers to a `Transaction`, every field checked that needs no history.

Pure. What takes transactions in, and what decides on them, must agree on this to the letter; so both have it from here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple

from google.protobuf.json_format import ParseDict
from google.protobuf.json_format import ParseError as JsonParseError
from google.protobuf.message import DecodeError
from iso4217 import Currency

from tallystick.contracts import ReasonCode, Transaction

MAX_AMOUNT_MINOR = 10**12
MAX_ATTRIBUTES = 256
MAX_NAME_BYTES = 64
CURRENCIES = frozenset(currency.code for currency in Currency)

_visible = re.compile("[!-~]*").fullmatch
PROTOBUF = b"application/x-protobuf"
JSON = b"application/json"

_NO_ATTRIBUTES: Mapping[str, float] = MappingProxyType({})

Headers = Sequence[tuple[str, bytes | None]]


class RejectionError(ValueError):
    """The record cannot be scored.

    Attributes:
        reason: the decision's reason code.
    """

    def __init__(self, reason: ReasonCode) -> None:
        super().__init__(ReasonCode.Name(reason))
        self.reason = reason


def decode(headers: Headers, value: bytes) -> Transaction:
    """Return the value decoded as its content type says; protobuf when it says nothing.

    Raises:
        RejectionError: for an unknown content type and for bytes that are not of it.
    """
    content_type = PROTOBUF
    if headers:
        named = [content for name, content in headers if name.lower() == "content-type"]
        if len(named) > 1:
            raise RejectionError(ReasonCode.REASON_CODE_CONTENT_TYPE_UNKNOWN)
        if named:
            content_type = (named[0] or b"").strip().lower()
    if content_type == PROTOBUF:
        try:
            return Transaction.FromString(value)
        except DecodeError:
            raise RejectionError(ReasonCode.REASON_CODE_PROTOBUF_MALFORMED) from None
    if content_type == JSON:
        return _decode_json(value)
    raise RejectionError(ReasonCode.REASON_CODE_CONTENT_TYPE_UNKNOWN)


def _decode_json(value: bytes) -> Transaction:
    try:
        fields = json.loads(value.decode(), object_pairs_hook=_strict_object)
        if not isinstance(fields, dict):
            raise ValueError("not an object")
        if _not_finite(fields.get("amountMinor", fields.get("amount_minor"))):
            raise RejectionError(ReasonCode.REASON_CODE_AMOUNT_NOT_FINITE)
        return ParseDict(fields, Transaction())
    except RejectionError:
        raise
    except (ValueError, OverflowError, RecursionError, JsonParseError):
        raise RejectionError(ReasonCode.REASON_CODE_JSON_MALFORMED) from None


def _strict_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name is repeated")
    # A lone surrogate makes `ParseDict` raise SystemError; here it is an UnicodeEncodeError, which is a ValueError.
    "".join(fields).encode()
    return fields


def _not_finite(amount: object) -> bool:
    if isinstance(amount, str):
        return amount in {"NaN", "Infinity", "-Infinity"}
    return isinstance(amount, float) and not isfinite(amount)


class Payment(NamedTuple):
    """A sound transaction's fields.

    Read out of the message once: a message makes a value afresh whenever it is asked, and takes more memory than all of them.
    """

    transaction_id: str
    customer_id: str
    amount_minor: int
    currency: str
    event_time_ms: int
    terminal_id: str
    merchant_id: str
    source: str
    source_sequence: int
    attributes: Mapping[str, float]


def check_fields(transaction: Transaction) -> Payment:
    """Check every field by itself and return them.

    Raises:
        RejectionError: saying what is wrong with the first that is.
    """
    payment = Payment._make((
        transaction.transaction_id, transaction.customer_id, transaction.amount_minor, transaction.currency,
        transaction.event_time_ms, transaction.terminal_id, transaction.merchant_id, transaction.source,
        transaction.source_sequence, transaction.attributes or _NO_ATTRIBUTES,
    ))  # fmt: skip
    transaction_id, customer_id, amount, currency, event_time_ms, terminal_id, merchant_id, source, _, attributes = payment
    if not (transaction_id and customer_id and currency and event_time_ms) or (
        amount == 0 and not transaction.HasField("amount_minor")
    ):
        raise RejectionError(ReasonCode.REASON_CODE_FIELD_MISSING)
    # One match for all names, which are too large only if all together are.
    names = f"{transaction_id}{customer_id}{terminal_id}{merchant_id}{source}"
    if len(names) > MAX_NAME_BYTES or _visible(names) is None:
        _check_names(transaction_id, customer_id, terminal_id, merchant_id, source)
    if amount < 0:
        raise RejectionError(ReasonCode.REASON_CODE_AMOUNT_NEGATIVE)
    if amount > MAX_AMOUNT_MINOR:
        raise RejectionError(ReasonCode.REASON_CODE_AMOUNT_TOO_LARGE)
    if currency not in CURRENCIES:
        raise RejectionError(ReasonCode.REASON_CODE_CURRENCY_UNKNOWN)
    if attributes:
        _check_attributes(attributes)
    return payment


def _check_names(*names: str) -> None:
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise RejectionError(ReasonCode.REASON_CODE_FIELD_TOO_LARGE)
    if not all(map(_visible, names)):
        raise RejectionError(ReasonCode.REASON_CODE_FIELD_CHARACTERS)


def _check_attributes(attributes: Mapping[str, float]) -> None:
    if len(attributes) > MAX_ATTRIBUTES or any(len(name.encode()) > MAX_NAME_BYTES for name in attributes):
        raise RejectionError(ReasonCode.REASON_CODE_FIELD_TOO_LARGE)
    if not all(map(isfinite, attributes.values())):
        raise RejectionError(ReasonCode.REASON_CODE_ATTRIBUTE_NOT_FINITE)
