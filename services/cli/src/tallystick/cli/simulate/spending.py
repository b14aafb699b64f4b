"""What one customer pays (recipe, step 4), drawn bit for bit as NumPy's legacy generator and `random` draw it."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400
MIDDAY_S = 43_200
TIME_STD_S = 20_000


@dataclass(frozen=True, slots=True)
class Spending:
    """One customer's transactions in the order they were drawn (by day, unordered within the day).

    Attributes:
        time_s: seconds since the stream's start; int64.
        terminal: where; int64.
        amount_cents: int64.
    """

    time_s: NDArray[np.int64]
    terminal: NDArray[np.int64]
    amount_cents: NDArray[np.int64]


def draw_spending(customer: int, mean_amount: float, per_day: float, terminals: Sequence[int], days: int) -> Spending:
    """Draw a customer's transactions over `days` days; none when no terminal is near.

    The handbook calls `poisson`, `normal`, `uniform` and `random.choice`; here are the draws that these make, in their order,
    because a scalar call of NumPy's costs ten times the draw. `poisson(rate < 10)` multiplies uniform draws until the product
    is not over exp(-rate); `normal(m, s)` is m + s * gauss; `uniform(0, b)` is b * draw; `choice` is `getrandbits` with
    rejection. Plain Python arithmetic also keeps compilers from fusing multiply and add, so every CPU gets the same rows.

    Requires 0 <= customer < 2**32 and 0 <= per_day < 10 (NumPy's Poisson draws otherwise from 10 on).
    """
    generator = np.random.RandomState(customer)
    uniform, gauss = generator.random_sample, generator.standard_normal
    getrandbits = random.Random(customer).getrandbits  # noqa: S311 - the recipe's generator
    std_amount, none_today = mean_amount / 2, math.exp(-per_day)
    near, bits = len(terminals), len(terminals).bit_length()
    rows: list[tuple[int, int, float]] = []
    for midnight in range(0, days * DAY_S, DAY_S):
        count, product = 0, uniform() if per_day else 0.0
        while product > none_today:
            count += 1
            product *= uniform()
        for _ in range(count):
            time_s = int(MIDDAY_S + TIME_STD_S * gauss())
            if not 0 < time_s < DAY_S:
                continue
            amount = mean_amount + std_amount * gauss()
            if amount < 0:
                amount = mean_amount * 2 * uniform()
            if near:
                pick = getrandbits(bits)
                while pick >= near:
                    pick = getrandbits(bits)
                rows.append((midnight + time_s, terminals[pick], amount))
    times, places, amounts = zip(*rows, strict=True) if rows else ((), (), ())
    return Spending(np.array(times, np.int64), np.array(places, np.int64), round_to_cents(np.array(amounts, np.float64)))


def round_to_cents(amount: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cents as `numpy.round(amount, 2)` rounds them: multiply, then half to even."""
    return np.rint(amount * 100).astype(np.int64)
