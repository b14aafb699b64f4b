"""XGBoost models for tests, small and quick to train."""

import json
from functools import cache
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


def rows(seed: int, count: int, features: int, *, missing: float = 0.0, whole: bool = False) -> Matrix:
    """Return random rows; `missing` is the share of NaN, `whole` rounds so that values meet thresholds."""
    random = np.random.default_rng(seed)
    matrix = (random.normal(size=(count, features)) * 10).astype(np.float32)
    if whole:
        matrix = np.round(matrix)
    matrix[random.random(matrix.shape) < missing] = np.nan
    return matrix


def train(matrix: Matrix, rounds: int, **parameters: Any) -> bytes:
    """Train on labels that follow the first column; return the model's JSON file."""
    random = np.random.default_rng(1)
    labels = (np.nan_to_num(matrix[:, 0]) + random.normal(size=len(matrix)) > 3).astype(int)
    chosen = {"objective": "binary:logistic", "nthread": 1, "verbosity": 0} | parameters
    booster = xgboost.train(chosen, xgboost.DMatrix(matrix, labels), rounds)
    return bytes(booster.save_raw("json"))


def engine_margins(model: bytes, matrix: Matrix) -> Matrix:
    """Return XGBoost's margins."""
    booster = xgboost.Booster(params={"nthread": 1}, model_file=bytearray(model))
    return np.asarray(booster.inplace_predict(matrix, predict_type="margin", validate_features=False), dtype=np.float32)


def constant_model(base_score: str) -> bytes:
    """Return a model of one tree that adds nothing, so that its margin is the base margin."""
    document = json.loads(_stump())
    document["learner"]["learner_model_param"]["base_score"] = base_score
    tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
    for name, column in tree.items():
        if isinstance(column, list):
            tree[name] = column[:1]
    tree |= {"left_children": [-1], "right_children": [-1], "split_conditions": [0.0], "base_weights": [0.0]}
    tree["tree_param"]["num_nodes"] = "1"
    return json.dumps(document).encode()


@cache
def _stump() -> bytes:
    return train(rows(0, 20, 1), 1, max_depth=1, base_score=0.5)
