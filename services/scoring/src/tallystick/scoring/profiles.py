"""The topic `profiles` as a table: what a terminal's or merchant's windows hold at an event time.

A profile answers every event time up to its partition's watermark, and answers it as each later record of it will: so the
newest record is the one to ask, whichever that is by now, and a decision is the same whenever it is made, unless it is marked
stale. Windows end the labels' delay before the event time, in whole seconds: of N days, (t - delay - N days, t - delay].

Values are kept as they came and parsed when first asked for. Memory: the record's bytes and about 250 for each subject, and for
those asked for since their last record 8 bytes a second with transactions.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from google.protobuf.message import DecodeError

from tallystick.contracts import Profile, ProfileVersion, ProfileWatermark

WATERMARK_KEY = b"watermark"
DAY_S = 86_400


class Lookup(NamedTuple):
    """What was found: count and frauds over each window, flattened; which state that was; whether it may still change."""

    windows: list[int]
    version: ProfileVersion
    stale: bool


class History:
    """One subject's seconds, with running counts, and its frauds."""

    __slots__ = ("changes", "seconds", "sums", "valid_from_s")

    def __init__(self, profile: Profile) -> None:
        self.seconds = array("I", accumulate(profile.second_gaps))
        # None: one transaction in each second, so that places count.
        self.sums = array("Q", accumulate(profile.counts, initial=0)) if profile.counts else None
        self.changes = [(change.second_s, change.from_s, change.sign) for change in profile.frauds]
        self.valid_from_s = profile.valid_from_ms // 1000

    def windows(self, second_s: int, delay_s: int, spans_s: Sequence[int]) -> list[int]:
        """Return count and frauds over each (t - delay - span, t - delay], at the event time `second_s`."""
        last_s = second_s - delay_s
        seconds, sums = self.seconds, self.sums
        end = bisect_right(seconds, last_s)
        known = [(at, sign) for at, from_s, sign in self.changes if from_s <= second_s and at <= last_s]
        flat: list[int] = []
        for span_s in spans_s:
            start = bisect_right(seconds, last_s - span_s, 0, end)
            count = end - start if sums is None else sums[end] - sums[start]
            frauds = sum(sign for at, sign in known if at > last_s - span_s) if known else 0
            # A label may speak of a transaction that never came.
            flat += (count, min(max(frauds, 0), count))
        return flat


class _Record:
    """A subject's newest record; parsed when first asked for, on whichever thread asks."""

    __slots__ = ("_state", "offset", "version")

    def __init__(self, offset: int, value: bytes, version: int) -> None:
        self.offset = offset
        self.version = version
        self._state: bytes | History = value

    @property
    def history(self) -> History:
        state = self._state
        if not isinstance(state, History):
            self._state = state = History(Profile.FromString(state))
        return state


class _Shard:
    __slots__ = ("delay_days", "records", "valid_from_s", "version", "watermark_s")

    def __init__(self) -> None:
        self.records: dict[bytes, _Record] = {}
        self.watermark_s = self.valid_from_s = self.delay_days = self.version = 0


class ProfileTable:
    """All partitions' profiles.

    Args:
        partitions: how many there are.
        partition_of: gives the partition that a subject's key belongs on.
    """

    def __init__(self, partitions: int, partition_of: Callable[[bytes], int]) -> None:
        self._shards = [_Shard() for _ in range(partitions)]
        self._partition_of = partition_of
        self.malformed = 0

    def __len__(self) -> int:
        return sum(len(shard.records) for shard in self._shards)

    @property
    def watermark_s(self) -> int:
        """The least of the partitions' watermarks."""
        return min(shard.watermark_s for shard in self._shards)

    def take(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take a record in; one that is no profile is counted and left out."""
        shard = self._shards[partition]
        try:
            if key == WATERMARK_KEY:
                self._take_watermark(shard, ProfileWatermark.FromString(value or b""))
            elif value is None:
                shard.records.pop(key or b"", None)
            elif key is not None:
                version = Profile.FromString(value).version
                before = shard.records.get(key)
                # A process that was paused while its partition moved may have written an older one behind.
                if before is None or version >= before.version:
                    shard.records[key] = _Record(offset, value, version)
        except DecodeError:
            self.malformed += 1

    def look_up(self, key: bytes, time_ms: int, delay_days: int, spans_s: Sequence[int]) -> Lookup:
        """Return what a subject's windows hold at an event time.

        Args:
            key: the subject's; empty if the transaction names none: nothing is known of it, for good.
            time_ms: the event time.
            delay_days: the labels' delay.
            spans_s: the windows' lengths.
        """
        if key.endswith(b"/") and key.count(b"/") == 1:
            return Lookup([0] * (2 * len(spans_s)), ProfileVersion(), stale=False)
        second_s = time_ms // 1000
        shard = self._shards[self._partition_of(key)]
        watermark_s = shard.watermark_s  # before the record, which may be newer than it, and never older
        stale = not shard.valid_from_s <= second_s <= watermark_s or delay_days != shard.delay_days
        record = shard.records.get(key)
        if record is None:
            empty = [0] * (2 * len(spans_s))
            return Lookup(empty, ProfileVersion(watermark_s=watermark_s, stale=stale), stale)
        found = ProfileVersion(offset=record.offset, version=record.version, watermark_s=watermark_s, stale=stale)
        return Lookup(record.history.windows(second_s, delay_days * DAY_S, spans_s), found, stale)

    @staticmethod
    def _take_watermark(shard: _Shard, watermark: ProfileWatermark) -> None:
        if watermark.version >= shard.version:
            shard.version, shard.watermark_s = watermark.version, watermark.watermark_s
            shard.valid_from_s, shard.delay_days = watermark.valid_from_ms // 1000, watermark.delay_days


NO_PROFILES = ProfileTable(1, lambda _: 0)
"""Nothing is known of anything: every lookup is stale."""
