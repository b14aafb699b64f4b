"""The handbook's three fraud scenarios (recipe, step 6); a later one overwrites an earlier one."""

import random
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tallystick.cli.simulate.population import CUSTOMERS, TERMINALS
from tallystick.cli.simulate.stream import DAY_S, DAYS, CardStream

LARGE_AMOUNT_CENTS = 22_000
TERMINALS_A_DAY, TERMINAL_DAYS = 2, 28
CUSTOMERS_A_DAY, CUSTOMER_DAYS = 3, 14
STOLEN_CARD_FACTOR = 5


def add_fraud(stream: CardStream, customers: int = CUSTOMERS, terminals: int = TERMINALS, days: int = DAYS) -> CardStream:
    """Return the stream with its fraud: large amounts, terminals compromised for 28 days, cards stolen for 14."""
    amount_cents = stream.amount_cents.copy()
    scenario = (amount_cents > LARGE_AMOUNT_CENTS).astype(np.int8)
    midnights = np.searchsorted(stream.time_s, np.arange(days + max(TERMINAL_DAYS, CUSTOMER_DAYS)) * DAY_S)
    for day in range(days - 1):
        compromised = _sample(terminals, TERMINALS_A_DAY, day)
        scenario[_rows(stream.terminal, compromised, midnights[day], midnights[day + TERMINAL_DAYS])] = 2
    for day in range(days - 1):
        robbed = _sample(customers, CUSTOMERS_A_DAY, day)
        rows = _rows(stream.customer, robbed, midnights[day], midnights[day + CUSTOMER_DAYS]).tolist()
        stolen = random.Random(day).sample(rows, len(rows) // 3)  # noqa: S311 - the recipe's generator
        amount_cents[stolen] *= STOLEN_CARD_FACTOR
        scenario[stolen] = 3
    return replace(stream, amount_cents=amount_cents, fraud=(scenario > 0).astype(np.int8), scenario=scenario)


def _sample(population: int, count: int, seed: int) -> NDArray[np.int64]:
    """Draw as pandas' `Series.sample(n=count, random_state=seed)` does, without pandas."""
    return np.random.RandomState(seed).choice(population, size=count, replace=False)


def _rows(column: NDArray[np.int64], values: NDArray[np.int64], start: np.int64, stop: np.int64) -> NDArray[np.int64]:
    """Rows in [start, stop) whose column holds one of the values, ascending."""
    return start + np.flatnonzero(np.isin(column[start:stop], values))
