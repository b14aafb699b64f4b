"""When snapshots are taken and thrown out, and what a store that fails does to scoring: nothing."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from tallystick.runtime.health import Health
from tallystick.scoring import snapshotting
from tallystick.scoring.snapshot_stores import DirectoryStore
from tallystick.scoring.snapshots import folder, read_name
from tallystick.scoring.snapshotting import COMPONENT, Schedule, Snapshotter

from .world import PARTITION, TOPIC, Scorer, record

T = TypeVar("T")
DAY_S = 86_400.0


class Keys:
    """Keys as Vault would wrap them."""

    async def new_wrapped_key(self) -> tuple[bytes, str]:
        """Return one."""
        return bytes(32), "wrapped"

    async def unwrapped_key(self, wrapped: str) -> bytes:
        """Return it."""
        return bytes(32) if wrapped else b""


def files(directory: Path) -> list[Path]:
    """Return all files."""
    return [path for path in directory.rglob("*") if path.is_file()]


class World:
    """A partition, a store, a clock, and a snapshotter over them."""

    def __init__(self, directory: Path, schedule: Schedule) -> None:
        self.now_s = 1_700_000_000.0
        self.scorer, self.health = Scorer(), Health("test", [COMPONENT])
        self.store = DirectoryStore(directory)
        self.snapshotter = Snapshotter(self.store, Keys(), schedule, self.health, self.clock, self.clock)
        self._offset = 0

    def clock(self) -> float:
        """Return the time."""
        return self.now_s

    def score(self, count: int) -> None:
        """Decide so many records."""
        offsets = range(self._offset, self._offset + count)
        self.scorer.score([record(offset, transaction_id=f"tx-{offset}") for offset in offsets])
        self._offset += count

    def sequences(self) -> list[int]:
        """Return the next sequence numbers of the partition's snapshots."""
        return [said[1] for name in self.store.names(folder(TOPIC, PARTITION)) if (said := read_name(name))]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Run the snapshotter until something is so."""
        running = asyncio.create_task(self.snapshotter.run({PARTITION: self.scorer.partition}, lambda work: work()))
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - what is waited for is on the disk
                await asyncio.sleep(0.005)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshotting, "_TURN_S", 0.001)
    monkeypatch.setattr(snapshotting, "_RETRY_S", 0.001)


@pytest.mark.parametrize(
    ("records", "age_s", "due"),
    [
        (0, 61, False),
        (99, 59, False),
        (100, 0, True),
        (1, 60, True),
        (0, DAY_S / 2 - 1, False),
        (0, DAY_S / 2, True),  # it would be thrown out for its age some day, and then there were none
    ],
)
def test_one_is_due_after_so_many_records_or_seconds(records: int, age_s: float, due: bool) -> None:
    """Since the last one, or the start."""
    assert Schedule(every_records=100, every_s=60, max_age_s=DAY_S).is_due(records, age_s) is due


async def test_they_are_taken_by_and_by(tmp_path: Path) -> None:
    """An empty partition has none; the next is taken when it is due."""
    world = World(tmp_path, Schedule(every_records=10, every_s=60, max_age_s=DAY_S))
    world.score(1)
    running = asyncio.create_task(
        world.snapshotter.run({PARTITION: world.scorer.partition, 9: Scorer().partition}, lambda work: work())
    )
    for expected in ([11], [11, 21], [21, 31]):
        async with asyncio.timeout(30):
            while world.health.state(COMPONENT) != "ok":  # noqa: ASYNC110 - the snapshotter has begun by then
                await asyncio.sleep(0.005)
        world.score(10)
        async with asyncio.timeout(30):
            while world.sequences() != expected:  # noqa: ASYNC110 - what is waited for is on the disk
                await asyncio.sleep(0.005)
    world.now_s += DAY_S
    running.cancel()
    assert len(world.store.names(f"{TOPIC}/")) == 2


async def test_only_the_newest_are_kept_and_none_gets_too_old(tmp_path: Path) -> None:
    """Of a partition that another process has, only what is too old goes; what an interrupted write left goes at the start."""
    world = World(tmp_path, Schedule(every_records=1, every_s=1, max_age_s=DAY_S))
    strangers = [
        f"{folder(TOPIC, 9)}{7:020d}-{made_s * 1000:013.0f}.snapshot" for made_s in (world.now_s, world.now_s - DAY_S - 1)
    ]
    for name in (*strangers, f"{folder(TOPIC, PARTITION)}notes.txt"):
        world.store.write(name, iter([b"x"]))
    leftover = tmp_path / TOPIC / str(PARTITION) / ".tmp-half"
    leftover.write_bytes(b"half")
    for records in (1, 2, 3):
        world.score(records)
        world.now_s += 1
        await world.snapshotter.take(world.scorer.partition, lambda work: work())
    await world.until(lambda: not leftover.exists() and strangers[1] not in world.store.names(f"{TOPIC}/"))
    assert world.sequences() == [3, 6]
    assert {strangers[0], f"{folder(TOPIC, PARTITION)}notes.txt"} < set(world.store.names(f"{TOPIC}/"))
    world.now_s += DAY_S + 1
    world.snapshotter.prune({(TOPIC, PARTITION)})
    assert world.sequences() == []


async def test_a_store_that_fails_is_said_and_tried_again(tmp_path: Path) -> None:
    """The place cannot be used, until somebody puts that right."""
    (tmp_path / "place").write_bytes(b"no directory")
    world = World(tmp_path / "place", Schedule(every_records=1, every_s=1, max_age_s=DAY_S))
    await world.until(lambda: "not answering" in world.health.state(COMPONENT))
    (tmp_path / "place").unlink()
    await world.until(lambda: world.health.state(COMPONENT) == "ok")


async def test_an_abandoned_snapshot_is_not_finished(tmp_path: Path) -> None:
    """The session ends while one is written: the thread gives up at its next slice, and no name shows."""
    world = World(tmp_path, Schedule(1, 1, DAY_S))
    world.score(3)
    reached, may_go_on, ended = threading.Event(), threading.Event(), threading.Event()

    class Slow(DirectoryStore):
        def write(self, name: str, parts: Iterable[bytes]) -> None:
            def waiting() -> Iterable[bytes]:
                for part in parts:
                    yield part
                    reached.set()
                    may_go_on.wait(30)

            try:
                super().write(name, waiting())
            finally:
                ended.set()

    world.store = Slow(tmp_path)
    world.snapshotter = Snapshotter(world.store, Keys(), Schedule(1, 1, DAY_S), world.health)
    taking = asyncio.create_task(world.snapshotter.take(world.scorer.partition, lambda work: work()))
    await asyncio.to_thread(reached.wait, 30)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    may_go_on.set()
    assert await asyncio.to_thread(ended.wait, 30)
    assert not files(tmp_path)
