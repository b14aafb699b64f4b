"""What the Python peers share, because it is the application's and not the framework's: settings, features, model, decision.

The features are those of the schema `card`, in its order, as exact integers, one float64 division, one rounding to float32.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from tallystick.contracts import Transaction

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
WINDOW_DAYS = (1, 7, 30)
FEATURES = 3 + 2 * len(WINDOW_DAYS)

History = list[Any]
"""A customer's transactions of the last 30 days, oldest first: pairs of event time (ms) and minor units."""


def _setting(name: str, default: str = "") -> str:
    return os.environ.get(f"PEER_{name}", default)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the bench tells an app, in `PEER_*`."""

    broker: str = field(default_factory=lambda: _setting("BROKER", "localhost:9092"))
    group: str = field(default_factory=lambda: _setting("GROUP", "card-scoring"))
    source: str = field(default_factory=lambda: _setting("SOURCE", "transactions"))
    target: str = field(default_factory=lambda: _setting("TARGET", "scores"))
    partitions: int = field(default_factory=lambda: int(_setting("PARTITIONS", "4")))
    state: Path = field(default_factory=lambda: Path(_setting("STATE", "state")))
    model: Path = field(default_factory=lambda: Path(_setting("MODEL", "model.json")))
    review_margin: float = field(default_factory=lambda: float(_setting("REVIEW_MARGIN", "0")))
    decline_margin: float = field(default_factory=lambda: float(_setting("DECLINE_MARGIN", "0")))


def observe(history: History, transaction: Transaction) -> list[float]:
    """Add a transaction to its customer's history, forget what is over 30 days old, and return the features."""
    time_ms, cents = transaction.event_time_ms, transaction.amount_minor
    history.append((time_ms, cents))
    oldest_ms = time_ms - WINDOW_DAYS[-1] * DAY_MS
    while history[0][0] <= oldest_ms:
        del history[0]
    weekday, hour = (time_ms // DAY_MS + 3) % 7, time_ms % DAY_MS // HOUR_MS  # 1970-01-01 was a Thursday
    features = [cents / 100, float(weekday >= 5), float(hour <= 6)]
    total, start = 0, len(history)
    for days in WINDOW_DAYS:
        since_ms = time_ms - days * DAY_MS
        while start and history[start - 1][0] > since_ms:
            start -= 1
            total += history[start][1]
        count = len(history) - start
        features += [count, total / (100 * count)]
    return features


class Scorer:
    """The model and the thresholds."""

    def __init__(self, settings: Settings) -> None:
        self._booster = xgboost.Booster(params={"nthread": 1}, model_file=settings.model)
        self._decline, self._review = np.float32(settings.decline_margin), np.float32(settings.review_margin)

    def margins(self, features: Sequence[Sequence[float]]) -> NDArray[np.float32]:
        """Return the raw margins of a batch of vectors."""
        matrix = np.array(features, np.float32)
        margins: NDArray[np.float32] = self._booster.inplace_predict(matrix, predict_type="margin", validate_features=False)
        return margins

    def decision(self, transaction: Transaction, margin: np.float32) -> dict[str, object]:
        """Return what is published of a transaction, ready for JSON; the margin keeps its bits."""
        outcome = "DECLINE" if margin >= self._decline else "REVIEW" if margin >= self._review else "APPROVE"
        return {"transaction_id": transaction.transaction_id, "margin": float(margin), "outcome": outcome}
