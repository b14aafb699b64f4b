"""Taking snapshots beside scoring, and keeping only the newest.

A snapshot is taken in slices of a few milliseconds, each between two steps of scoring; sealing, hashing and writing happen in a
thread beside. One at a time. Whatever goes wrong is said in health and tried again: scoring goes on, a restart takes longer.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypeVar

from tallystick.runtime.health import Health
from tallystick.runtime.vault import VaultError
from tallystick.scoring.customers import Cut
from tallystick.scoring.engine import Partition
from tallystick.scoring.snapshot_stores import SnapshotStore
from tallystick.scoring.snapshots import LAYOUT, Header, encode, folder, read_name

COMPONENT = "snapshots"
SLICE = 500
"""Customers copied at once; about a millisecond."""
KEPT = 2
_TURN_S = 1.0
_RETRY_S = 30.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Serially(Protocol):
    """Calls a function at a moment when no record is being admitted, from any thread, and returns its result."""

    def __call__(self, work: Callable[[], T]) -> T:
        """Call it."""
        ...


class Keys(Protocol):
    """Makes and unwraps the keys of snapshots; both raise VaultError."""

    async def new_wrapped_key(self) -> tuple[bytes, str]:
        """Return a random key and the same wrapped."""
        ...

    async def unwrapped_key(self, wrapped: str) -> bytes:
        """Return a wrapped key."""
        ...


class AbandonedError(Exception):
    """The partition is no longer this process's: its snapshot is not finished."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a snapshot is due: after so many records or seconds, if there was a record; and how old one may get."""

    every_records: int
    every_s: float
    max_age_s: float

    def is_due(self, records: int, age_s: float) -> bool:
        """Tell whether one is due, so many records and seconds after the last."""
        # One that nothing was added to would be thrown out for its age some day, and then there were none.
        soon = self.every_s if records > 0 else self.max_age_s / 2
        return records >= self.every_records or age_s >= soon


@dataclass(slots=True)
class _Taken:
    sequence: int
    at_s: float


class Snapshotter:
    """Takes the snapshots of one session's partitions.

    Args:
        store: where they go.
        keys: for their keys.
        schedule: when they are due.
        health: told of component `snapshots`.
        clock: seconds since 1970.
        monotonic: seconds.
    """

    def __init__(
        self,
        store: SnapshotStore,
        keys: Keys,
        schedule: Schedule,
        health: Health,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keys = keys
        self._schedule = schedule
        self._health = health
        self._clock = clock
        self._monotonic = monotonic

    async def run(self, partitions: Mapping[int, Partition], serially: Serially) -> NoReturn:
        """Take the partitions' snapshots until cancelled, beginning with throwing out old ones."""
        now_s = self._monotonic()
        taken = {number: _Taken(partition.next_sequence, now_s) for number, partition in partitions.items()}
        pruned = False
        while True:
            try:
                if not pruned:
                    await asyncio.to_thread(self.prune, {(one.topic, one.number) for one in partitions.values()})
                    pruned = True
                    self._health.ok(COMPONENT)
                for number, partition in partitions.items():
                    if self._due(partition, taken[number]):
                        header = await self.take(partition, serially)
                        taken[number] = _Taken(header.next_sequence, self._monotonic())
                        self._health.ok(COMPONENT)
            except (OSError, VaultError) as error:
                _log.warning("no snapshot: %s", error)
                self._health.failing(COMPONENT, str(error))
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(_TURN_S)

    async def take(self, partition: Partition, serially: Serially) -> Header:
        """Take one snapshot of a partition, and delete those that it makes superfluous; return its header.

        Raises:
            OSError: the store does not do its part.
            VaultError: nor does Vault.
        """
        key, wrapped = await self._keys.new_wrapped_key()
        abandoned = threading.Event()

        def write() -> Header:
            header, cut = serially(lambda: self._begun(partition, wrapped))
            try:
                self._store.write(header.name, encode(header, key, _frames(cut, serially, abandoned)))
            finally:
                serially(partition.customers.end_cut)
            self.prune({(partition.topic, partition.number)})
            return header

        started_s = self._monotonic()
        try:
            header = await asyncio.to_thread(write)
        except asyncio.CancelledError:
            abandoned.set()  # the thread ends at its next slice, and leaves nothing
            raise
        _log.info("snapshot %s taken in %.1f s", header.name, self._monotonic() - started_s)
        return header

    def prune(self, ours: set[tuple[str, int]]) -> None:
        """Delete all but the newest of our partitions, what is too old of any, and what interrupted writes left of ours."""
        oldest_ms = (self._clock() - self._schedule.max_age_s) * 1000
        for topic in {topic for topic, _ in ours}:
            known: dict[int, list[str]] = {}
            for name in self._store.names(folder(topic)):
                said = read_name(name)
                if said is None:
                    continue
                number, _, made_ms = said
                if made_ms < oldest_ms:
                    self._store.delete(name)
                else:
                    known.setdefault(number, []).append(name)
            for number in (number for name, number in ours if name == topic):
                for name in sorted(known.get(number, []))[:-KEPT]:
                    self._store.delete(name)
                self._store.sweep(folder(topic, number))

    def _due(self, partition: Partition, taken: _Taken) -> bool:
        records, age_s = partition.next_sequence - taken.sequence, self._monotonic() - taken.at_s
        return partition.next_sequence > 0 and self._schedule.is_due(records, age_s)

    def _begun(self, partition: Partition, wrapped: str) -> tuple[Header, Cut]:
        active = partition.active
        header = Header(
            topic=partition.topic,
            partition=partition.number,
            next_offset=partition.next_offset,
            next_sequence=partition.next_sequence,
            chain=partition.chain.hex(),
            activation_index=None if active is None else active.index,
            made_ms=int(self._clock() * 1000),
            layout=LAYOUT,
            wrapped_key=wrapped,
        )
        return header, partition.customers.cut()


def _frames(cut: Cut, serially: Serially, abandoned: threading.Event) -> Iterator[bytes]:
    yield cut.clock
    while piece := serially(lambda: cut.slice(SLICE)):
        if abandoned.is_set():
            raise AbandonedError
        yield piece
