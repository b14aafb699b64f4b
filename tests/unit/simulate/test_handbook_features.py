"""Scoring's customer features on the handbook's stream are what anybody's pandas comes to."""

import os
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tallystick.cli.simulate import EPOCH_MS, CardStream
from tallystick.scoring.customers import Customers
from tallystick.scoring.vectors import Vectoriser
from tallystick.scoring.windows import digest_of
from tallystick.trust.features import FeatureSchema

SCHEMA = FeatureSchema.parse((files("tallystick.contracts") / "features/card-1.json").read_bytes())
BATCH = 2_000
EVERY = 1 if os.environ.get("REQUIRE_ALL") == "1" else 16
"""Each so many customers, all their transactions: everybody takes a minute."""


def scored(stream: pd.DataFrame) -> NDArray[np.float32]:
    """Return the vectors as scoring computes them, one transaction after the other."""
    customers, vectoriser, matrices = Customers(), Vectoriser(SCHEMA), []
    for start in range(0, len(stream), BATCH):
        batch = stream[start : start + BATCH]
        times_ms, cents = batch["time_ms"].tolist(), batch["cents"].tolist()
        windows = []
        for place, time_ms, name, amount in zip(batch.index.tolist(), times_ms, batch["customer"].tolist(), cents, strict=True):
            customer = customers.get(name) or customers.create(name)
            digest = digest_of(f"tx-{place}")
            assert not customer.is_repeat(digest, time_ms)
            windows.append(customers.observe(customer, digest, "EUR", time_ms, amount, vectoriser.spans_ms))
        matrices.append(vectoriser.matrix(times_ms, cents, windows, [[]] * len(batch)))
    return np.concatenate(matrices)


def by_pandas(stream: pd.DataFrame) -> pd.DataFrame:
    """Return the same columns, each by one plain expression over integer cents."""
    when = pd.to_datetime(stream["time_ms"], unit="ms")
    features = pd.DataFrame(index=stream.index)
    features["amount"] = stream["cents"] / 100
    features["weekend"] = when.dt.day_of_week >= 5
    features["night"] = when.dt.hour <= 6
    ordered = stream.sort_values("customer", kind="stable")
    by_customer = ordered.set_index(when[ordered.index]).groupby("customer")["cents"]
    for days in (1, 7, 30):
        window = by_customer.rolling(f"{days}D")
        counts, sums = window.count().to_numpy(np.int64), window.sum().to_numpy(np.int64)
        features.loc[ordered.index, f"count_{days}d"] = counts
        features.loc[ordered.index, f"mean_amount_{days}d"] = sums / (100 * counts)
    return features


@pytest.mark.timeout(600)
def test_customer_features_are_pandas_bit_for_bit(card_stream: CardStream) -> None:
    """All three windows, the hours and the days, in float32, on the stream as it comes: ties, gaps, half a year."""
    chosen = card_stream.customer % EVERY == 0
    stream = pd.DataFrame(
        {
            "time_ms": EPOCH_MS + 1000 * card_stream.time_s[chosen],
            "customer": np.char.add("customer-", card_stream.customer[chosen].astype(str)).astype(object),
            "cents": card_stream.amount_cents[chosen],
        }
    )
    assert len(stream) > 100_000
    expected = by_pandas(stream)[list(SCHEMA.names)].to_numpy(np.float64).astype(np.float32)
    found = scored(stream)
    assert found.tobytes() == expected.tobytes()
