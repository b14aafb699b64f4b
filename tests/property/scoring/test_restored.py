"""A partition restored from a snapshot is the partition: equal to one replayed from the beginning, and to one never stopped."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.contracts import Outcome
from tallystick.runtime.health import Health
from tallystick.scoring import customers as customers_module
from tallystick.scoring import snapshotting
from tallystick.scoring.customers import Customers, dump
from tallystick.scoring.engine import Partition
from tallystick.scoring.restoring import Restorer
from tallystick.scoring.snapshot_stores import DirectoryStore
from tallystick.scoring.snapshots import folder
from tallystick.scoring.snapshotting import Schedule, Snapshotter

from ...unit.scoring.world import PARTITION, TOPIC, FakeRecord, Scorer, decisions, stream

T = TypeVar("T")
RECORDS = stream(400, customers=12, step_ms=20_000_000)


class Plain:
    """Keys as Vault would wrap them."""

    async def new_wrapped_key(self) -> tuple[bytes, str]:
        """Return one."""
        return b"k" * 32, "wrapped"

    async def unwrapped_key(self, wrapped: str) -> bytes:
        """Return it."""
        assert wrapped == "wrapped"
        return b"k" * 32


class Meanwhile:
    """Goes on scoring between any two slices, as long as there are records."""

    def __init__(self, scorer: Scorer, records: list[FakeRecord], steps: list[int]) -> None:
        self._scorer, self._records, self._steps = scorer, records, steps
        self.begun = False

    def __call__(self, work: Callable[[], T]) -> T:
        """Score some, but nothing before the cut, then do the work."""
        if self.begun and self._steps:
            step = self._steps.pop()
            self._scorer.score(self._records[:step])
            del self._records[:step]
        self.begun = True
        return work()


def contents(customers: Customers) -> tuple[bytes, dict[str, bytes]]:
    """Return everything, to compare."""
    known = dict(customers._known)
    return customers.cut().clock, {name: dump(customer) for name, customer in known.items()}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers_module, "BLOCK", 16)
    monkeypatch.setattr(snapshotting, "SLICE", 3)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 399), st.lists(st.integers(0, 30), max_size=6))
def test_restored_is_replayed_is_never_stopped(at: int, steps: list[int]) -> None:
    """Bit for bit, whatever was decided while the snapshot was taken, and every decision after it is the same."""
    scorer = Scorer()
    before = decisions(scorer.score(RECORDS[:at]))
    rest = RECORDS[at:]
    with TemporaryDirectory() as directory:
        store, health = DirectoryStore(Path(directory)), Health("test")
        snapshotter = Snapshotter(store, Plain(), Schedule(1, 1, 10**9), health)
        header = asyncio.run(snapshotter.take(scorer.partition, Meanwhile(scorer, list(rest), list(steps))))
        assert (header.next_sequence, header.next_offset) == (at, at)
        assert header.chain == before[-1].chain.hex()
        (name,) = store.names(folder(TOPIC, PARTITION))
        restored = Restorer(store, Plain(), health)._customers(name, b"k" * 32)

    replayed = Partition(TOPIC, PARTITION, lambda _: PARTITION)
    for made, decision in zip(RECORDS, before, strict=False):
        if decision.outcome != Outcome.OUTCOME_REJECTED:
            replayed.replay(made)
    assert contents(restored) == contents(replayed.customers)

    going_on, never_stopped = Scorer(), Scorer()
    never_stopped.score(RECORDS[:at])
    assert contents(restored) == contents(never_stopped.partition.customers)
    for one, customers in ((going_on, restored), (never_stopped, never_stopped.partition.customers)):
        one.partition.customers = customers
        one.partition.next_offset, one.partition.next_sequence = header.next_offset, header.next_sequence
        one.partition.chain = bytes.fromhex(header.chain)
    after = [one.score(rest) for one in (going_on, never_stopped)]
    assert [one.margin_bits for one in decisions(after[0])] == [one.margin_bits for one in decisions(after[1])]
    assert [one.reasons for one in decisions(after[0])] == [one.reasons for one in decisions(after[1])]
    assert contents(going_on.partition.customers) == contents(never_stopped.partition.customers)
