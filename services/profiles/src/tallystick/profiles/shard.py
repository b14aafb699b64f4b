"""The subjects of one partition: a function of the partition's updates, taken in order, each once.

Profiles are published now and then and the watermark's record behind them, which says up to which update they go. What is
restored from both may hold updates that come again: the shard's version tells of whole updates, a subject's own of those that
its last record held already, and the sources' positions tell of records that two gatherers took.
"""

from collections.abc import Iterator

from tallystick.contracts import ProfileUpdate, ProfileWatermark, SourcePosition, SourceSlice
from tallystick.profiles.encoding import decode, encode
from tallystick.trust.profiles.subject import DAY_S, Rule, Subject

WATERMARK_KEY = b"watermark"
Published = tuple[bytes, bytes | None]


class ShardError(ValueError):
    """The updates are not those that the profiles were made of; a person must look."""


class Shard:
    """One partition's subjects.

    Args:
        rule: by what labels count.

    Attributes:
        watermark_s: up to which event time everything counts that ever will.
        version: the offset behind the last update taken.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._subjects: dict[bytes, Subject] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._dirty: set[bytes] = set()
        self._swept_day = 0
        self.watermark_s = 0
        self.version = 0
        self.published_version = 0
        self.left_out = 0
        """Transactions that were repeats or came too late."""

    def __len__(self) -> int:
        return len(self._subjects)

    @property
    def valid_from_s(self) -> int:
        """From which event time on profiles answer."""
        return max(0, self.watermark_s - self._rule.late_s)

    @property
    def unpublished(self) -> bool:
        """Whether an update has come since the last publication."""
        return self.version != self.published_version

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take a record of `profiles` back in; in order.

        Raises:
            ShardError: if it was made under another delay.
            DecodeError, ValueError: if it is no such record.
        """
        if key == WATERMARK_KEY:
            self._restore_watermark(ProfileWatermark.FromString(value or b""))
        elif value is None:
            self._subjects.pop(key, None)
        else:
            subject, before = decode(value), self._subjects.get(key)
            # A process that was paused while its partition moved may have written an older one behind.
            if before is None or subject.version >= before.version:
                self._subjects[key] = subject

    def apply(self, update: ProfileUpdate, offset: int) -> None:
        """Take an update in; one that was taken before changes nothing.

        Raises:
            ShardError: if updates are missing before it.
        """
        if offset < self.version:
            return
        for part in update.slices:
            self._take(part, offset)
        for place in update.positions:
            self._reach(place.source, place.partition, place.next_offset)
        self.watermark_s = max(self.watermark_s, update.watermark_s)
        self.version = offset + 1

    def publish(self) -> list[Published]:
        """Return the records to write, in order: what changed since the last time, and the watermark behind."""
        first_s = max(0, self.watermark_s - self._rule.reach_s)
        if self.watermark_s // DAY_S > self._swept_day:
            self._swept_day = self.watermark_s // DAY_S
            self._dirty |= {key for key, subject in self._subjects.items() if _outlived(subject, first_s)}
        records = [self._record(key, first_s) for key in sorted(self._dirty)]
        self._dirty.clear()
        self.published_version = self.version
        watermark = ProfileWatermark(
            watermark_s=self.watermark_s,
            valid_from_ms=self.valid_from_s * 1000,
            delay_days=self._rule.delay_s // DAY_S,
            version=self.version,
            positions=[
                SourcePosition(source=source, partition=partition, next_offset=offset)
                for (source, partition), offset in sorted(self._positions.items())
            ],
        )
        return [*records, (WATERMARK_KEY, watermark.SerializeToString())]

    def _record(self, key: bytes, first_s: int) -> Published:
        subject = self._subjects[key]
        subject.trim(first_s)
        subject.version = self.version
        if subject.empty:
            del self._subjects[key]
            return key, None
        return key, encode(key, subject, self.valid_from_s)

    def _take(self, part: SourceSlice, offset: int) -> None:
        done = self._positions.get((part.source, part.partition), 0)
        rule, watermark_s, dirty = self._rule, self.watermark_s, self._dirty
        verdicts = _verdicts(part)
        for key, source_offset, identifier, second_s in zip(part.subjects, part.offsets, part.ids, part.seconds, strict=True):
            verdict = next(verdicts)
            if source_offset < done:
                continue
            subject = self._subjects.get(key)
            if subject is None:
                subject = self._subjects[key] = Subject()
            elif subject.version > offset:
                continue
            if verdict is None:
                changed = subject.add(identifier, second_s, watermark_s, rule)
                self.left_out += not changed
            else:
                changed = subject.label(identifier, second_s, *verdict, watermark_s, rule)
            dirty.add(key)
        if part.offsets:
            self._reach(part.source, part.partition, part.offsets[-1] + 1)

    def _reach(self, source: str, partition: int, next_offset: int) -> None:
        place = source, partition
        self._positions[place] = max(next_offset, self._positions.get(place, 0))

    def _restore_watermark(self, watermark: ProfileWatermark) -> None:
        if watermark.delay_days != self._rule.delay_s // DAY_S:
            raise ShardError(
                f"the profiles there were made for labels' delay of {watermark.delay_days} days, not"
                f" {self._rule.delay_s // DAY_S}: give them a new topic"
            )
        if watermark.version < self.version:
            return
        self.watermark_s, self.version = watermark.watermark_s, watermark.version
        self.published_version = watermark.version
        for place in watermark.positions:
            self._reach(place.source, place.partition, place.next_offset)


def _verdicts(part: SourceSlice) -> Iterator[tuple[int, bool] | None]:
    if part.labelled_at_ms:
        yield from zip(part.labelled_at_ms, part.frauds, strict=True)
    while True:
        yield None


def _outlived(subject: Subject, first_s: int) -> bool:
    return not subject.seconds or subject.seconds[-1] < first_s
