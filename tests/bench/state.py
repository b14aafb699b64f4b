"""A million customers with a month behind them: memory, snapshot, restart, replay.

In a process of its own, so that its memory is the customers'. Who they are is drawn column by column and loaded as a snapshot
is; a million customers fed one transaction after the other would take the bench an hour.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TypeVar

import numpy as np
from rich.console import Console

from tallystick.contracts import Transaction
from tallystick.runtime.health import Health
from tallystick.scoring.customers import Customers, dump
from tallystick.scoring.engine import Partition
from tallystick.scoring.restoring import Restorer
from tallystick.scoring.snapshot_stores import DirectoryStore
from tallystick.scoring.snapshotting import Schedule, Snapshotter
from tallystick.scoring.windows import DAY_MS, DIGEST_SIZE, HORIZON_MS, Account, Customer

from .figures import Row, row

CUSTOMERS = 1_000_000
A_DAY = 1.92  # the handbook's mean: 1,754,155 transactions of 4,990 customers in 183 days
DAYS = 30
REPLAYED = 100_000
_NOW_MS = 1_700_000_000_000
_SLICE = 5_000
_GIB = 2**30
_FEW_GIB = 4.0  # "a few GB" is what is promised

T = TypeVar("T")


def run(runs: int, console: Console) -> list[Row]:
    """Measure in processes of their own."""
    measured = []
    for _ in range(runs):
        console.print(f"{CUSTOMERS:,} customers with {DAYS} days behind them …")
        done = subprocess.run([sys.executable, "-m", "tests.bench.state"], capture_output=True, text=True, check=True)
        measured.append(json.loads(done.stdout))
    found: dict[str, list[float]] = {name: [one[name] for one in measured] for name in measured[0]}

    def of(title: str, name: str, unit: str, beside: str, beside_value: float) -> Row:
        return row(title, unit, found[name], beside, [beside_value])

    return [
        of("memory of a million customers", "memory_gib", "GiB", "a few", _FEW_GIB),
        of("memory of a customer with a month", "bytes_a_customer", "bytes", "20 a transaction", 20 * A_DAY * DAYS),
        of("a snapshot of them", "snapshot_gib", "GiB", "their memory", found["memory_gib"][0]),
        of("a snapshot, start to end", "write_s", "s", "nothing", 1),
        of("its longest pause for scoring", "pause_max_ms", "ms", "a swap's", 100),
        of("the slices' 99th percentile", "pause_p99_ms", "ms", "a swap's", 100),
        of("restart from it", "restore_s", "s", "replaying them", CUSTOMERS * A_DAY * DAYS / found["replay_a_second"][0]),
        of("replay, without Kafka", "replay_a_second", "records/s", "needed", 30_000),
        of("forgetting nobody among a million", "evict_ms", "ms", "a swap's", 100),
    ]


def measure(customers: int = CUSTOMERS) -> dict[str, float]:
    """Return the figures of one run."""
    partition = Partition("transactions", 0, lambda _: 0)
    before = _resident()
    for piece in _drawn(customers):
        partition.customers.load(piece)
    memory = _resident() - before
    partition.next_offset = partition.next_sequence = 1
    pauses: list[float] = []

    def timed(work: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return work()
        finally:
            pauses.append((time.perf_counter() - started) * 1000)

    with TemporaryDirectory() as directory:
        store, health = DirectoryStore(Path(directory)), Health("bench")
        started = time.perf_counter()
        header = asyncio.run(Snapshotter(store, _Keys(), Schedule(1, 1, 10**10), health).take(partition, timed))
        write_s = time.perf_counter() - started
        size = (Path(directory) / header.name).stat().st_size
        started = time.perf_counter()
        partition.customers.evict(0)
        evict_ms = (time.perf_counter() - started) * 1000
        partition.customers = Customers()
        started = time.perf_counter()
        restored = Restorer(store, _Keys(), health)._customers(header.name, bytes(32))
        restore_s = time.perf_counter() - started
    assert len(restored) == customers
    partition.customers = restored
    records = list(_records(REPLAYED, customers))
    started = time.perf_counter()
    for record in records:
        partition.replay(record)
    replay_s = time.perf_counter() - started
    return {
        "memory_gib": memory / _GIB * CUSTOMERS / customers,
        "bytes_a_customer": memory / customers,
        "snapshot_gib": size / _GIB * CUSTOMERS / customers,
        "write_s": write_s,
        "pause_max_ms": max(pauses),
        "pause_p99_ms": quantiles(pauses, n=100)[-1],
        "restore_s": restore_s,
        "replay_a_second": REPLAYED / replay_s,
        "evict_ms": evict_ms,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


class _Keys:
    async def new_wrapped_key(self) -> tuple[bytes, str]:
        return bytes(32), "wrapped"

    async def unwrapped_key(self, wrapped: str) -> bytes:
        return bytes(32) if wrapped else b""


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _drawn(customers: int) -> Iterator[bytes]:
    """Give customers as a snapshot holds them, with random months: so many as one slice has, again under other names."""
    random = np.random.default_rng(0)
    months = []
    for count in random.poisson(A_DAY * DAYS, _SLICE).tolist():
        times = np.sort(random.integers(0, DAYS * DAY_MS, count) + HORIZON_MS - DAYS * DAY_MS).astype(np.uint32)
        sums = np.concatenate([[0], np.cumsum(random.integers(100, 20_000, count))])
        customer = Customer(_name(0))
        customer.newest_ms = _NOW_MS
        customer.account = Account.restored(
            "EUR",
            _NOW_MS - HORIZON_MS,
            array("I", times.tobytes()),
            array("q", sums.tobytes()),
            bytearray(random.bytes(DIGEST_SIZE * count)),
        )
        months.append(dump(customer).split(_name(0).encode()))
    for start in range(0, customers, _SLICE):
        yield b"".join(_name(number).encode().join(month) for number, month in enumerate(months, start))


def _name(number: int) -> str:
    return f"customer-{number:07d}"


def _records(count: int, customers: int) -> Iterator[SimpleNamespace]:
    random = np.random.default_rng(1)
    for offset, number in enumerate(random.integers(0, customers, count).tolist()):
        name = _name(number)
        value = Transaction(
            transaction_id=f"tx-{offset:032d}",
            customer_id=name,
            amount_minor=1_250,
            currency="EUR",
            event_time_ms=_NOW_MS + offset,
            terminal_id=f"terminal-{offset % 9_999}",
        ).SerializeToString()
        yield SimpleNamespace(offset=offset, timestamp=_NOW_MS, key=name.encode(), value=value, headers=())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(*map(int, sys.argv[1:]))))
