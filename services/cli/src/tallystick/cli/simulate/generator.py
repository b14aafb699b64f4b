"""From the recipe to the whole stream: draw every customer, order by time, add fraud, check."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tallystick.cli.simulate.fraud import add_fraud
from tallystick.cli.simulate.population import CUSTOMERS, draw_population
from tallystick.cli.simulate.spending import Spending, draw_spending
from tallystick.cli.simulate.stream import CARD_STREAM_DIGEST, DAYS, CardStream, StreamMismatchError

Progress = Callable[[int, int], None]
"""Called with (customers drawn, customers in all)."""


def generate(progress: Progress | None = None) -> CardStream:
    """Generate the whole stream, 1,754,155 transactions; about 4 s on one core.

    A part of it is cut from the whole (`CardStream.days`): ties in time are ordered by a sort over everything.

    Raises:
        StreamMismatchError: the rows are not the published ones.
    """
    stream = add_fraud(_order_by_time(_draw_all(progress)))
    if stream.digest() != CARD_STREAM_DIGEST:
        raise StreamMismatchError(
            f"the generated stream has SHA-256 {stream.digest()}, not the published {CARD_STREAM_DIGEST}"
            f" ({len(stream)} transactions, {int(stream.fraud.sum())} fraud, NumPy {np.__version__})"
        )
    return stream


def _draw_all(progress: Progress | None) -> list[Spending]:
    population = draw_population()
    drawn = []
    for customer in range(CUSTOMERS):
        mean_amount, per_day = float(population.mean_amount[customer]), float(population.per_day[customer])
        drawn.append(draw_spending(customer, mean_amount, per_day, population.terminals_near(customer), DAYS))
        if progress is not None and (customer + 1) % 50 == 0:
            progress(customer + 1, CUSTOMERS)
    return drawn


def _order_by_time(drawn: list[Spending]) -> CardStream:
    time_s = np.concatenate([spending.time_s for spending in drawn])
    order = quicksort_order(time_s)
    unlabelled = np.zeros(len(time_s), np.int8)
    return CardStream(
        transaction_id=np.arange(len(time_s)),
        time_s=time_s[order],
        customer=np.repeat(np.arange(len(drawn)), [len(spending.time_s) for spending in drawn])[order],
        terminal=np.concatenate([spending.terminal for spending in drawn])[order],
        amount_cents=np.concatenate([spending.amount_cents for spending in drawn])[order],
        fraud=unlabelled,
        scenario=unlabelled,
    )


def quicksort_order(time_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the permutation of NumPy's default, unstable sort, with ties as the published data has them.

    The handbook sorts a datetime column, and for those NumPy runs its plain introsort, whose order of ties is the same
    everywhere. For int64 it picks an AVX-512 or AVX2 sort where the CPU has one, and ties would then depend on the machine;
    hence the view.
    """
    return np.argsort(time_s.view("datetime64[s]"), kind="quicksort")
