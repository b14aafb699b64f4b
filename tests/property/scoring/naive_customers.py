"""What a customer's windows and repeated ids are, in words: keeps everything, and looks at all of it every time."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from tallystick.scoring.windows import DAY_MS, HORIZON_MS, REPEAT_MS


class Paid(NamedTuple):
    """A transaction."""

    time_ms: int
    amount: int
    currency: str
    identifier: str


class NaiveCustomer:
    """One customer.

    Args:
        kept: how many transactions in one currency are remembered.
    """

    def __init__(self, kept: int = 10**9) -> None:
        self._accepted: list[Paid] = []
        self._kept = kept

    def remembered(self, currency: str) -> list[Paid]:
        """Return the newest in a currency that are not gone, by time, then by arrival."""
        newest_ms = max((paid.time_ms for paid in self._accepted), default=0)
        found = [paid for paid in self._accepted if paid.currency == currency and paid.time_ms > newest_ms - HORIZON_MS]
        return sorted(found, key=lambda paid: paid.time_ms)[-self._kept :]

    def is_repeat(self, paid: Paid) -> bool:
        """Tell whether the id is remembered from within 30 days."""
        currencies = {other.currency for other in self._accepted}
        return any(
            other.identifier == paid.identifier and abs(paid.time_ms - other.time_ms) < REPEAT_MS
            for currency in currencies
            for other in self.remembered(currency)
        )

    def observe(self, paid: Paid, spans_ms: Sequence[int]) -> list[int]:
        """Return count and sum over each (t - span, t], of what is remembered, and the transaction itself."""
        newest_ms = max((other.time_ms for other in self._accepted), default=paid.time_ms)
        seen = [other for other in self.remembered(paid.currency) if other.time_ms > max(newest_ms, paid.time_ms) - HORIZON_MS]
        self._accepted.append(paid)
        flat = []
        for span in spans_ms:
            inside = [other.amount for other in seen if paid.time_ms - span < other.time_ms <= paid.time_ms]
            flat += [len(inside) + 1, sum(inside) + paid.amount]
        return flat


# Steps that meet the windows' edges exactly, stay at one time, go back, or leave months out.
_STEPS_MS = st.sampled_from(
    [0, 0, 1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 7 * DAY_MS, REPEAT_MS - 1, REPEAT_MS, HORIZON_MS, 100 * DAY_MS, -1, -DAY_MS]
) | st.integers(-40 * DAY_MS, 3 * DAY_MS)
amounts = st.integers(0, 10**12)


@st.composite
def histories(draw: st.DrawFn, identifiers: int = 10**9) -> list[Paid]:
    """Draw a customer's transactions in order of arrival: late, tied, skewed, months apart, in two currencies."""
    times_ms, now_ms = [], 1_700_000_000_000
    for step in draw(st.lists(_STEPS_MS, max_size=40)):
        now_ms += step
        times_ms.append(now_ms)
    return [
        Paid(time_ms, draw(amounts), draw(st.sampled_from(["EUR", "CHF"])), f"tx-{draw(st.integers(0, identifiers))}")
        for time_ms in times_ms
    ]
