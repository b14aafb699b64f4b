"""What a table of transactions is: one column for each field of `Transaction`, named as in the proto.

`attributes` is either a struct of float64 (the same names in every row) or a map from string to float64. A null is a field
that is absent. `transaction_table` brings columns to these types.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

from tallystick.contracts import Transaction

Column: TypeAlias = Any
"""An Arrow array, whole or in chunks; pyarrow's stubs know too few of its methods to be of use."""

compute: Any = pyarrow.compute  # likewise

TEXT = ("transaction_id", "customer_id", "currency", "terminal_id", "merchant_id", "source")
INTEGERS = {"amount_minor": pa.int64(), "event_time_ms": pa.int64(), "source_sequence": pa.uint64()}
ATTRIBUTES = "attributes"
REQUIRED = ("transaction_id", "customer_id", "amount_minor", "currency", "event_time_ms")

ATTRIBUTE_MAP = pa.map_(pa.string(), pa.float64())

FIELD_NAMES = {name: field.name for field in Transaction.DESCRIPTOR.fields for name in (field.name, field.json_name)}
"""Proto names and proto3 JSON names, to proto names."""


class ColumnError(ValueError):
    """A column is missing or holds what cannot be that field of a transaction."""


def transaction_table(columns: Mapping[str, Column]) -> pa.Table:
    """Make a table of transactions from columns by proto name; integer ids become their decimal digits.

    Raises:
        ColumnError: a required column is missing, or a column has the wrong type.
    """
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise ColumnError(f"no column {' or '.join(missing)}")
    return pa.table({name: _typed(name, column) for name, column in columns.items()})


def _typed(name: str, column: Column) -> Column:
    kind = column.type
    if name in TEXT and (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return compute.cast(column, pa.string())
    if name in TEXT and pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        return compute.cast(column, pa.string())
    if name in INTEGERS and pa.types.is_integer(kind):
        return compute.cast(column, INTEGERS[name])
    if name == ATTRIBUTES and pa.types.is_struct(kind):
        return _float_struct(column)
    if name == ATTRIBUTES and pa.types.is_map(kind):
        return compute.cast(column, ATTRIBUTE_MAP)
    raise ColumnError(f"column {name} is {kind}, which cannot be that field of a transaction")


def _float_struct(column: Column) -> Column:
    whole: Column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    names = [whole.type.field(index).name for index in range(whole.type.num_fields)]
    values = [compute.cast(values, pa.float64()) for values in whole.flatten()]
    for name, value in zip(names, values, strict=True):
        if value.null_count:
            raise ColumnError(f"attribute {name} has rows without a value; use a map column for attributes that may be absent")
    return pa.StructArray.from_arrays(values, names)
