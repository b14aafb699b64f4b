"""Fraud scenarios draw what pandas draws."""

import random

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.cli.simulate.fraud import add_fraud
from tallystick.cli.simulate.stream import DAY_S, CardStream


@st.composite
def streams(draw: st.DrawFn) -> CardStream:
    """Small streams of 8 customers and 12 terminals over 40 days, without fraud."""
    rows = draw(st.integers(0, 120))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    return CardStream(
        transaction_id=np.arange(rows),
        time_s=np.sort(generator.integers(0, 40 * DAY_S, rows)),
        customer=generator.integers(0, 8, rows),
        terminal=generator.integers(0, 12, rows),
        amount_cents=generator.integers(0, 40_000, rows),
        fraud=np.zeros(rows, np.int8),
        scenario=np.zeros(rows, np.int8),
    )


def handbook_fraud(stream: CardStream) -> pd.DataFrame:
    """Apply the recipe's step 6 with pandas."""
    frame = pd.DataFrame({name: getattr(stream, name) for name in ("time_s", "customer", "terminal", "amount_cents")})
    frame["day"], frame["fraud"], frame["scenario"] = frame.time_s // DAY_S, 0, 0
    frame.loc[frame.amount_cents > 22_000, ["fraud", "scenario"]] = 1, 1
    for day in range(39):
        chosen = pd.Series(range(12)).sample(n=2, random_state=day)
        rows = (frame.day >= day) & (frame.day < day + 28) & frame.terminal.isin(chosen)
        frame.loc[rows, ["fraud", "scenario"]] = 1, 2
    for day in range(39):
        chosen = pd.Series(range(8)).sample(n=3, random_state=day)
        part = frame[(frame.day >= day) & (frame.day < day + 14) & frame.customer.isin(chosen)]
        random.seed(day)
        stolen = random.sample(list(part.index.values), k=int(len(part) / 3))
        frame.loc[stolen, "amount_cents"] *= 5
        frame.loc[stolen, ["fraud", "scenario"]] = 1, 3
    return frame


@given(streams())
@settings(max_examples=15, deadline=None)
def test_scenarios_are_the_handbooks(stream: CardStream) -> None:
    """Amounts, labels and scenarios are those of the recipe in pandas, with later scenarios over earlier ones."""
    expected = handbook_fraud(stream)
    marked = add_fraud(stream, customers=8, terminals=12, days=40)
    assert marked.amount_cents.tolist() == expected.amount_cents.tolist()
    assert marked.scenario.tolist() == expected.scenario.tolist()
    assert marked.fraud.tolist() == expected.fraud.tolist()
