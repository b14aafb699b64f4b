"""Where a partition ends, when a broker says too little. The broker is a fake: no real one loses its leader on demand."""

from collections.abc import Iterable
from typing import NamedTuple

import pytest
from aiokafka import TopicPartition

from tallystick.runtime import kafka

WHERE = TopicPartition("decisions", 0)


class Record(NamedTuple):
    """A record that has but a place."""

    offset: int


class Reader:
    """Gives records one by one, and says of the end what it is told to."""

    def __init__(self, records: int, fetch_says: int, listing_says: int) -> None:
        self._records, self._fetch_says, self._listing_says = records, fetch_says, listing_says
        self._position = 0

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return what `ListOffsets` says."""
        return dict.fromkeys(partitions, self._listing_says)

    def assign(self, _: list[TopicPartition]) -> None:
        """Take it."""

    def seek(self, _: TopicPartition, offset: int) -> None:
        """Go there."""
        self._position = offset

    async def position(self, _: TopicPartition) -> int:
        """Return what is next."""
        return self._position

    def highwater(self, _: TopicPartition) -> int:
        """Return what a fetch says."""
        return self._fetch_says

    async def getmany(self, *_: object, **__: object) -> dict[TopicPartition, list[Record]]:
        """Give the next record."""
        self._position += 1
        return {WHERE: [Record(self._position - 1)]} if self._position <= self._records else {}


@pytest.mark.parametrize(("fetch_says", "listing_says"), [(3, 7), (7, 3), (7, 7)], ids=["new-leader", "tansu", "both"])
async def test_the_end_is_the_larger_of_two(fetch_says: int, listing_says: int) -> None:
    """A leader just elected says too little in a fetch, another broker in a listing: neither hides a committed decision.

    Fails if either is believed alone: whoever takes the partition over would decide again what is decided.
    """
    reader = Reader(7, fetch_says, listing_says)
    assert [record.offset for record in await kafka.read_to_end(reader, WHERE, 0)] == list(range(7))
    assert await kafka.high_watermark(reader, WHERE, 0) == 7
