"""Features by column equal features computed one transaction at a time from their definition, and pandas, bit for bit."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tallystick.cli.simulate import EPOCH_MS, CardStream
from tallystick.trainer.data import DAY_MS, Transactions
from tallystick.trainer.features import feature_matrix
from tallystick.trainer.schemas import read_schema
from tallystick.trust.features import FeatureSchema

CARD = FeatureSchema.parse(read_schema("card-1"))


@st.composite
def streams(draw: st.DrawFn) -> Transactions:
    """Transactions of few accounts, whose times fall together and exactly whole days apart."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 40).map(lambda day: day * DAY_MS) | st.integers(0, 40 * DAY_MS),
                st.integers(0, 3),
                st.integers(0, 10**12),
            ),
            max_size=40,
        )
    )
    start_ms = draw(st.integers(-(10**13), 10**13))
    rows.sort(key=lambda row: row[0])
    times, accounts, cents = (np.array([row[place] for row in rows], np.int64) for place in range(3))
    return Transactions(start_ms + times, accounts, cents, {}, np.zeros(len(rows), np.bool_))


def naive_matrix(transactions: Transactions) -> NDArray[np.float32]:
    """Compute the card schema from its definition: look at everything before, one transaction at a time."""
    vectors = []
    for row, (time_ms, account, cents) in enumerate(
        zip(transactions.event_time_ms.tolist(), transactions.account.tolist(), transactions.amount_minor.tolist(), strict=True)
    ):
        moment = datetime.fromtimestamp(0, UTC) + pd.Timedelta(milliseconds=time_ms).to_pytimedelta()
        vector = [cents / 100, float(moment.weekday() >= 5), float(moment.hour <= 6)]
        for days in (1, 7, 30):
            window = [
                int(transactions.amount_minor[earlier])
                for earlier in range(row + 1)
                if transactions.account[earlier] == account and transactions.event_time_ms[earlier] > time_ms - days * DAY_MS
            ]
            vector += [float(len(window)), sum(window) / (100 * len(window))]
        vectors.append(vector)
    return np.array(vectors, np.float64).reshape(len(vectors), 9).astype(np.float32)


@given(streams())
@settings(deadline=None)
def test_columns_equal_the_definition(transactions: Transactions) -> None:
    """Any stream, with ties and windows that end exactly on a transaction, gives the same bits both ways."""
    assert feature_matrix(transactions, CARD).tobytes() == naive_matrix(transactions).tobytes()


def test_a_window_excludes_its_far_end_and_later_ties() -> None:
    """At t the transaction of exactly t - 1 day is gone, and of two at t the first does not see the second."""
    times = np.array([0, DAY_MS, DAY_MS], np.int64)
    cents = np.array([100, 200, 400], np.int64)
    matrix = feature_matrix(Transactions(times, np.zeros(3, np.int64), cents, {}, np.zeros(3, np.bool_)), CARD)
    counts, means = matrix[:, CARD.names.index("count_1d")], matrix[:, CARD.names.index("mean_amount_1d")]
    assert counts.tolist() == [1, 1, 2]
    assert means.tolist() == [1, 2, 3]


@pytest.mark.parametrize("first_day", [0, 91])
def test_columns_equal_pandas_on_the_handbooks_stream(first_day: int, card_stream: CardStream) -> None:
    """A fortnight of the card stream through pandas' rolling windows over integer cents gives the same bits."""
    part = card_stream.days(first_day, first_day + 14)
    times_ms = EPOCH_MS + part.time_s * 1000
    matrix = feature_matrix(Transactions(times_ms, part.customer, part.amount_cents, {}, part.fraud.astype(np.bool_)), CARD)
    frame = pd.DataFrame({"customer": part.customer, "cents": part.amount_cents}, index=pd.to_datetime(times_ms, unit="ms"))
    frame["row"] = np.arange(len(frame))
    ordered = frame.sort_values("customer", kind="stable")
    for days in (1, 7, 30):
        rolling = ordered.groupby("customer", sort=False)["cents"].rolling(f"{days}D")
        restore = np.argsort(ordered["row"].to_numpy(), kind="stable")
        counts, sums = (column.to_numpy()[restore] for column in (rolling.count(), rolling.sum()))
        assert matrix[:, CARD.names.index(f"count_{days}d")].tobytes() == counts.astype(np.float32).tobytes()
        means = (sums / (100 * counts)).astype(np.float32)
        assert matrix[:, CARD.names.index(f"mean_amount_{days}d")].tobytes() == means.tobytes()
    assert matrix[:, 1].tolist() == (frame.index.day_of_week >= 5).astype(float).tolist()
    assert matrix[:, 2].tolist() == (frame.index.hour <= 6).astype(float).tolist()


def test_attributes_are_rounded_once() -> None:
    """An attribute goes from float64 to float32 and nowhere else."""
    schema = FeatureSchema.parse(
        b'{"name": "x", "version": 1, "features": [{"name": "a", "kind": "attribute", "attribute": "V1"}]}'
    )
    values = np.array([0.1, 1e-50, 16_777_217.0])
    zeros = np.zeros(3, np.int64)
    matrix = feature_matrix(Transactions(zeros, zeros, zeros, {"V1": values}, np.zeros(3, np.bool_)), schema)
    assert matrix[:, 0].tobytes() == values.astype(np.float32).tobytes()
