"""Terminals' and merchants' windows by column, as profiles keep them and scoring counts in them.

Seconds, not milliseconds; windows end the labels' delay before the event time; of a UTC day with more than 1,440 different
seconds, each transaction counts at its minute's last second. Labels are taken to be known within the delay.
"""

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400
MINUTE_S = 60
FINE_SECONDS = 1_440


class PlaceWindows:
    """Counts and frauds over the days before each transaction, where it was made.

    Args:
        place: a number for each place, -1 for none; int64.
        event_time_ms: int64.
        fraud: the label.
        delay_days: the labels' delay.
    """

    def __init__(
        self, place: NDArray[np.int64], event_time_ms: NDArray[np.int64], fraud: NDArray[np.bool_], delay_days: int
    ) -> None:
        seconds = event_time_ms // 1000
        self._base_s = int(seconds.min(initial=np.iinfo(np.int64).max))
        self._known = place >= 0
        self._place, self._seconds = place, seconds - self._base_s
        self._delay_s = delay_days * DAY_S
        self._width_s = int(self._seconds.max(initial=0)) + MINUTE_S + 2
        keys = self._keys(_places(place, seconds) - self._base_s)[self._known]
        order = np.argsort(keys, kind="stable")
        self._ordered = keys[order]
        self._frauds = np.concatenate([[0], np.cumsum(fraud[self._known][order])])

    def count(self, days: int) -> NDArray[np.int64]:
        """Return the number of transactions in each one's window."""
        start, end = self._window(days)
        return end - start

    def fraud_share(self, days: int) -> NDArray[np.float64]:
        """Return the share of frauds among them, 0 where there are none."""
        start, end = self._window(days)
        share: NDArray[np.float64] = (self._frauds[end] - self._frauds[start]) / np.maximum(end - start, 1)
        return share

    def _window(self, days: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        last_s = self._seconds - self._delay_s
        ends = [np.searchsorted(self._ordered, self._keys(at), side="right") for at in (last_s - days * DAY_S, last_s)]
        start, end = (np.where(self._known, places, 0) for places in ends)
        return start, end

    def _keys(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what orders by place and second; every second before the first is one."""
        keys: NDArray[np.int64] = self._place * self._width_s + np.maximum(seconds, -1) + 1
        return keys


def _places(place: NDArray[np.int64], seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the second at which each transaction counts."""
    day = seconds // DAY_S
    days = np.stack([place, day])
    _, group, sizes = np.unique(days, axis=1, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    busy = np.flatnonzero(sizes > FINE_SECONDS)
    if not len(busy):
        return seconds
    coarse = [one for one in busy if len(np.unique(seconds[group == one])) > FINE_SECONDS]
    return np.where(np.isin(group, coarse), seconds - seconds % MINUTE_S + MINUTE_S - 1, seconds)
