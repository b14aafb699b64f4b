"""Our own evaluator, held equal to XGBoost bit for bit."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tallystick.cli.replay.logf import logf
from tallystick.cli.replay.trees import Trees, TreesError

from .models import Matrix, constant_model, engine_margins, rows, train


def bits(margins: Matrix) -> list[int]:
    """Return margins as their bits: minus zero is not zero, and equal is equal."""
    return [int(margin) for margin in margins.view(np.uint32)]


@pytest.mark.parametrize("tree_method", ["hist", "exact", "approx"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(
    ("depth", "rounds", "base_score"), [(1, 5, None), (3, 40, 0.5), (6, 30, 0.01), (8, 10, 0.9), (4, 60, 1e-4), (2, 3, 0.0)]
)
def test_margins_are_xgboost_s_to_the_bit(
    depth: int, rounds: int, base_score: float | None, missing: float, tree_method: str
) -> None:
    """Over depths, base scores, tree methods, missing values, and values that meet a threshold exactly."""
    matrix = rows(depth, 1500, 7, missing=missing, whole=depth % 2 == 0)
    parameters: dict[str, Any] = {} if base_score is None else {"base_score": base_score}
    if base_score == 0.0:
        parameters = {"base_score": 1e-6}
    model = train(matrix, rounds, max_depth=depth, tree_method=tree_method, **parameters)
    unseen = rows(99, 500, 7, missing=missing, whole=depth % 2 == 0)
    for tested in (matrix, unseen):
        assert bits(Trees.parse(model).margins(tested)) == bits(engine_margins(model, tested))


def test_a_forest_in_each_round_is_added_in_the_file_s_order() -> None:
    """`num_parallel_tree` makes more trees a round; the order of addition is the file's."""
    matrix = rows(5, 800, 4)
    model = train(matrix, 8, max_depth=3, num_parallel_tree=3, subsample=0.5, seed=3)
    assert len(Trees.parse(model).trees) == 24
    assert bits(Trees.parse(model).margins(matrix)) == bits(engine_margins(model, matrix))


def test_extreme_values_go_where_xgboost_sends_them() -> None:
    """Infinities, subnormals, both zeros and nothing but missing values."""
    matrix = rows(6, 800, 3)
    model = train(matrix, 20, max_depth=5)
    values = np.array([np.inf, -np.inf, 1e-45, -1e-45, 0.0, -0.0, 3.4e38, np.nan], dtype=np.float32)
    extreme = np.array(np.meshgrid(values, values, values), dtype=np.float32).reshape(3, -1).T.copy()
    assert bits(Trees.parse(model).margins(extreme)) == bits(engine_margins(model, extreme))


def base_scores() -> list[str]:
    """Return base scores as XGBoost writes them, and at the ends of their range."""
    random = np.random.default_rng(8)
    near_zero, near_one = 10.0 ** -(random.random(60) * 9), 1 - 10.0 ** -(random.random(60) * 8)
    scores = np.concatenate([random.random(60), near_zero, near_one]).astype(np.float32).tolist()
    ends = [0.0, 1.0, 1e-45, 9.9e-7, 1e-6, 1.1e-6, 0.999999, 0.9999995, 0.5]
    return [f"[{score!r}]".upper() for score in [*scores, *ends]] + ["5E-1", "0.25"]


def test_the_base_margin_is_xgboost_s_to_the_bit() -> None:
    """The clamp at 1e-6, the float32 division and subtraction, and `logf`'s own last bit."""
    one = np.zeros((1, 1), dtype=np.float32)
    for score in base_scores():
        model = constant_model(score)
        assert bits(Trees.parse(model).margins(one)) == bits(engine_margins(model, one)), score


@pytest.mark.parametrize(("x", "result"), [(1.0, "0x0.0p+0"), (2.0, "0x1.62e4300000000p-1"), (0.5, "-0x1.62e4300000000p-1")])
def test_logarithms_of_round_numbers(x: float, result: str) -> None:
    """The log of 1 is exactly 0, and that of 2 the float32 nearest to it."""
    assert logf(x) == float.fromhex(result)


def test_logarithms_are_within_an_ulp() -> None:
    """Against float64's logarithm, over the whole range that odds can have."""
    for x in np.exp(np.random.default_rng(2).uniform(-15, 15, 2000)).astype(np.float32):
        exact = float(np.log(np.float64(x)))
        assert abs(logf(float(x)) - exact) <= np.spacing(np.float32(abs(exact)))


# --- what is not understood ---------------------------------------------------------------------------------------------------

Document = dict[str, Any]


def learner(*path: str | int, value: Any) -> Callable[[Document], None]:
    """Return a change of one place under `learner`."""

    def change(document: Document) -> None:
        target: Any = document["learner"]
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


