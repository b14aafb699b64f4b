"""Terminals' and merchants' histories made again from raw transactions and labels, and asked what scoring asked of profiles.

Pure. How a history counts is `trust.profiles`, as in the service that makes profiles; windows are counted here, on a path of
their own. Of the service's `profile-updates` only the order is taken: up to where its sources had come with each update, and
the watermark that it said; what the records hold is read from the records themselves.

- What was final (not stale) is answered by everything that is at hand: nothing changes at or before the watermark.
- What was stale for being ahead of the watermark is answered as of the profile's version, which the evidence names.
- No answer is given, but a `Reason`, where one would rest on what is not at hand, or on the operator's word alone for when
  something came: what came so late that the watermark had passed it counts for nothing, or from later on.
"""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tallystick.contracts import ProfileUpdate, ProfileVersion, SourceSlice
from tallystick.trust.profiles.entries import Entry
from tallystick.trust.profiles.subject import MINUTE_S, Rule, Subject

NEVER_S = 2**63
Source = tuple[str, int]
"""A topic and its partition."""


class Reason(StrEnum):
    """Why a feature from profiles was not computed again; the words are for people."""

    NO_LABELS = "no labels were given"
    NO_TRANSACTION = "its transaction is not at hand"
    NOT_RETAINED = "its windows reach back to what is no longer retained"
    OTHER_SOURCE = "its windows hold what is in none of the topics"
    LATE_LABEL = "a label came late"
    LATE_TRANSACTION = "a transaction in its windows came late"
    UPDATES_MISSING = "the updates up to its profile's version are not at hand"
    UNKNOWN_STATE = "its profile was stale, and its evidence does not tell the state"


class Look(NamedTuple):
    """What scoring asked of one place: windows of these lengths at an event time, in seconds; and the state it says it saw."""

    key: bytes
    second_s: int
    spans_s: tuple[int, ...]
    seen: ProfileVersion


Answer = list[int] | Reason
"""Count and frauds over each window, flattened, as scoring's look-up gives them."""


class Doubt(NamedTuple):
    """What is not known of a second: at event times from `from_s` to before `until_s` it may count otherwise."""

    second_s: int
    from_s: int
    until_s: int
    reason: Reason


@dataclass(slots=True)
class _Place:
    subject: Subject = field(default_factory=Subject)
    doubts: list[Doubt] = field(default_factory=list)


class Gathered:
    """Raw records' entries, divided as the service divides them.

    Args:
        partitions: how many the updates have.
        partition_of: gives the partition that a place's key belongs on.

    Attributes:
        complete_from_s: what was before may have been deleted.
    """

    def __init__(self, partitions: int, partition_of: Callable[[bytes], int]) -> None:
        self.partition_of = partition_of
        self.complete_from_s = 0
        self._parts: list[dict[Source, list[tuple[int, bytes, Entry]]]] = [defaultdict(list) for _ in range(partitions)]
        self._sources: set[Source] = set()

    def add(self, source: Source, offset: int, entry: Entry) -> None:
        """Take in what is at an offset of a source; in their order."""
        for key in entry.subjects:
            self._parts[self.partition_of(key)][source].append((offset, key, entry))

    def has(self, source: Source, complete_from_s: int) -> None:
        """Note that a source was read, and which seconds of its records may lack some."""
        self._sources.add(source)
        self.complete_from_s = max(self.complete_from_s, complete_from_s)

    def of(self, partition: int) -> Mapping[Source, Sequence[tuple[int, bytes, Entry]]]:
        """Return what belongs to a partition of the updates, by every source that was read."""
        return {source: self._parts[partition].get(source, ()) for source in self._sources}


def answers(
    looks: Sequence[Look],
    updates: Sequence[tuple[int, ProfileUpdate]],
    entries: Mapping[Source, Sequence[tuple[int, bytes, Entry]]],
    rule: Rule,
    complete_from_s: int,
) -> list[Answer]:
    """Return what each look finds.

    Args:
        looks: of places that belong to one partition of the updates.
        updates: that partition's, with their offsets, as far as they are retained.
        entries: what of the sources belongs to it.
        rule: by what labels count.
        complete_from_s: which seconds may lack something before they are gathered.
    """
    shard = _Shard(entries, rule)
    found: dict[int, Answer] = {}
    dated = deque(sorted((look.seen.version, place) for place, look in enumerate(looks) if look.seen.stale))
    first = updates[0][0] if updates else 0
    if first > 0:
        shard.take_unordered(updates[0][1])
    for offset, update in updates:
        while dated and dated[0][0] <= offset:
            version, place = dated.popleft()
            early = version <= first and first > 0
            found[place] = Reason.NOT_RETAINED if early else shard.answer(looks[place], complete_from_s)
        shard.take(update)
    end = updates[-1][0] + 1 if updates else 0
    for place, look in enumerate(looks):
        if place not in found:
            known = look.seen.version <= end if look.seen.stale else look.second_s <= shard.watermark_s
            found[place] = shard.answer(look, complete_from_s) if known else Reason.UPDATES_MISSING
    return [found[place] for place in range(len(looks))]


