"""The engines that can execute a model again: each takes the model's file, and gives what makes margins of rows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tallystick.cli.replay.trees import Floats, Trees, TreesError

Execute = Callable[[Floats], Floats]
"""Takes float32 rows, shape (rows, features), NaN where a value is missing; returns raw margins, float32, shape (rows,)."""

Engine = Callable[[bytes, int], Execute]
"""Takes a model's file and how many threads may work. Both raise EngineError."""


class EngineError(Exception):
    """An engine cannot execute this model, or is not here."""


def own(model: bytes, threads: int = 1) -> Execute:
    """Return our own evaluator for a model; with several threads, each has its share of the rows.

    Raises:
        EngineError: The model is not one that it understands.
    """
    try:
        trees = Trees.parse(model)
    except TreesError as error:
        raise EngineError(f"own evaluator: {error}") from None

    def execute(rows: Floats) -> Floats:
        try:
            if threads == 1 or len(rows) < threads:
                return trees.margins(rows)
            with ThreadPoolExecutor(threads) as pool:
                return np.concatenate([*pool.map(trees.margins, np.array_split(rows, threads))])
        except TreesError as error:
            raise EngineError(f"own evaluator: {error}") from None

    return execute


def xgboost(model: bytes, threads: int = 1) -> Execute:
    """Return XGBoost for a model.

    Raises:
        EngineError: XGBoost is not installed, or refuses the model.
    """
    try:
        import xgboost as engine
    except ImportError:
        raise EngineError("XGBoost is not installed: use --engine own") from None
    try:
        booster = engine.Booster(params={"nthread": threads}, model_file=bytearray(model))
    except engine.core.XGBoostError as error:
        raise EngineError(f"XGBoost: {str(error).splitlines()[0]}") from None
    features = booster.num_features()

    def execute(rows: Floats) -> Floats:
        if rows.shape[1] != features:
            raise EngineError(f"XGBoost: the model takes {features} features, and {rows.shape[1]} are disclosed")
        try:
            margins = np.asarray(booster.inplace_predict(rows, predict_type="margin", validate_features=False))
        except engine.core.XGBoostError as error:
            raise EngineError(f"XGBoost: {str(error).splitlines()[0]}") from None
        if margins.shape != (len(rows),):
            raise EngineError("XGBoost: the model has several outputs")
        return margins.astype(np.float32, copy=False)

    return execute


ENGINES: dict[str, tuple[Engine, ...]] = {"own": (own,), "xgboost": (xgboost,), "both": (own, xgboost)}
"""What `--engine` chooses between."""
