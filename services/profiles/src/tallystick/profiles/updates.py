"""What is gathered, divided by the partition of each subject, as `ProfileUpdate`s."""

from collections.abc import Callable, Iterable, Mapping

from tallystick.contracts import ProfileUpdate, SourcePosition, SourceSlice
from tallystick.trust.profiles.entries import Entry


class Gathered:
    """Entries on their way; the columns of each partition's next update.

    Args:
        partitions: how many partitions subjects are divided among.
        partition_of: gives the partition that a subject's key belongs on.
    """

    def __init__(self, partitions: int, partition_of: Callable[[bytes], int]) -> None:
        self._partitions = partitions
        self._partition_of = partition_of
        self._places: dict[bytes, int] = {}
        self._slices: dict[tuple[int, str, int], SourceSlice] = {}
        self.entries = 0

    def add(self, source: str, partition: int, offset: int, entry: Entry) -> None:
        """Take in what came at an offset of a source."""
        for key in entry.subjects:
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = self._partition_of(key)
            where = place, source, partition
            part = self._slices.get(where)
            if part is None:
                part = self._slices[where] = SourceSlice(source=source, partition=partition)
            part.subjects.append(key)
            part.offsets.append(offset)
            part.ids.append(entry.identifier)
            part.seconds.append(entry.second_s)
            if entry.labelled_at_ms is not None:
                part.labelled_at_ms.append(entry.labelled_at_ms)
                part.frauds.append(entry.fraud)
            self.entries += 1

    def take(self, watermark_s: int, positions: Mapping[tuple[str, int], int]) -> list[bytes]:
        """Return every partition's update, serialised, and begin anew.

        Args:
            watermark_s: what counts from then or before is in these updates or earlier ones.
            positions: where the sources stand behind them.
        """
        places = [
            SourcePosition(source=source, partition=partition, next_offset=offset)
            for (source, partition), offset in sorted(positions.items())
        ]
        updates = []
        for number in range(self._partitions):
            slices = [part for (place, *_), part in self._slices.items() if place == number]
            updates.append(ProfileUpdate(watermark_s=watermark_s, positions=places, slices=slices).SerializeToString())
        self._slices, self.entries = {}, 0
        if len(self._places) > 1_000_000:
            self._places.clear()
        return updates


def resume(updates: Iterable[ProfileUpdate | None], sources: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return where gathering goes on, by source: the least that any partition's last update says; 0 where one has none."""
    known = [
        {(place.source, place.partition): place.next_offset for place in update.positions} if update is not None else {}
        for update in updates
    ]
    return {source: min((places.get(source, 0) for places in known), default=0) for source in sources}
