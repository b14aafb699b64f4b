"""The model: XGBoost on a batch, from a file that is what the log says it is."""

from hashlib import sha256

import numpy as np
import xgboost
from numpy.typing import NDArray

from tallystick.scoring.vectors import Matrix

Margins = NDArray[np.float32]


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
            ModelError: if the file has another digest, is no model, or wants another number of features.
        """
        if sha256(file).digest() != digest:
            raise ModelError(f"the model's file has SHA-256 {sha256(file).hexdigest()}, logged is {digest.hex()}")
        try:
            self._booster = xgboost.Booster(params={"nthread": 1}, model_file=bytearray(file))
        except xgboost.core.XGBoostError as error:
            raise ModelError(f"XGBoost refuses the model {digest.hex()}: {str(error).splitlines()[0]}") from None
        if self._booster.num_features() != features:
            raise ModelError(f"the model wants {self._booster.num_features()} features, its schema has {features}")

    def margins(self, matrix: Matrix) -> Margins:
        """Return the raw margins, shape (rows,)."""
        margins: Margins = self._booster.inplace_predict(matrix, predict_type="margin", validate_features=False)
        return margins

    def contributions(self, matrix: Matrix) -> NDArray[np.float32]:
        """Return each feature's exact share of the margin (TreeSHAP), shape (rows, features)."""
        shares: NDArray[np.float32] = self._booster.predict(xgboost.DMatrix(matrix), pred_contribs=True)
        return shares[:, :-1]
