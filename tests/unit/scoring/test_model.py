"""The model's file is what was logged, and its margins are the same bits however they are asked for."""

from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest
import xgboost

from tallystick.scoring.model import Model, ModelError

from .world import model_file

FILE = model_file(9)
DIGEST = sha256(FILE).digest()
MATRIX = (np.random.default_rng(5).random((2_000, 9)) * np.geomspace(300, 3, 9)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Model:
    """Load the model."""
    return Model(FILE, DIGEST, 9)


def test_a_file_with_another_digest_is_refused() -> None:
    """One bit of the file is enough."""
    changed = bytearray(FILE)
    changed[len(changed) // 2] ^= 1
    with pytest.raises(ModelError, match=f"logged is {DIGEST.hex()}"):
        Model(bytes(changed), DIGEST, 9)


@pytest.mark.parametrize(
    "file", [b"", b"{}", b"[]", b"not a model", b"\xff", FILE[:-100], b"[" * 50_000, b'{"learner": 5}', b'{"learner": {}}']
)
def test_a_file_that_is_no_model_is_refused(file: bytes) -> None:
    """Though its digest be the logged one; an empty file would abort the process."""
    with pytest.raises(ModelError, match="is not XGBoost's JSON"):
        Model(file, sha256(file).digest(), 9)


@pytest.mark.parametrize("kind", [b"dart", b"gblinear"])
def test_a_model_that_is_not_plain_trees_is_refused(kind: bytes) -> None:
    """Only plain trees can be re-executed to the bit."""
    file = FILE.replace(b'"gbtree"', b'"%b"' % kind)
    with pytest.raises(ModelError, match=f"of the kind '{kind.decode()}'"):
        Model(file, sha256(file).digest(), 9)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"tree_param"', b'"tree_parax"'), (b'"split_indices":[', b'"split_indices":[7777777,')]
)
def test_a_model_that_xgboost_refuses_is_refused(old: bytes, new: bytes) -> None:
    """XGBoost's own reason is given."""
    file = FILE.replace(old, new)
    with pytest.raises(ModelError, match="XGBoost refuses the model"):
        Model(file, sha256(file).digest(), 9)


@pytest.mark.parametrize("file", [b"", b"[]", FILE[:-100], b"[" * 50_000, FILE.replace(b'"gbtree"', b'"dart"')])
def test_a_large_file_is_read_elsewhere_and_refused_alike(file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process of its own, since decisions would wait for the parser."""
    monkeypatch.setattr("tallystick.scoring.model._AT_ONCE_BYTES", -1)
    with pytest.raises(ModelError, match=r"is not XGBoost's JSON|of the kind 'dart'"):
        Model(file, sha256(file).digest(), 9)
    assert Model(FILE, DIGEST, 9).margins(MATRIX[:1]).shape == (1,)


def test_a_model_of_another_width_is_refused() -> None:
    """A model and its feature schema must agree on the number of features."""
    with pytest.raises(ModelError, match="wants 9 features, its schema has 8"):
        Model(FILE, DIGEST, 8)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_margins_do_not_depend_on_the_batch(model: Model, size: int) -> None:
    """Rows scored in batches of any size have the bits that they have all at once."""
    edges = [*range(0, len(MATRIX), size), len(MATRIX)]
    split = np.concatenate([model.margins(MATRIX[start:stop]) for start, stop in pairwise(edges)])
    assert split.tobytes() == model.margins(MATRIX).tobytes()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_margins_do_not_depend_on_threads(model: Model, threads: int) -> None:
    """XGBoost's own threads change no bit."""
    booster = xgboost.Booster(params={"nthread": threads}, model_file=bytearray(FILE))
    margins = booster.inplace_predict(MATRIX, predict_type="margin", validate_features=False)
    assert margins.tobytes() == model.margins(MATRIX).tobytes()


def test_margins_are_raw_float32(model: Model) -> None:
    """Margins, not probabilities; equal to what a DMatrix gives."""
    margins = model.margins(MATRIX)
    assert margins.dtype == np.float32
    assert margins.shape == (len(MATRIX),)
    booster = xgboost.Booster(model_file=bytearray(FILE))
    assert margins.tobytes() == booster.predict(xgboost.DMatrix(MATRIX), output_margin=True).tobytes()
    assert margins.min() < 0 < margins.max()


def test_contributions_add_up_to_the_margin(model: Model) -> None:
    """TreeSHAP's shares and its bias are the margin, up to rounding; the bias is left out of what is returned."""
    some = MATRIX[:50]
    shares = model.contributions(some)
    bias = xgboost.Booster(model_file=bytearray(FILE)).predict(xgboost.DMatrix(some), pred_contribs=True)[:, -1]
    assert shares.shape == (50, 9)
    np.testing.assert_allclose(shares.sum(axis=1) + bias, model.margins(some), rtol=1e-4, atol=1e-4)