def tree(name: str, *path: int, value: Any) -> Callable[[Document], None]:
    """Return a change of a column of the first tree, or of one place in it."""
    return learner("gradient_booster", "model", "trees", 0, name, *path, value=value)


REFUSED: dict[str, tuple[Callable[[Document], None], str]] = {
    "DART": (learner("gradient_booster", "name", value="dart"), "booster 'dart' is not understood"),
    "linear": (learner("gradient_booster", "name", value="gblinear"), "booster 'gblinear' is not understood"),
    "another objective": (learner("objective", "name", value="reg:squarederror"), "objective 'reg:squarederror'"),
    "ranking": (learner("objective", "name", value="rank:ndcg"), "objective 'rank:ndcg'"),
    "several classes": (learner("learner_model_param", "num_class", value="3"), "several outputs"),
    "several targets": (learner("learner_model_param", "num_target", value="2"), "several outputs"),
    "trees of another output": (learner("gradient_booster", "model", "tree_info", 0, value=1), "not all of one output"),
    "a tree that is not counted": (learner("gradient_booster", "model", "tree_info", value=[]), "not all of one output"),
    "categories": (learner("gradient_booster", "model", "cats", value={"enc": [1]}), "categorical features"),
    "a categorical split": (tree("split_type", 0, value=1), "splits on categories"),
    "categorical nodes": (tree("categories_nodes", value=[0]), "splits on categories"),
    "vector leaves": (tree("tree_param", value={"size_leaf_vector": "2"}), "vectors for leaves"),
    "a vector of base scores": (learner("learner_model_param", "base_score", value="[5E-1,5E-1]"), "not XGBoost's JSON"),
    "a base score over one": (learner("learner_model_param", "base_score", value="[2E0]"), "not one probability"),
    "a base score that is none": (learner("learner_model_param", "base_score", value="[nan]"), "not one probability"),
    "a base score of another type": (learner("learner_model_param", "base_score", value=0.5), "not XGBoost's JSON"),
    "an endless walk": (tree("left_children", 0, value=0), "do not form a tree"),
    "a node with two parents": (lambda document: tree("left_children", 0, value=2)(document), "do not form a tree"),
    "a child beyond the end": (tree("right_children", 0, value=10_000), "do not form a tree"),
    "a child before the start": (tree("right_children", 0, value=-2), "do not form a tree"),
    "one child": (tree("right_children", 0, value=-1), "a node has one child"),
    "no nodes": (tree("left_children", value=[]), "columns differ in length"),
    "a column too short": (tree("default_left", value=[0]), "columns differ in length"),
    "no such feature": (tree("split_indices", 0, value=3), "splits on a feature that there is not"),
    "a negative feature": (tree("split_indices", 0, value=-1), "splits on a feature that there is not"),
    "an infinite leaf": (tree("split_conditions", 0, value=1e39), "not finite"),
    "words for numbers": (tree("split_conditions", 0, value="x"), "not XGBoost's JSON"),
    "no trees": (
        lambda document: document["learner"]["gradient_booster"]["model"].pop("trees"),
        "not XGBoost's JSON: KeyError",
    ),
    "no learner": (lambda document: document.pop("learner"), "not XGBoost's JSON: KeyError"),
    "a list for a learner": (lambda document: document.update(learner=[]), "not XGBoost's JSON: TypeError"),
}


@pytest.fixture(scope="module")
def model() -> bytes:
    """Return a sound model of three features."""
    return train(rows(3, 400, 3), 4, max_depth=3)


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_is_refused(model: bytes, change: Callable[[Document], None], reason: str) -> None:
    """A model whose arithmetic is another, or that is not one at all, gives no margin rather than a wrong one."""
    document = json.loads(model)
    change(document)
    with pytest.raises(TreesError, match=reason):
        Trees.parse(json.dumps(document).encode())


@pytest.mark.parametrize("file", [b"", b"[]", b"\x7bL\x00", b'{"learner": 1, "learner": 2}', b'{"learner": NaN}'])
def test_a_file_that_is_no_json_is_refused(file: bytes) -> None:
    """UBJSON, rubbish, repeated names and NaN are no models."""
    with pytest.raises(TreesError, match="the model cannot be read"):
        Trees.parse(file)


@pytest.mark.parametrize("shape", [(3,), (1, 2), (1, 4), (0,)])
def test_rows_must_fit_the_model(model: bytes, shape: tuple[int, ...]) -> None:
    """Another number of features is an error, not a guess."""
    with pytest.raises(TreesError, match="takes 3 float32 features"):
        Trees.parse(model).margins(np.zeros(shape, dtype=np.float32))


def test_rows_must_be_float32(model: bytes) -> None:
    """Float64 rows would compare differently."""
    with pytest.raises(TreesError, match="not float64"):
        Trees.parse(model).margins(np.zeros((1, 3)))  # type: ignore[arg-type]  # the wrong type is the test
