"""Token buckets: how often somebody may ask. Pure: the time is given."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_s` requests a second for as long as one likes, and up to `burst` at once; a rate of 0 bounds nothing."""

    per_s: float
    burst: float


class Buckets:
    """One bucket for each name, all of the same rate; the longest unused are forgotten, which is to be full again.

    Args:
        rate: how fast they fill, and how much they hold.
        most: how many names are remembered.
    """

    def __init__(self, rate: Rate, most: int = 10_000) -> None:
        self._rate, self._most = rate, most
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, cost: float, now_s: float) -> float:
        """Take `cost` from a bucket, at a monotonic time; return in how many seconds it could be taken, 0 if it was.

        What costs more than a bucket holds is given to a full one, which then owes the rest.
        """
        per_s, burst = self._rate.per_s, self._rate.burst
        if not per_s:
            return 0.0
        level, at_s = self._filled.get(name, (burst, now_s))
        level = min(burst, level + (now_s - at_s) * per_s)
        lacking = min(cost, burst) - level
        if lacking > 0:
            return lacking / per_s
        self._filled[name] = level - cost, now_s
        self._filled.move_to_end(name)
        if len(self._filled) > self._most:
            self._filled.popitem(last=False)
        return 0.0
