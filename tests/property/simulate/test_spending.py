"""The fast draws are those of the handbook's own code, written here as the recipe says it."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.cli.simulate.spending import draw_spending, round_to_cents

DAY_S = 86_400


def handbook_spending(
    customer: int, mean_amount: float, per_day: float, terminals: list[int], days: int
) -> list[tuple[int, int, int]]:
    """Draw as the recipe does, one NumPy call a draw: (time, terminal, cents) of each transaction."""
    random.seed(customer)
    np.random.seed(customer)
    rows = []
    for day in range(days):
        for _ in range(np.random.poisson(per_day)):
            time_s = int(np.random.normal(43_200, 20_000))
            if 0 < time_s < DAY_S:
                amount = np.random.normal(mean_amount, mean_amount / 2)
                if amount < 0:
                    amount = np.random.uniform(0, mean_amount * 2)
                amount = np.round(amount, decimals=2)
                if terminals:
                    rows.append((day * DAY_S + time_s, random.choice(terminals), round(amount * 100)))
    return rows


@given(
    customer=st.integers(0, 2**32 - 1),
    mean_amount=st.floats(5, 100),
    per_day=st.floats(0, 4),
    terminals=st.lists(st.integers(0, 9_999), max_size=130),
    days=st.integers(0, 12),
)
@settings(max_examples=200, deadline=None)
def test_draws_are_the_handbooks(customer: int, mean_amount: float, per_day: float, terminals: list[int], days: int) -> None:
    """Times, terminals and cents are those that the recipe's calls draw, whatever the customer."""
    drawn = draw_spending(customer, mean_amount, per_day, terminals, days)
    rows = list(zip(drawn.time_s.tolist(), drawn.terminal.tolist(), drawn.amount_cents.tolist(), strict=True))
    assert rows == handbook_spending(customer, mean_amount, per_day, terminals, days)


@given(st.lists(st.floats(0, 10_000), min_size=1))
def test_cents_are_those_of_numpys_round(amounts: list[float]) -> None:
    """Rounding to cents is `numpy.round` to two places."""
    column = np.array(amounts)
    assert round_to_cents(column).tolist() == [round(amount * 100) for amount in np.round(column, 2).tolist()]
