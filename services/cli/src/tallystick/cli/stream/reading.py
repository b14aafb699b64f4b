"""From a file to a table of transactions: which kind of file it is, and what of it counts."""

import codecs
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tallystick.cli.stream.columns import FIELD_NAMES, Column, ColumnError, compute, transaction_table
from tallystick.cli.stream.json_lines import BadLine, parse_lines

__all__ = ["ULB_EPOCH_MS", "BadLine", "TransactionFile", "TransactionFileError", "read_transactions"]

PARQUET_MAGIC = b"PAR1"
HEAD_BYTES = 65_536
OTHER_NAMES = {"amount_cents": "amount_minor"}

ULB_EPOCH_MS = 1_377_993_600_000
"""2013-09-01T00:00:00Z: the ULB data says "September 2013" and counts seconds from its first transaction."""

MAX_EXACT = 2.0**53

ULB_COMPONENTS = tuple(f"V{number}" for number in range(1, 29))


class TransactionFileError(ValueError):
    """The file is not one of transactions; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class TransactionFile:
    """What a file holds.

    Attributes:
        table: its transactions in the file's order (`tallystick.cli.stream.columns`).
        bad_lines: lines that are no transactions; only JSON lines have them.
        ignored: columns that are no field of a transaction, such as labels.
    """

    table: pa.Table
    bad_lines: tuple[BadLine, ...] = ()
    ignored: tuple[str, ...] = ()


def read_transactions(path: Path) -> TransactionFile:
    """Read Parquet (told by its first bytes) or JSON lines.

    Parquet has columns named after the fields of `Transaction`, by proto or JSON name, as `tallystick simulate` writes them;
    or it is the ULB data (Time, V1 to V28, Amount, Class). JSON lines have one `Transaction` in proto3 JSON a line.

    Raises:
        TransactionFileError: the file as a whole is not of this kind.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head.startswith(PARQUET_MAGIC):
            if _is_binary(head):
                raise TransactionFileError(f"{path}: neither Parquet nor text in UTF-8")
            file.seek(0)
            table, bad_lines = parse_lines(file)
            return TransactionFile(table, bad_lines)
    try:
        parquet = pq.read_table(path)
        return _ulb(parquet) if {"Time", "Amount", *ULB_COMPONENTS} <= set(parquet.column_names) else _by_name(parquet)
    except (ColumnError, pa.ArrowInvalid) as error:
        raise TransactionFileError(f"{path}: {error}") from error


def _is_binary(head: bytes) -> bool:
    """Tell by its beginning whether a file is something else than lines of JSON, a few of which may be bad."""
    if head.lstrip().startswith(b"{"):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut off
    except UnicodeDecodeError:
        return True
    return b"\0" in head


def _by_name(parquet: pa.Table) -> TransactionFile:
    names = {name: FIELD_NAMES.get(name) or OTHER_NAMES.get(name) for name in parquet.column_names}
    fields = [field for field in names.values() if field]
    repeated = sorted({field for field in fields if fields.count(field) > 1})
    if repeated:
        raise ColumnError(f"two columns for {' and for '.join(repeated)}")
    columns = {field: parquet[name] for name, field in names.items() if field}
    return TransactionFile(transaction_table(columns), ignored=tuple(name for name, field in names.items() if not field))


def _ulb(parquet: pa.Table) -> TransactionFile:
    """Read the ULB data; it names no customer, so that each row gets a pseudonym of its own."""
    rows = pa.array(np.arange(parquet.num_rows)).cast(pa.string())
    attributes = pa.StructArray.from_arrays(
        [parquet[name].combine_chunks().cast(pa.float64()) for name in ULB_COMPONENTS], list(ULB_COMPONENTS)
    )
    columns = {
        "transaction_id": compute.binary_join_element_wise("ulb", rows, "-"),
        "customer_id": compute.binary_join_element_wise("holder", rows, "-"),
        "amount_minor": exact_cents(parquet["Amount"].to_numpy()),
        "currency": pa.repeat("EUR", parquet.num_rows),
        "event_time_ms": pa.array(ULB_EPOCH_MS + parquet["Time"].to_numpy().astype(np.int64) * 1000),
        "attributes": attributes,
    }
    ignored = tuple(name for name in parquet.column_names if name not in {"Time", "Amount", *ULB_COMPONENTS})
    return TransactionFile(transaction_table(columns), ignored=ignored)


def exact_cents(amount: NDArray[np.float64]) -> Column:
    """Amounts in currency units as int64 cents.

    Raises:
        ColumnError: an amount is not the float64 nearest to a whole number of cents.
    """
    cents = np.rint(amount * 100)
    inexact = np.flatnonzero(~((cents / 100 == amount) & (np.abs(cents) < MAX_EXACT)))
    if len(inexact):
        raise ColumnError(f"row {inexact[0]}: amount {amount[inexact[0]]!r} is not a whole number of cents")
    return pa.array(cents.astype(np.int64))
