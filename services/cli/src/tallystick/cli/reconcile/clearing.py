"""The clearing file: a line for each transaction that was paid. CSV with a header, or Parquet; other columns are passed over.

transaction_id   as the bank named it when it asked for a decision
amount_minor     in minor units of the currency, an integer
currency         ISO 4217 alphabetic code
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

COLUMNS: Mapping[str, pa.DataType] = {"transaction_id": pa.string(), "amount_minor": pa.int64(), "currency": pa.string()}


class ClearingError(ValueError):
    """The file is no clearing file; the message says why."""


class Cleared(NamedTuple):
    """What was paid: amount in minor units, and currency."""

    amount_minor: int
    currency: str


def read_clearing(path: Path) -> Mapping[str, Cleared]:
    """Return what was cleared, by transaction id. Raises ClearingError; OSError if the file cannot be read."""
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path, columns=list(COLUMNS))
        else:
            options = pa_csv.ConvertOptions(column_types=dict(COLUMNS), include_columns=list(COLUMNS), strings_can_be_null=True)
            table = pa_csv.read_csv(path, convert_options=options)
        table = table.select(list(COLUMNS)).cast(pa.schema(dict(COLUMNS)))
    except (pa.ArrowException, KeyError) as error:
        raise ClearingError(f"{path}: not CSV or Parquet with {', '.join(COLUMNS)}: {error}") from error
    for name in COLUMNS:
        if table[name].null_count:
            row = pc.index(pc.is_null(table[name]), True).as_py()
            raise ClearingError(f"{path}: row {row + 1} has no {name}")
    cleared: dict[str, Cleared] = {}
    for name, amount, currency in zip(*(table[column].to_pylist() for column in COLUMNS), strict=True):
        if str(name) in cleared:
            raise ClearingError(f"{path}: the transaction {name} is there twice")
        cleared[str(name)] = Cleared(int(str(amount)), str(currency))
    return cleared
