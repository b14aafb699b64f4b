"""Features from the transactions themselves: a second path, written from the feature schema's words, not scoring's code.

For each transaction, all of its customer's that arrived before it are looked through: slow, and hard to get wrong. What comes
from profiles, which depends on labels, `places` computes.

What counts (see `trust.features`): a window of N days at event time t is (t - N days, t], of one customer in one currency, the
transaction itself and at one time those that arrived before it included; nothing that is `HORIZON_MS` or more older than the
customer's newest event time, in any currency; of one currency the newest `KEPT` before it.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np

from tallystick.cli.replay.trees import Floats
from tallystick.trust.features import PROFILED, FeatureSchema
from tallystick.trust.transactions import Payment

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
HORIZON_MS = 37 * DAY_MS
KEPT = 65_536
LATE_MS = 7 * DAY_MS
"""Of what is later than this, scoring may have forgotten the customer."""
_FIRST_MONDAY, _SATURDAY, _LAST_NIGHT_HOUR = 4, 5, 6

Windows = dict[int, tuple[int, int]]
"""Count and minor units by days."""


@dataclass(slots=True)
class _Customer:
    newest_ms: int = 0
    accounts: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # (event time, minor units) by currency


class History:
    """What one partition's accepted transactions come to, in their order."""

    def __init__(self) -> None:
        self._customers: dict[str, _Customer] = {}

    def take(self, payment: Payment, days: Sequence[int]) -> Windows:
        """Take an accepted transaction in; return its windows of so many days."""
        customer = self._customers.setdefault(payment.customer_id, _Customer())
        newest_ms = max(customer.newest_ms, payment.event_time_ms)
        if payment.event_time_ms <= customer.newest_ms - HORIZON_MS:
            return dict.fromkeys(days, (1, payment.amount_minor))
        customer.newest_ms = newest_ms
        account = customer.accounts.setdefault(payment.currency, [])
        time = itemgetter(0)
        del account[: bisect_right(account, newest_ms - HORIZON_MS, key=time)]
        seen = account[max(0, len(account) - KEPT) :]
        windows: Windows = {}
        for each in days:
            inside = [amount for at, amount in seen if payment.event_time_ms - each * DAY_MS < at <= payment.event_time_ms]
            windows[each] = len(inside) + 1, sum(inside) + payment.amount_minor
        insort(account, (payment.event_time_ms, payment.amount_minor), key=time)
        return windows


def days_of(schema: FeatureSchema) -> list[int]:
    """Return the windows that a schema asks for of a customer."""
    return sorted({one.days for one in schema.features if one.days is not None and one.kind not in PROFILED})


def computed(schema: FeatureSchema) -> list[int]:
    """Return the places of the features that are computed here."""
    return [place for place, one in enumerate(schema.features) if one.kind not in PROFILED]


def vector(schema: FeatureSchema, payment: Payment, windows: Windows) -> Floats:
    """Return a transaction's features: exact integers, one float64 division, one rounding; NaN where they are of profiles."""
    values = np.full(len(schema.features), np.nan, np.float64)
    at = payment.event_time_ms
    for place, one in enumerate(schema.features):
        if one.kind == "amount":
            values[place] = payment.amount_minor / 100
        elif one.kind == "weekend":
            values[place] = (at // DAY_MS - _FIRST_MONDAY) % 7 >= _SATURDAY
        elif one.kind == "night":
            values[place] = at % DAY_MS // HOUR_MS <= _LAST_NIGHT_HOUR
        elif one.kind == "attribute":
            values[place] = payment.attributes.get(one.attribute or "", np.nan)
        elif one.kind not in PROFILED:
            count, total = windows[one.days or 0]
            values[place] = count if one.kind == "count" else total / (100 * count)
    return values.astype(np.float32)
