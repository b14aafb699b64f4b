"""Real card transactions through the same chain, with features that are attributes.

Where the ULB data is not there, a made-up file of its shape takes its place, so that this part of the chain is always tried.
"""

import asyncio
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score

from tallystick.cli.demo.steps import command
from tallystick.cli.stream import Shift, StreamSettings, read_transactions, stream_table
from tallystick.contracts import Outcome

from .bank import now_ms, send, sound
from .governing import Release, install
from .reading import read_run
from .rough import Rough

CHECKOUT = Path(__file__).parents[2]
PLACES = [
    *([Path(os.environ["TALLYSTICK_TEST_ULB"])] if "TALLYSTICK_TEST_ULB" in os.environ else []),
    CHECKOUT / "data" / "ulb_creditcard.parquet",
    CHECKOUT.parent / "shared" / "data" / "ulb_creditcard.parquet",
]
ROWS = 6_000


@pytest.fixture
def ulb(tmp_path: Path) -> Path:
    """Return the ULB data, or a made-up file of its shape."""
    found = next((place for place in PLACES if place.exists()), None)
    return found or _made_up(tmp_path / "ulb.parquet")


def test_the_ulb_data_trains_and_streams(rough: Rough, release: Release, ulb: Path, tmp_path: Path) -> None:
    """A model of the first part finds fraud in a later slice, far above chance, and every decision is in the log.

    A transaction without the attributes that the schema asks for is rejected for it.
    """
    whole = pq.read_table(ulb)
    pq.write_table(whole.slice(0, whole.num_rows // 2), tmp_path / "first.parquet")
    train = ("train", str(tmp_path / "first.parquet"), "--schema", "components-1", "--holdout-share", "0.2")
    command(["tallystick-trainer", *train, "--out", str(tmp_path / "out"), "--json"])

    platform, made = rough.platform, Release.load(tmp_path / "out")
    index = install(platform, made)
    fraud = whole["Class"].to_numpy() == 1
    first = _slice_with_most_fraud(fraud)
    table = read_transactions(ulb).table.slice(first, ROWS)
    asyncio.run(stream_table(table, StreamSettings(kafka=platform.kafka, shift=Shift.TO_NOW)))
    asyncio.run(send(platform.kafka, [sound("without-attributes", now_ms())]))

    run = read_run(platform)
    install(platform, release)
    decided = run.of("ulb")
    assert len(decided) == ROWS
    assert {(item.activation_index, item.model_digest) for item in decided.values()} == {(index, made.model_digest)}
    rows = [int(row) for row in decided]
    margins = np.array([item.margin_bits for item in decided.values()], np.uint32).view(np.float32)
    assert average_precision_score(fraud[rows], margins) > 0.5 > 50 * fraud[rows].mean()
    (place,) = [place for place in run.decisions if run.key(place) == b"without-attributes"]
    assert run.decisions[place].outcome == Outcome.OUTCOME_REJECTED
    assert run.reason(place) == "ATTRIBUTE_MISSING"


def _slice_with_most_fraud(fraud: np.typing.NDArray[np.bool_]) -> int:
    """Return where a slice of `ROWS` rows in the second half begins that has the most frauds."""
    starts = range(len(fraud) // 2, len(fraud) - ROWS + 1, ROWS)
    return max(starts, key=lambda start: int(fraud[start : start + ROWS].sum()))


def _made_up(path: Path) -> Path:
    """Write a file of the ULB data's columns: noise, and frauds that three components give away."""
    random, rows = np.random.default_rng(6), 4 * ROWS
    fraud = random.random(rows) < 0.004
    columns = {f"V{number}": random.normal(size=rows) - 4 * (number <= 3) * fraud for number in range(1, 29)}
    amount = np.rint(random.lognormal(3, 1, rows) * 100) / 100
    time_s = np.sort(random.integers(0, 172_800, rows))
    pq.write_table(pa.table({"Time": time_s, **columns, "Amount": amount, "Class": fraud.astype(np.int64)}), path)
    return path
