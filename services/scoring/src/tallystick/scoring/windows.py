"""A customer's history: which transactions came before, and what they add up to.

Everything is an exact integer: milliseconds, minor units, counts; 64 bits hold nine million payments of 10^12. A window of N
days at event time t is (t - N days, t], the transaction itself included, and of several at one time only those that arrived
before it. A late transaction sees the history as of its own event time. History `HORIZON_MS` or more before its newest
transaction counts as gone, whether or not its memory has been freed yet, so that what is seen does not depend on when the sweep
ran.
"""

from array import array
from bisect import bisect_right

DAY_MS = 86_400_000
REPEAT_MS = 30 * DAY_MS
HORIZON_MS = 37 * DAY_MS
_SWEEP = 64


class History:
    """One customer's transactions in one currency, in order of event time."""

    __slots__ = ("sums", "times")

    def __init__(self) -> None:
        self.times = array("q")
        self.sums = array("q", [0])  # sums[i] = minor units of the first i transactions

    def observe(self, time_ms: int, amount_minor: int, spans_ms: tuple[int, ...]) -> list[int]:
        """Add a transaction and return count and sum over each window, flattened: count, sum, then the next window's.

        Args:
            time_ms: its event time.
            amount_minor: its amount, 0 to 10^12.
            spans_ms: the windows' lengths, each at most 30 days.
        """
        times, sums = self.times, self.sums
        if not times or time_ms >= times[-1]:
            times.append(time_ms)
            sums.append(sums[-1] + amount_minor)
            end, gone = len(times), 0
            if end & (_SWEEP - 1) == 0:
                self._sweep()
                times, sums = self.times, self.sums
                end = len(times)
        else:
            end = bisect_right(times, time_ms) + 1
            times.insert(end - 1, time_ms)
            sums.insert(end, sums[end - 1] + amount_minor)
            for later in range(end + 1, len(sums)):
                sums[later] += amount_minor
            # A transaction that is itself beyond the horizon sees nothing but itself.
            gone = min(bisect_right(times, times[-1] - HORIZON_MS), end - 1)
        total = sums[end]
        flat: list[int] = []
        for span in spans_ms:
            start = bisect_right(times, time_ms - span, gone, end)
            flat += (end - start, total - sums[start])
        return flat

    def _sweep(self) -> None:
        gone = bisect_right(self.times, self.times[-1] - HORIZON_MS)
        if gone:
            base = self.sums[gone]
            self.times = self.times[gone:]
            self.sums = array("q", [total - base for total in self.sums[gone:]])


class Customer:
    """What a partition knows of one customer: histories by currency, and the transaction ids of the last 30 days."""

    __slots__ = ("cipher", "histories", "identifiers", "key_id", "name", "newest_ms")

    def __init__(self, name: str) -> None:
        self.name = name
        self.histories: dict[str, History] = {}
        self.identifiers: dict[str, int] = {}
        self.newest_ms = 0
        self.key_id: bytes | None = None  # filled in by the shell before evidence is sealed
        self.cipher: object = None

    def is_repeat(self, transaction_id: str, time_ms: int) -> bool:
        """Tell whether this id was last decided for this customer within 30 days of `time_ms`."""
        known = self.identifiers.get(transaction_id)
        return known is not None and abs(time_ms - known) < REPEAT_MS and known > self.newest_ms - HORIZON_MS

    def observe(
        self, transaction_id: str, currency: str, time_ms: int, amount_minor: int, spans_ms: tuple[int, ...]
    ) -> list[int]:
        """Add a transaction and return its windows (see `History.observe`)."""
        identifiers = self.identifiers
        identifiers[transaction_id] = time_ms
        if time_ms > self.newest_ms:
            self.newest_ms = time_ms
            if len(identifiers) & (_SWEEP - 1) == 0:
                oldest = time_ms - HORIZON_MS
                self.identifiers = {name: known for name, known in identifiers.items() if known > oldest}
        history = self.histories.get(currency)
        if history is None:
            history = self.histories[currency] = History()
        return history.observe(time_ms, amount_minor, spans_ms)
