"""XGBoost, held to what scoring and replay can reproduce bit for bit: trees only, a stated base score, a fixed seed."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import xgboost
from numpy.typing import NDArray

ROUNDS = 100
MAX_DEPTH = 6
SEED = 20180401

Progress = Callable[[int, int], None]
"""Called with (rounds done, rounds in all)."""


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model.

    Attributes:
        file: XGBoost's JSON.
        engine: what trained it, with its version.
    """

    file: bytes
    engine: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of the file."""
        return sha256(self.file).digest()

    def margins(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return each row's raw margin, by the file that will be published."""
        margins: NDArray[np.float32] = xgboost.Booster(model_file=bytearray(self.file)).predict(
            xgboost.DMatrix(matrix), output_margin=True
        )
        return margins


def train_model(matrix: NDArray[np.float32], fraud: NDArray[np.bool_], threads: int, progress: Progress | None = None) -> Model:
    """Train gradient-boosted trees; the same input gives the same file.

    Requires at least one fraudulent and one genuine row.
    """
    parameters = {
        "booster": "gbtree",
        "tree_method": "hist",
        "objective": "binary:logistic",
        "base_score": 0.5,
        "max_depth": MAX_DEPTH,
        "seed": SEED,
        "nthread": threads,
    }
    callbacks = [] if progress is None else [_Rounds(progress)]
    booster = xgboost.train(parameters, xgboost.DMatrix(matrix, fraud), num_boost_round=ROUNDS, callbacks=callbacks)
    return Model(bytes(booster.save_raw(raw_format="json")), f"xgboost {xgboost.__version__}")


class _Rounds(xgboost.callback.TrainingCallback):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def after_iteration(self, model: object, epoch: int, evals_log: object) -> bool:
        """Report the round; never stop early."""
        self._progress(epoch + 1, ROUNDS)
        return False
