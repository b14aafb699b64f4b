"""One terminal's or merchant's history: its transactions by the second, and which of them were fraud from when on.

Nothing changes at or before the watermark: a transaction or label counts from the earliest event time that is still open, so
whatever a profile answers there, each later one answers alike.

- A transaction at second s counts from s + delay. One that comes when the watermark has passed that is left out.
- A label counts from s + delay too, if the verdict was reached by then, else `lead` after the verdict; where the watermark has
  passed that, `lead` after the verdict or, if that has passed as well, from just behind the watermark.
- Of a transaction's labels the one with the newest verdict counts; of those at one time the one that came last.
- Of a UTC day with more than `FINE_SECONDS` different seconds, every transaction counts at its minute's last second, which
  bounds a subject: 1,440 places a day, whatever its traffic. A day that the watermark has reached stays as it is.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

DAY_S = 86_400
MINUTE_S = 60
FINE_SECONDS = 1_440
"""A UTC day with more different seconds than this is kept by the minute."""

LONGEST_DAYS = 30
"""The longest window, in days."""

REPEAT_S = 2 * DAY_S
_MAX_RECENT = 65_536
_SWEEP = 64


@dataclass(frozen=True, slots=True)
class Rule:
    """By what labels count; in whole seconds.

    Attributes:
        delay_s: how long labels take: windows end that much before the event time.
        lead_s: how long after its verdict a label may count that came too late for its transaction.
        late_s: for how long before the watermark event times are still answered.
    """

    delay_s: int
    lead_s: int
    late_s: int

    @property
    def reach_s(self) -> int:
        """How far behind the watermark a profile reaches."""
        return self.delay_s + LONGEST_DAYS * DAY_S + self.late_s


class Change(NamedTuple):
    """One more fraud at a second, or one less (`sign` -1), from an event time on."""

    second_s: int
    from_s: int
    sign: int


class Known(NamedTuple):
    """A transaction's newest label; `from_s` is when its change counts, 0 if it changed nothing."""

    second_s: int
    labelled_at_ms: int
    fraud: bool
    from_s: int


class Subject:
    """A subject's state.

    Attributes:
        seconds: different seconds with transactions, ascending.
        counts: transactions in each.
        changes: frauds, as they became known.
        labels: newest labels by transaction id.
        recent: seconds of the last two days' transactions by id.
        coarse: UTC days that are kept by the minute.
        version: the offset in `profile-updates` behind the last update taken.
    """

    __slots__ = ("changes", "coarse", "counts", "labels", "recent", "seconds", "version")

    def __init__(self) -> None:
        self.seconds = array("I")
        self.counts = array("I")
        self.changes: list[Change] = []
        self.labels: dict[int, Known] = {}
        self.recent: dict[int, int] = {}
        self.coarse: set[int] = set()
        self.version = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is left of it."""
        return not self.seconds and not self.labels

    def add(self, identifier: int, second_s: int, watermark_s: int, rule: Rule) -> bool:
        """Take a transaction in; False if it is a repeat or comes too late."""
        if identifier in self.recent or second_s + rule.delay_s <= watermark_s:
            return False
        recent = self.recent
        recent[identifier] = second_s
        if len(recent) & (_SWEEP - 1) == 0:
            self._forget_recent()
        place_s, seconds = self._place(second_s), self.seconds
        if not seconds or place_s > seconds[-1]:
            seconds.append(place_s)
            self.counts.append(1)
        else:
            at = bisect_left(seconds, place_s)
            if seconds[at] == place_s:
                self.counts[at] += 1
                return True
            seconds.insert(at, place_s)
            self.counts.insert(at, 1)
        if len(seconds) > FINE_SECONDS:
            self._coarsen(second_s // DAY_S, watermark_s - rule.delay_s)
        return True

    def label(self, identifier: int, second_s: int, labelled_at_ms: int, fraud: bool, watermark_s: int, rule: Rule) -> bool:
        """Take a label in; False if it says nothing new."""
        known = self.labels.get(identifier)
        if known is not None and (labelled_at_ms < known.labelled_at_ms or known[1:3] == (labelled_at_ms, fraud)):
            return False
        from_s, was = 0, known is not None and known.fraud
        if fraud == was:
            from_s = known.from_s if known is not None else 0
        elif known is not None and known.from_s > watermark_s:
            self._undo(known)
        else:
            from_s = _counts_from(second_s, labelled_at_ms, watermark_s, rule)
            self.changes.append(Change(self._place(second_s), from_s, 1 if fraud else -1))
        self.labels[identifier] = Known(second_s, labelled_at_ms, fraud, from_s)
        return fraud != was or known is None

    def trim(self, first_s: int) -> None:
        """Forget what is before a second."""
        if gone := bisect_left(self.seconds, first_s):
            self.seconds, self.counts = self.seconds[gone:], self.counts[gone:]
        if self.labels:
            self.changes = [change for change in self.changes if change.second_s >= first_s]
            self.labels = {identifier: known for identifier, known in self.labels.items() if known.second_s >= first_s}
        if self.coarse:
            self.coarse = {day for day in self.coarse if (day + 1) * DAY_S > first_s}

    def _place(self, second_s: int) -> int:
        if self.coarse and second_s // DAY_S in self.coarse:
            return last_of_minute(second_s)
        return second_s

    def _coarsen(self, day: int, final_s: int) -> None:
        seconds = self.seconds
        first, end = bisect_left(seconds, day * DAY_S), bisect_left(seconds, (day + 1) * DAY_S)
        if end - first <= FINE_SECONDS or day in self.coarse or final_s >= day * DAY_S:
            return
        minutes: dict[int, int] = {}
        for second_s, count in zip(seconds[first:end], self.counts[first:end], strict=True):
            minute_s = last_of_minute(second_s)
            minutes[minute_s] = minutes.get(minute_s, 0) + count
        self.seconds = seconds[:first] + array("I", minutes) + seconds[end:]
        self.counts = self.counts[:first] + array("I", minutes.values()) + self.counts[end:]
        self.coarse.add(day)
        self.changes = [change._replace(second_s=self._place(change.second_s)) for change in self.changes]

    def _undo(self, known: Known) -> None:
        """Take back a change that has not counted yet."""
        undone = Change(self._place(known.second_s), known.from_s, 1 if known.fraud else -1)
        self.changes.remove(undone)

    def _forget_recent(self) -> None:
        # The last ones to come stay, however old: where a backlog is read, partitions are far apart in event time.
        first_s, last = max(self.recent.values()) - REPEAT_S, len(self.recent) - _SWEEP // 2
        kept = [
            (identifier, second_s)
            for place, (identifier, second_s) in enumerate(self.recent.items())
            if second_s >= first_s or place >= last
        ]
        self.recent = dict(kept[-_MAX_RECENT:])


def last_of_minute(second_s: int) -> int:
    """Return the last second of a second's minute."""
    return second_s - second_s % MINUTE_S + MINUTE_S - 1


def _counts_from(second_s: int, labelled_at_ms: int, watermark_s: int, rule: Rule) -> int:
    due_s = second_s + rule.delay_s
    reached_s = -(-labelled_at_ms // 1000)
    if reached_s <= due_s and due_s > watermark_s:
        return due_s
    return max(due_s, reached_s + rule.lead_s, watermark_s + 1)