class _Shard:
    """One partition's places, as updates go by."""

    def __init__(self, entries: Mapping[Source, Sequence[tuple[int, bytes, Entry]]], rule: Rule) -> None:
        self._entries = entries
        self._rule = rule
        self._places: dict[bytes, _Place] = {}
        self._reached: dict[Source, int] = {}
        self.watermark_s = 0

    def take_unordered(self, first: ProfileUpdate) -> None:
        """Take in what came before the first update that is left or with it: in which order to the watermark, nobody knows."""
        for position in first.positions:
            for key, entry in self._until((position.source, position.partition), position.next_offset):
                place = self._take(key, entry)
                place.doubts.append(Doubt(entry.second_s, -NEVER_S, NEVER_S, Reason.NOT_RETAINED))

    def take(self, update: ProfileUpdate) -> None:
        """Take in what came with an update."""
        ends = {(one.source, one.partition): one.next_offset for one in update.positions}
        for part in update.slices:
            source = part.source, part.partition
            if source in self._entries:
                end = ends.pop(source, part.offsets[-1] + 1 if part.offsets else 0)
                for key, entry in self._until(source, end):
                    self._take(key, entry)
            else:
                self._take_foreign(part)
        for source, end in ends.items():
            for key, entry in self._until(source, end):
                self._take(key, entry)
        self.watermark_s = max(self.watermark_s, update.watermark_s)

    def answer(self, look: Look, complete_from_s: int) -> Answer:
        """Return what a look finds now, or why that is not what scoring saw for sure."""
        last_s = look.second_s - self._rule.delay_s
        first_s = last_s - max(look.spans_s, default=0)
        if look.seen.stale and (look.second_s <= look.seen.watermark_s or not look.seen.HasField("offset")):
            return Reason.UNKNOWN_STATE
        if first_s < complete_from_s:
            return Reason.NOT_RETAINED
        place = self._places.get(look.key)
        if place is None:
            return [0] * (2 * len(look.spans_s))
        for doubt in place.doubts:
            if first_s - MINUTE_S < doubt.second_s <= last_s and doubt.from_s <= look.second_s < doubt.until_s:
                return doubt.reason
        return _windows(place.subject, look, last_s)

    def _until(self, source: Source, end: int) -> Iterable[tuple[bytes, Entry]]:
        entries, at = self._entries.get(source, ()), self._reached.get(source, 0)
        while at < len(entries) and entries[at][0] < end:
            _, key, entry = entries[at]
            at += 1
            yield key, entry
        self._reached[source] = at

    def _take(self, key: bytes, entry: Entry) -> _Place:
        place, rule = self._places.setdefault(key, _Place()), self._rule
        subject, due_s = place.subject, entry.second_s + rule.delay_s
        if entry.labelled_at_ms is None:
            repeated = entry.identifier in subject.recent
            if not subject.add(entry.identifier, entry.second_s, self.watermark_s, rule) and not repeated:
                place.doubts.append(Doubt(entry.second_s, due_s, NEVER_S, Reason.LATE_TRANSACTION))
            return place
        known = len(subject.changes)
        subject.label(entry.identifier, entry.second_s, entry.labelled_at_ms, entry.fraud, self.watermark_s, rule)
        if len(subject.changes) > known:
            reached_s, counts_s = -(-entry.labelled_at_ms // 1000), subject.changes[-1].from_s
            timely_s = due_s if reached_s <= due_s else reached_s + rule.lead_s
            if counts_s > timely_s:
                place.doubts.append(Doubt(entry.second_s, timely_s, counts_s, Reason.LATE_LABEL))
        return place

    def _take_foreign(self, part: SourceSlice) -> None:
        """Take in what an update says came from a source that was not read: that there is something, and no more."""
        for key, second_s in zip(part.subjects, part.seconds, strict=True):
            doubt = Doubt(second_s, -NEVER_S, NEVER_S, Reason.OTHER_SOURCE)
            self._places.setdefault(key, _Place()).doubts.append(doubt)


def _windows(subject: Subject, look: Look, last_s: int) -> list[int]:
    flat: list[int] = []
    end = bisect_right(subject.seconds, last_s)
    for span_s in look.spans_s:
        start = bisect_right(subject.seconds, last_s - span_s)
        count = sum(subject.counts[start:end])
        inside = range(last_s - span_s + 1, last_s + 1)
        frauds = sum(one.sign for one in subject.changes if one.second_s in inside and one.from_s <= look.second_s)
        flat += (count, min(max(frauds, 0), count))  # a label may speak of a transaction that never came
    return flat
