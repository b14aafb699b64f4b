"""The handbook's stream through updates, shards and scoring's table: the reference's terminal features, exactly."""

import os

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tallystick.cli.simulate import EPOCH_MS, generate
from tallystick.contracts import ProfileUpdate
from tallystick.profiles.shard import Shard
from tallystick.profiles.updates import Gathered
from tallystick.scoring.profiles import ProfileTable
from tallystick.trust.profiles.entries import Entry
from tallystick.trust.profiles.subject import DAY_S, Rule

DAYS = 183 if os.environ.get("REQUIRE_ALL") == "1" else 41
LOOKED_AT_DAYS = DAYS if DAYS == 183 else 2
PARTITIONS = 4
CHUNK = 50_000
WINDOWS = (1, 7, 30)
Integers = NDArray[np.int64]


@pytest.mark.timeout(900)
def test_every_value_is_the_references() -> None:
    """Counts and frauds over (t - 7 d - N, t - 7 d] for N = 1, 7, 30 equal pandas' over integer seconds, none of them stale.

    In CI of all 1,754,155 transactions, elsewhere of two days that have six weeks behind them.
    """
    part = generate().days(0, DAYS)
    seconds, terminals, frauds = part.time_s + EPOCH_MS // 1000, part.terminal.tolist(), part.fraud.tolist()
    times = seconds.tolist()
    rule = Rule(7 * DAY_S, 3600, 366 * DAY_S)
    gathered, shards = Gathered(PARTITIONS, partition_of), [Shard(rule) for _ in range(PARTITIONS)]
    table = ProfileTable(PARTITIONS, partition_of)
    for update, first in enumerate(range(0, len(times), CHUNK)):
        for row in range(first, min(first + CHUNK, len(times))):
            entry = Entry([b"terminal/%d" % terminals[row]], row, times[row])
            gathered.add("transactions", 0, row, entry)
            if frauds[row]:
                gathered.add("labels", 0, row, entry._replace(labelled_at_ms=(times[row] + 7 * DAY_S) * 1000, fraud=True))
        reached_s = times[min(first + CHUNK, len(times)) - 1]
        for shard, value in zip(shards, gathered.take(reached_s, {}), strict=True):
            shard.apply(ProfileUpdate.FromString(value), update)
    for number, shard in enumerate(shards):
        for offset, (key, record) in enumerate(shard.publish()):
            table.take(number, offset, key, record)

    looked_at = np.flatnonzero(part.time_s >= (DAYS - LOOKED_AT_DAYS) * DAY_S)
    spans_s = [days * DAY_S for days in WINDOWS]
    found = [table.look_up(b"terminal/%d" % terminals[row], times[row] * 1000, 7, spans_s) for row in looked_at.tolist()]
    assert not any(lookup.stale for lookup in found)
    expected = np.concatenate([reference(part.time_s, part.terminal, part.fraud, days) for days in WINDOWS], axis=1)
    assert np.array_equal(np.array([lookup.windows for lookup in found]), expected[looked_at])


def partition_of(key: bytes) -> int:
    """Return the partition of a key."""
    return sum(key) % PARTITIONS


def reference(time_s: Integers, terminal: Integers, fraud: NDArray[np.int8], days: int) -> Integers:
    """Count by pandas' rolling windows: those of delay and length together, less those of the delay; shape (rows, 2)."""
    frame = pd.DataFrame({"terminal": terminal, "fraud": fraud.astype(np.int64)}, index=pd.to_datetime(time_s, unit="s"))
    frame["row"] = np.arange(len(frame))
    frame = frame.sort_values("terminal", kind="stable")
    ends = []
    for window in (7 + days, 7):
        rolling = frame.groupby("terminal", sort=False)["fraud"].rolling(f"{window}D")
        ends.append(np.stack([rolling.count().to_numpy(), rolling.sum().to_numpy()], axis=1))
    difference: Integers = (ends[0] - ends[1]).astype(np.int64)
    restored = np.empty_like(difference)
    restored[frame["row"].to_numpy()] = difference
    return restored
