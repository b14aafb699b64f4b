"""Labelled transactions as columns, from the files that `tallystick stream` reads: Parquet by field name, or the ULB data."""

from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

DAY_MS = 86_400_000
ULB_EPOCH_MS = 1_377_993_600_000
"""2013-09-01T00:00:00Z: the ULB data says "September 2013" and counts seconds from its first transaction."""

MAX_EXACT = 2.0**53

PLACES = ("terminal", "merchant")
ULB_COMPONENTS = tuple(f"V{number}" for number in range(1, 29))
COLUMNS = {
    "customer_id": ("customer_id", "customerId"),
    "currency": ("currency",),
    "event_time_ms": ("event_time_ms", "eventTimeMs"),
    "amount_minor": ("amount_minor", "amountMinor", "amount_cents"),
    "fraud": ("fraud",),
}

_compute: Any = pyarrow.compute  # the stubs refuse calls that pyarrow documents


class TrainingDataError(ValueError):
    """The file cannot be trained on; the message says why."""


@dataclass(frozen=True, slots=True)
class Transactions:
    """Labelled transactions in stream order; every column has one element a transaction.

    Attributes:
        event_time_ms: milliseconds since 1970-01-01T00:00:00Z, never decreasing; int64.
        account: a number for each pair of customer and currency, from 0; int64.
        amount_minor: minor units; int64.
        attributes: float64 columns by name.
        fraud: the label.
        places: by "terminal" and "merchant" a number for each one, from 0, and -1 for none; int64.
    """

    event_time_ms: NDArray[np.int64]
    account: NDArray[np.int64]
    amount_minor: NDArray[np.int64]
    attributes: dict[str, NDArray[np.float64]]
    fraud: NDArray[np.bool_]
    places: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.event_time_ms)

    def rows(self, start: int, stop: int) -> "Transactions":
        """Rows [start, stop)."""
        part = slice(start, stop)
        attributes = {name: column[part] for name, column in self.attributes.items()}
        places = {name: column[part] for name, column in self.places.items()}
        amounts, fraud = self.amount_minor[part], self.fraud[part]
        return Transactions(self.event_time_ms[part], self.account[part], amounts, attributes, fraud, places)

    def days(self, first: int, stop: int) -> "Transactions":
        """Transactions of days [first, stop), counted in UTC from the day of the first transaction."""
        midnight = self.event_time_ms[0] // DAY_MS * DAY_MS if len(self) else 0
        ends = np.searchsorted(self.event_time_ms, [midnight + first * DAY_MS, midnight + stop * DAY_MS])
        return self.rows(int(ends[0]), int(ends[1]))


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A file of labelled transactions and the SHA-256 of its bytes."""

    transactions: Transactions
    digest: bytes


def read_training_file(path: Path) -> TrainingFile:
    """Read labelled transactions from Parquet.

    Raises:
        TrainingDataError: a column is missing or holds what it cannot, or the rows are not in stream order.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").digest()
    try:
        table = pq.read_table(path)
        transactions = _ulb(table) if {"Time", "Amount", "Class", *ULB_COMPONENTS} <= set(table.column_names) else _named(table)
    except pa.ArrowInvalid as error:
        raise TrainingDataError(f"{path}: not a Parquet file of transactions: {error}") from error
    except TrainingDataError as error:
        raise TrainingDataError(f"{path}: {error}") from error
    return TrainingFile(transactions, digest)


def _named(table: pa.Table) -> Transactions:
    found = {field: [name for name in names if name in table.column_names] for field, names in COLUMNS.items()}
    missing = sorted(field for field, names in found.items() if len(names) != 1)
    if missing:
        raise TrainingDataError(f"not exactly one column for {', '.join(missing)}")
    columns = {field: table[names[0]] for field, names in found.items()}
    return _transactions(
        event_time_ms=_integers(columns["event_time_ms"], "event_time_ms"),
        account=_accounts(columns["customer_id"], columns["currency"]),
        amount_minor=_integers(columns["amount_minor"], "amount_minor"),
        attributes={},
        fraud=_integers(columns["fraud"], "fraud"),
        places={name: _place(table[f"{name}_id"]) for name in PLACES if f"{name}_id" in table.column_names},
    )


def _ulb(table: pa.Table) -> Transactions:
    """Read the ULB data; it names no customer, so that each row is an account of its own."""
    amount = table["Amount"].to_numpy()
    cents = np.rint(amount * 100)
    if not np.all((cents / 100 == amount) & (np.abs(cents) < MAX_EXACT)):
        raise TrainingDataError("column Amount holds an amount that is not a whole number of cents")
    return _transactions(
        event_time_ms=ULB_EPOCH_MS + _integers(table["Time"], "Time") * 1000,
        account=np.arange(table.num_rows),
        amount_minor=cents.astype(np.int64),
        attributes={name: table[name].to_numpy().astype(np.float64) for name in ULB_COMPONENTS},
        fraud=_integers(table["Class"], "Class"),
    )


def _transactions(
    event_time_ms: NDArray[np.int64],
    account: NDArray[np.int64],
    amount_minor: NDArray[np.int64],
    attributes: dict[str, NDArray[np.float64]],
    fraud: NDArray[np.int64],
    places: dict[str, NDArray[np.int64]] | None = None,
) -> Transactions:
    if np.any(np.diff(event_time_ms) < 0):
        raise TrainingDataError("the rows are not ordered by event time, as they would stream")
    if np.any((fraud != 0) & (fraud != 1)):
        raise TrainingDataError("a label is neither 0 nor 1")
    return Transactions(event_time_ms, account, amount_minor, attributes, fraud.astype(np.bool_), places or {})


def _integers(column: Any, name: str) -> NDArray[np.int64]:
    if not (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)) or column.null_count:
        raise TrainingDataError(f"column {name} is not integers without gaps")
    integers: NDArray[np.int64] = _compute.cast(column, pa.int64()).to_numpy()
    return integers


def _accounts(customer: Any, currency: Any) -> NDArray[np.int64]:
    customers, currencies = _codes(customer, "customer_id"), _codes(currency, "currency")
    return customers * (int(currencies.max(initial=0)) + 1) + currencies


def _codes(column: Any, name: str) -> NDArray[np.int64]:
    if column.null_count:
        raise TrainingDataError(f"column {name} has gaps")
    whole = column.combine_chunks()
    encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    codes: NDArray[np.int64] = encoded.indices.to_numpy().astype(np.int64)
    return codes


def _place(column: Any) -> NDArray[np.int64]:
    """Return a number for each terminal or merchant; an empty name is none."""
    whole = _compute.cast(column.combine_chunks(), pa.string())
    named = _compute.if_else(_compute.equal(whole, ""), None, whole).dictionary_encode()
    codes: NDArray[np.int64] = _compute.fill_null(named.indices, -1).to_numpy().astype(np.int64)
    return codes
