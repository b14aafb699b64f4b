"""P4: a decision can be executed again to the same bits."""

import asyncio
from collections.abc import Callable

import numpy as np
import xgboost

from tallystick.cli.demo.platform import Platform
from tallystick.cli.replay import Trees
from tallystick.contracts import ModelStatement
from tallystick.trainer.data import Transactions
from tallystick.trainer.features import feature_matrix
from tallystick.trust.decisions import outcome_of, score_of
from tallystick.trust.features import FeatureSchema

from .bank import stream, transactions
from .evidence import Matrix, features
from .governing import Release
from .reading import read_run

ROWS = 2_000


def test_every_decision_replays_to_the_same_bits(platform: Platform, release: Release) -> None:
    """The disclosed features, put to our own evaluator and to XGBoost in other batches and threads, give the logged bits.

    Fails if features are disclosed as anything but the float32s that the model saw, if a margin depends on its batch, or if
    the evaluator adds leaves in another order.
    """
    table = transactions(ROWS, "replayed")
    asyncio.run(stream(platform.kafka, table))
    run = read_run(platform)
    mine = {place: item for place, item in run.decisions.items() if run.key(place).startswith(b"replayed-")}
    seen = features(run, platform, mine)
    matrix = np.array(list(seen.values()), np.float32)
    logged = np.array([mine[place].margin_bits for place in seen], np.uint32)

    for margins in (_own(release), *(_xgboost(release, threads, batch) for threads in (1, 2) for batch in (1, 64, 1_000))):
        assert np.array_equal(margins(matrix).view(np.uint32), logged)
    for place, margin in zip(seen, logged.view(np.float32).tolist(), strict=True):
        assert (mine[place].score, mine[place].outcome) == (score_of(margin), outcome_of(margin, release.policy))


def test_what_the_model_saw_is_what_the_input_says(platform: Platform, release: Release) -> None:
    """The trainer, which computes features by column over a whole file, gets the very float32s that scoring disclosed."""
    table = transactions(ROWS, "recomputed", seed=5)
    asyncio.run(stream(platform.kafka, table))
    run = read_run(platform)
    names = {f"recomputed-{row}": row for row in range(ROWS)}
    mine = {place: item for place, item in run.decisions.items() if run.key(place).startswith(b"recomputed-")}
    seen = features(run, platform, mine)

    schema = FeatureSchema.parse(ModelStatement.FromString(release.model_statement).feature_schema)
    _, account = np.unique(table["customer_id"].to_numpy(zero_copy_only=False), return_inverse=True)
    columns = (table["event_time_ms"].to_numpy(), account, table["amount_minor"].to_numpy())
    expected = feature_matrix(Transactions(*columns, {}, np.zeros(ROWS, np.bool_)), schema)
    order = [names[run.transaction(place).transaction_id] for place in seen]
    assert np.array_equal(expected[order], np.array(list(seen.values()), np.float32))


def _own(release: Release) -> Callable[[Matrix], Matrix]:
    return Trees.parse(release.model_file).margins


def _xgboost(release: Release, threads: int, batch: int) -> Callable[[Matrix], Matrix]:
    booster = xgboost.Booster(params={"nthread": threads}, model_file=bytearray(release.model_file))

    def margins(matrix: Matrix) -> Matrix:
        parts = [matrix[start : start + batch] for start in range(0, len(matrix), batch)]
        return np.concatenate([booster.inplace_predict(part, predict_type="margin") for part in parts])

    return margins
