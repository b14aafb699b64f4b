"""An evaluator of our own for XGBoost's JSON models, so that a margin's bits outlive the engine.

What XGBoost 3.2 does, and this does to the same bits:

- `base_score` p (a string, "5E-1" or "[5E-1]") is clamped to [1e-6, 1 - 1e-6]; the base margin is
  -logf(1/p - 1), all in float32;
- a row starts with the base margin; each tree's leaf is added in float32, in the trees' order in the file;
- at a node the row goes left if its value < the threshold, both float32; a missing value (NaN) goes where `default_left` says.

Only gradient-boosted trees for `binary:logistic` with one output are understood. DART, linear boosters, categorical splits and
several outputs are refused: their arithmetic is another.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tallystick.cli.replay.logf import logf
from tallystick.trust.strict_json import JsonError, parse_object

Floats = NDArray[np.float32]

MAX_MODEL_BYTES = 2**30
_BLOCK = 4_096
"""Rows that go through all trees before the next ones do: what they take stays in the processor's caches."""
_EPSILON = np.float32(1e-6)
_ONE = np.float32(1)


class TreesError(ValueError):
    """A model is not one that this evaluator understands; the message says why."""


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree, by node; a leaf is its own child on both sides, so `depth` steps end at a leaf from anywhere."""

    feature: NDArray[np.intp]
    threshold: Floats
    default_left: NDArray[np.bool_]
    children: NDArray[np.intp]  # the left one of node n at 2 n, the right one behind it
    leaf: Floats
    depth: int


@dataclass(frozen=True, slots=True)
class Trees:
    """A model, ready to evaluate; `features` is the number of columns that it takes."""

    base_margin: np.float32
    features: int
    trees: tuple[_Tree, ...]

    @classmethod
    def parse(cls, file: bytes) -> Self:
        """Read an XGBoost JSON model.

        Raises:
            TreesError: It is not one, or uses what is not understood.
        """
        try:
            learner = parse_object(file, MAX_MODEL_BYTES)["learner"]
            _check_learner(learner)
            features = int(learner["learner_model_param"]["num_feature"])
            base_margin = _base_margin(learner["learner_model_param"]["base_score"])
            trees = tuple(_parse_tree(tree, features) for tree in learner["gradient_booster"]["model"]["trees"])
        except JsonError as error:
            raise TreesError(f"the model cannot be read: {error}") from None
        except TreesError:
            raise
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise TreesError(f"the model is not XGBoost's JSON: {type(error).__name__} {error}") from None
        return cls(base_margin, features, trees)

    def margins(self, rows: Floats) -> Floats:
        """Return the raw margins, shape (rows,), of a float32 matrix, shape (rows, features); NaN is a missing value.

        Raises:
            TreesError: The matrix has another shape or type.
        """
        if rows.ndim != 2 or rows.shape[1] != self.features or rows.dtype != np.float32:
            raise TreesError(f"the model takes {self.features} float32 features a row, not {rows.dtype} of shape {rows.shape}")
        margins = np.full(len(rows), self.base_margin, dtype=np.float32)
        for start in range(0, len(rows), _BLOCK):
            block = np.ascontiguousarray(rows[start : start + _BLOCK])
            missing = np.isnan(block) if np.isnan(block).any() else None
            begins = np.arange(len(block)) * self.features
            for tree in self.trees:
                margins[start : start + _BLOCK] += _leaves(tree, block.ravel(), begins, missing)
        return margins


def _leaves(tree: _Tree, values: Floats, begins: NDArray[np.intp], missing: NDArray[np.bool_] | None) -> Floats:
    """Return each row's leaf; a row's values begin at its place in `begins`, and `missing` is None if none is."""
    node = np.zeros(len(begins), dtype=np.intp)
    for _ in range(tree.depth):
        place = begins + tree.feature.take(node)
        goes_right = ~(values.take(place) < tree.threshold.take(node))
        if missing is not None:
            goes_right &= ~(missing.take(place) & tree.default_left.take(node))
        node = tree.children.take(2 * node + goes_right)
    return tree.leaf.take(node)


def _base_margin(text: str) -> np.float32:
    probability = np.float32(text.removeprefix("[").removesuffix("]"))
    if not 0 <= probability <= 1:
        raise TreesError(f"the base score {text} is not one probability")
    probability = min(max(probability, _EPSILON), _ONE - _EPSILON)
    return np.float32(-logf(float(_ONE / probability - _ONE)))


def _check_learner(learner: dict[str, Any]) -> None:
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    if booster["name"] != "gbtree":
        raise TreesError(f"the booster {booster['name']!r} is not understood; only gbtree is")
    if learner["objective"]["name"] != "binary:logistic":
        raise TreesError(f"the objective {learner['objective']['name']!r} is not understood; only binary:logistic is")
    if parameters["num_class"] not in {"0", "1"} or parameters.get("num_target", "1") != "1":
        raise TreesError("the model has several outputs")
    model = booster["model"]
    if any(model["tree_info"]) or len(model["tree_info"]) != len(model["trees"]):
        raise TreesError("the model's trees are not all of one output")
    if model.get("cats", {}).get("enc"):
        raise TreesError("the model has categorical features")


def _parse_tree(tree: dict[str, Any], features: int) -> _Tree:
    if tree["tree_param"]["size_leaf_vector"] not in {"0", "1"}:
        raise TreesError("a tree has vectors for leaves")
    if any(tree["split_type"]) or tree["categories_nodes"]:
        raise TreesError("a tree splits on categories")
    left, right = (np.array(tree[side], dtype=np.intp) for side in ("left_children", "right_children"))
    with np.errstate(over="ignore"):  # infinities are refused below
        numbers = np.array(tree["split_conditions"], dtype=np.float64).astype(np.float32)
    feature = np.array(tree["split_indices"], dtype=np.intp)
    default_left = np.array(tree["default_left"], dtype=np.bool_)
    if len({len(column) for column in (left, right, numbers, feature, default_left)}) != 1 or not len(left):
        raise TreesError("a tree's columns differ in length")
    if not np.isfinite(numbers).all():
        raise TreesError("a tree has a number that is not finite")
    is_leaf = left == -1
    if (feature[~is_leaf] < 0).any() or (feature[~is_leaf] >= features).any():
        raise TreesError("a tree splits on a feature that there is not")
    depth = _depth(left, right)
    own = np.arange(len(left))
    return _Tree(
        feature=np.where(is_leaf, 0, feature),
        threshold=numbers,
        default_left=default_left,
        children=np.stack([np.where(is_leaf, own, left), np.where(is_leaf, own, right)], axis=1).ravel(),
        leaf=numbers,
        depth=depth,
    )


def _depth(left: NDArray[np.intp], right: NDArray[np.intp]) -> int:
    """Return the longest way from the root to a leaf, once every node on it is shown to have one parent and two children."""
    if ((left == -1) != (right == -1)).any():
        raise TreesError("a node has one child")
    seen = np.zeros(len(left), dtype=np.bool_)
    level = np.zeros(1, dtype=np.intp)
    depth = -1
    while len(level):
        if (level < 0).any() or (level >= len(left)).any() or seen[level].any() or len(np.unique(level)) != len(level):
            raise TreesError("a tree's nodes do not form a tree")
        seen[level] = True
        inner = level[left[level] != -1]
        level = np.concatenate([left[inner], right[inner]])
        depth += 1
    return depth
