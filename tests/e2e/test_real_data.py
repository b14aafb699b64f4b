"""Real card transactions through the same chain, with features that are attributes."""

import asyncio
import os
from pathlib import Path

import numpy as np
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
TRAINED_ROWS, ROWS = 140_000, 6_000


def test_the_ulb_data_trains_and_streams(rough: Rough, release: Release, tmp_path: Path) -> None:
    """A model of the first part finds fraud in a later slice, far above chance, and every decision is in the log.

    A transaction without the attributes that the schema asks for is rejected for it.
    """
    data = next((place for place in PLACES if place.exists()), None)
    if data is None:
        pytest.skip("no ULB data: set TALLYSTICK_TEST_ULB to ulb_creditcard.parquet")
    whole = pq.read_table(data)
    pq.write_table(whole.slice(0, TRAINED_ROWS), tmp_path / "first.parquet")
    train = ("train", str(tmp_path / "first.parquet"), "--schema", "components-1", "--holdout-share", "0.2")
    command(["tallystick-trainer", *train, "--out", str(tmp_path / "out"), "--json"])

    platform, made = rough.platform, Release.load(tmp_path / "out")
    index = install(platform, made)
    fraud = whole["Class"].to_numpy() == 1
    first = _slice_with_most_fraud(fraud)
    table = read_transactions(data).table.slice(first, ROWS)
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
    """Return where a slice of `ROWS` rows behind the trained ones begins that has the most frauds."""
    starts = range(TRAINED_ROWS, len(fraud) - ROWS, ROWS)
    return max(starts, key=lambda start: int(fraud[start : start + ROWS].sum()))
