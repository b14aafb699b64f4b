"""Feature columns, as scoring computes them one transaction at a time: exact integers, one float64 division, one rounding.

| kind | value |
|---|---|
| amount | cents / 100 |
| weekend | 1 from Saturday 00:00 to Monday 00:00 UTC |
| night | 1 in hours 0 to 6 UTC |
| count | the account's transactions in (t - days, t], this one and those before it in the stream |
| mean_amount | their cents / (100 * count) |
| attribute | the attribute |
| terminal_count, merchant_count | the place's transactions in (t - delay - days, t - delay], by the second |
| terminal_fraud_share, merchant_fraud_share | the share of frauds among them |

An account is a customer in one currency. Of transactions at the same time only those earlier in the stream count.
"""

import numpy as np
from numpy.typing import NDArray

from tallystick.trainer.data import DAY_MS, TrainingDataError, Transactions
from tallystick.trainer.places import PlaceWindows
from tallystick.trust.features import Feature, FeatureSchema

HOUR_MS = 3_600_000
LAST_NIGHT_HOUR = 6
FIRST_MONDAY_DAY = 4
"""1970-01-05 was a Monday."""


def feature_matrix(transactions: Transactions, schema: FeatureSchema) -> NDArray[np.float32]:
    """Compute every transaction's features; float32, (transactions, features in the schema's order).

    Windows start empty with the first transaction given.

    Raises:
        TrainingDataError: the schema asks for an attribute that the data does not have.
    """
    windows, places = Windows(transactions), _place_windows(transactions, schema)
    matrix = np.empty((len(transactions), len(schema.features)), np.float32)
    for place, feature in enumerate(schema.features):
        matrix[:, place] = _column(transactions, windows, places, feature)
    return matrix


def _column(
    transactions: Transactions, windows: "Windows", places: dict[str, PlaceWindows], feature: Feature
) -> NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]:
    days = feature.days or 0
    match feature.kind:
        case "amount":
            return transactions.amount_minor / 100
        case "weekend":
            return (transactions.event_time_ms // DAY_MS - FIRST_MONDAY_DAY) % 7 >= 5
        case "night":
            return transactions.event_time_ms % DAY_MS // HOUR_MS <= LAST_NIGHT_HOUR
        case "count":
            return windows.count(days)
        case "mean_amount":
            return windows.amount_sum(days) / (100 * windows.count(days))
        case "attribute" if feature.attribute in transactions.attributes:
            return transactions.attributes[feature.attribute]
        case "terminal_count" | "merchant_count" if (place := feature.kind.partition("_")[0]) in places:
            return places[place].count(days)
        case "terminal_fraud_share" | "merchant_fraud_share" if (place := feature.kind.partition("_")[0]) in places:
            return places[place].fraud_share(days)
    raise TrainingDataError(f"the schema asks for feature {feature.name}, which this data cannot give")


def _place_windows(transactions: Transactions, schema: FeatureSchema) -> dict[str, PlaceWindows]:
    if schema.delay_days is None:
        return {}
    times_ms, fraud = transactions.event_time_ms, transactions.fraud
    return {name: PlaceWindows(column, times_ms, fraud, schema.delay_days) for name, column in transactions.places.items()}


class Windows:
    """Counts and sums over each account's last days.

    Transactions are laid out account by account, in stream order within each; a window is then a slice that ends at its
    transaction, and its start is a binary search in one ascending column (account, time).
    """

    def __init__(self, transactions: Transactions) -> None:
        times_ms = transactions.event_time_ms - transactions.event_time_ms.min(initial=np.iinfo(np.int64).max)
        self._order = np.argsort(transactions.account, kind="stable")
        self._span_ms = int(times_ms.max(initial=0)) + 1
        self._account = transactions.account[self._order]
        self._times_ms = times_ms[self._order]
        self._key = self._account * self._span_ms + self._times_ms
        self._sums = np.concatenate([[0], np.cumsum(transactions.amount_minor[self._order])])

    def count(self, days: int) -> NDArray[np.int64]:
        """Return the number of transactions in each one's window, itself included."""
        return self._to_stream_order(np.arange(len(self._order)) + 1 - self._starts(days))

    def amount_sum(self, days: int) -> NDArray[np.int64]:
        """Return the minor units in each one's window, its own included."""
        return self._to_stream_order(self._sums[1:] - self._sums[self._starts(days)])

    def _starts(self, days: int) -> NDArray[np.int64]:
        """Where each window begins in the layout: behind the account's last transaction at or before t - days."""
        before = np.maximum(self._times_ms - days * DAY_MS, -1)
        starts: NDArray[np.int64] = np.searchsorted(self._key, self._account * self._span_ms + before, side="right")
        return starts

    def _to_stream_order(self, column: NDArray[np.int64]) -> NDArray[np.int64]:
        restored = np.empty_like(column)
        restored[self._order] = column
        return restored
