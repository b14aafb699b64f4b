"""The engines that can execute a model again: each takes the model's file and one row, and gives the margin."""

from collections.abc import Callable

import numpy as np

from tallystick.cli.replay.trees import Floats, Trees, TreesError

Engine = Callable[[bytes, Floats], float]


class EngineError(Exception):
    """An engine cannot execute this model, or is not here."""


def own(model: bytes, row: Floats) -> float:
    """Return the margin as our own evaluator computes it.

    Raises:
        EngineError: The model is not one that it understands.
    """
    try:
        return float(Trees.parse(model).margins(row.reshape(1, -1))[0])
    except TreesError as error:
        raise EngineError(f"own evaluator: {error}") from None


def xgboost(model: bytes, row: Floats) -> float:
    """Return the margin as XGBoost computes it.

    Raises:
        EngineError: XGBoost is not installed, or refuses the model.
    """
    try:
        import xgboost as engine
    except ImportError:
        raise EngineError("XGBoost is not installed: use --engine own") from None
    try:
        booster = engine.Booster(params={"nthread": 1}, model_file=bytearray(model))
        if booster.num_features() != row.size:
            raise EngineError(f"XGBoost: the model takes {booster.num_features()} features, and {row.size} are disclosed")
        margins = booster.inplace_predict(row.reshape(1, -1), predict_type="margin", validate_features=False)
    except engine.core.XGBoostError as error:
        raise EngineError(f"XGBoost: {str(error).splitlines()[0]}") from None
    margins = np.asarray(margins)
    if margins.shape != (1,):
        raise EngineError("XGBoost: the model has several outputs")
    return float(margins[0])


ENGINES: dict[str, tuple[Engine, ...]] = {"own": (own,), "xgboost": (xgboost,), "both": (own, xgboost)}
"""What `--engine` chooses between."""
