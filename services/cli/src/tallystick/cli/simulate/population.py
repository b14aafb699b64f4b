"""Who pays where: the handbook's customers and terminals (recipe, steps 1 to 3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CUSTOMERS = 5_000
TERMINALS = 10_000
RADIUS = 5.0


@dataclass(frozen=True, slots=True)
class Population:
    """Customers and terminals on a square of 100 by 100.

    Attributes:
        position: where each customer lives; (customers, 2).
        mean_amount: what each spends on average, in currency units; (customers,).
        per_day: how many transactions each makes on average; (customers,).
        terminals: where each terminal stands; (terminals, 2).
    """

    position: NDArray[np.float64]
    mean_amount: NDArray[np.float64]
    per_day: NDArray[np.float64]
    terminals: NDArray[np.float64]

    def terminals_near(self, customer: int) -> list[int]:
        """Terminals nearer to the customer than the radius, in terminal order."""
        squares = np.square(self.terminals - self.position[customer])
        return np.flatnonzero(np.sqrt(squares[:, 0] + squares[:, 1]) < RADIUS).tolist()


def draw_population(customers: int = CUSTOMERS, terminals: int = TERMINALS) -> Population:
    """Draw the population from NumPy's legacy generator, seed 0 for customers and seed 1 for terminals."""
    uniform = np.random.RandomState(0).uniform
    rows = [(uniform(0, 100), uniform(0, 100), uniform(5, 100), uniform(0, 4)) for _ in range(customers)]
    profiles = np.array(rows, dtype=np.float64).reshape(customers, 4)
    uniform = np.random.RandomState(1).uniform
    places = np.array([(uniform(0, 100), uniform(0, 100)) for _ in range(terminals)], dtype=np.float64)
    return Population(profiles[:, :2], profiles[:, 2], profiles[:, 3], places.reshape(terminals, 2))
