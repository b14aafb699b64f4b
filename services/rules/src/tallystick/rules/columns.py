"""The columns that rules name, made for a batch: only those, each once.

| column | value | NULL |
|---|---|---|
| `margin` | the champion's raw margin | never |
| `feature.<name>` | the feature as the model saw it (a float32, exactly) | where it is missing (NaN) |
| `attribute.<name>` | the transaction's attribute | where it has none of that name |
| `transaction.amount_minor`, `.event_time_ms` | the transaction's field | never |
| `transaction.hour`, `.weekday` | 0 to 23; 0 (Monday) to 6; of the event time in UTC | never |
| `transaction.currency`, `.terminal_id`, `.merchant_id`, `.source` | the transaction's field | where it is empty |
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallystick.contracts import Transaction
from tallystick.rules.language import MARGIN, TEXTS
from tallystick.trust.transactions import Payment

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_THURSDAY = 3  # 1970-01-01


class Batch(NamedTuple):
    """What a policy rules on, row by row.

    margins: raw margins, float32, shape (rows,). matrix: the features that the model saw, float32, shape (rows, features).
    transactions: what was paid. times_ms: the records' Kafka time stamps.
    """

    margins: NDArray[np.float32]
    matrix: NDArray[np.float32]
    transactions: Sequence[Transaction | Payment]
    times_ms: Sequence[int]


Maker = Callable[[Batch], pl.Series]


def makers(names: Iterable[str], features: Sequence[str]) -> Mapping[str, Maker]:
    """Return by column what makes it.

    Args:
        names: full names, as `language.columns_of` gives them.
        features: the names of the matrix's columns.
    """
    return {name: _maker(name, {feature: place for place, feature in enumerate(features)}) for name in sorted(names)}


def _maker(name: str, places: Mapping[str, int]) -> Maker:
    space, _, field = name.partition(".")
    if name == MARGIN:
        return lambda batch: _numbers(name, batch.margins)
    if space == "feature":
        place = places[field]
        return lambda batch: _numbers(name, batch.matrix[:, place])
    if space == "attribute":
        # `get`, since reading a missing key of a protobuf map would create it.
        return lambda batch: pl.Series(name, [paid.attributes.get(field) for paid in batch.transactions], dtype=pl.Float64)
    if field in TEXTS:
        read = attrgetter(field)
        return lambda batch: pl.Series(name, [text or None for text in map(read, batch.transactions)], dtype=pl.String)
    return lambda batch: _numbers(name, _INTEGERS[field](batch.transactions))


def _numbers(name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> pl.Series:
    return pl.Series(name, values.astype(np.float64), nan_to_null=True)


def _times(transactions: Sequence[Transaction | Payment]) -> NDArray[np.int64]:
    return np.array([transaction.event_time_ms for transaction in transactions], np.int64)


_INTEGERS: Mapping[str, Callable[[Sequence[Transaction | Payment]], NDArray[np.int64]]] = {
    "amount_minor": lambda paid: np.array([transaction.amount_minor for transaction in paid], np.int64),
    "event_time_ms": _times,
    "hour": lambda paid: _times(paid) % _DAY_MS // _HOUR_MS,
    "weekday": lambda paid: (_times(paid) // _DAY_MS + _THURSDAY) % 7,
}
