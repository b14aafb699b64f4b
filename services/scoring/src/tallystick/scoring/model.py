"""The model: XGBoost on a batch, from a file that is what the log says it is."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tallystick.runtime.lean_import import hidden
from tallystick.scoring.vectors import Matrix

# XGBoost imports scikit-learn where there is one, for wrappers that nobody uses here: two seconds of CPU at every start.
with hidden("sklearn"):
    import xgboost

Margins = NDArray[np.float32]
Shares = NDArray[np.float32]
_AT_ONCE_BYTES = 1_000_000  # parsed in about 10 ms
_READ_KIND = 'import json, sys; print(json.dumps(json.load(sys.stdin.buffer)["learner"]["gradient_booster"]["name"]))'
_EXPLAINING = ThreadPoolExecutor(1, "explaining")


class ModelError(ValueError):
    """The model's file is not the one that was logged, or cannot be used."""


class Model:
    """A loaded model. Margins are equal to the bit whatever the batch's size (see the determinism tests)."""

    def __init__(self, file: bytes, digest: bytes, features: int) -> None:
        """Load a model.

        Args:
            file: XGBoost's JSON.
            digest: its logged SHA-256.
            features: how many its feature schema has.

        Raises:
            ModelError: if the file has another digest, is no model of plain trees, or wants another number of features.
        """
        if sha256(file).digest() != digest:
            raise ModelError(f"the model's file has SHA-256 {sha256(file).hexdigest()}, logged is {digest.hex()}")
        _check_trees(file, digest)
        try:
            self._booster = xgboost.Booster(params={"nthread": 1}, model_file=bytearray(file))
        except (xgboost.core.XGBoostError, UnicodeDecodeError) as error:  # the latter from a message of XGBoost's own
            raise ModelError(f"XGBoost refuses the model {digest.hex()}: {str(error).splitlines()[0]}") from None
        if self._booster.num_features() != features:
            raise ModelError(f"the model wants {self._booster.num_features()} features, its schema has {features}")

    def margins(self, matrix: Matrix) -> Margins:
        """Return the raw margins, shape (rows,)."""
        margins: Margins = self._booster.inplace_predict(matrix, predict_type="margin", validate_features=False)
        return margins

    def warm_up(self) -> None:
        """Predict and explain once: the first time XGBoost makes what the others then use, which takes far longer."""
        nothing = np.zeros((1, self._booster.num_features()), np.float32)
        self.margins(nothing)
        self.contributions(nothing)

    def contributions(self, matrix: Matrix) -> Shares:
        """Return each feature's exact share of the margin (TreeSHAP), shape (rows, features)."""
        shares: Shares = self._booster.predict(xgboost.DMatrix(matrix, nthread=1), pred_contribs=True)
        return shares[:, :-1]

    def contributions_meanwhile(self, matrix: Matrix) -> Callable[[], Shares]:
        """Begin with `contributions` in another thread, and return what waits for them.

        A row takes XGBoost 350 microseconds of C++, as long as ten decisions: with one row in a hundred that is a tenth of the
        time, during which the caller's Python may as well run. Nothing else may be asked of this model until they are there.
        """
        return _EXPLAINING.submit(self.contributions, matrix).result


def _check_trees(file: bytes, digest: bytes) -> None:
    """Refuse what XGBoost must not see: it aborts the whole process over an empty file.

    And what nobody else could re-execute to the bit: only for `gbtree` is the margin the leaves' sum in tree order.
    """
    try:
        booster = _kind(file) if len(file) <= _AT_ONCE_BYTES else _kind_elsewhere(file)
    except (ValueError, LookupError, TypeError, RecursionError, OSError):
        raise ModelError(f"the model {digest.hex()} is not XGBoost's JSON") from None
    if booster != "gbtree":
        raise ModelError(f"the model {digest.hex()} is of the kind {booster!r}; only gbtree is scored")


def _kind(file: bytes) -> object:
    return json.loads(file)["learner"]["gradient_booster"]["name"]


def _kind_elsewhere(file: bytes) -> object:
    """Return `_kind` as another process reads it: here, decisions would wait for the parser, which lets no other thread run."""
    done = subprocess.run([sys.executable, "-I", "-c", _READ_KIND], input=file, capture_output=True, check=False)  # noqa: S603  our own
    return json.loads(done.stdout)
