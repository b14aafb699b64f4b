"""The model and its release: reproducible, readable, and what they say they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tallystick.contracts import ModelStatement, PolicyStatement
from tallystick.trainer.data import TrainingDataError, TrainingFile, Transactions
from tallystick.trainer.release import MODEL_STATEMENT, POLICY_STATEMENT, Release, ReleaseError, read_release, write_release
from tallystick.trainer.schemas import known_schemas, read_schema
from tallystick.trainer.train import Plan, train
from tallystick.trainer.training import train_model
from tallystick.trust.features import FeatureSchema

DAY_MS = 86_400_000


def transactions(days: int = 10, a_day: int = 200) -> Transactions:
    """Make transactions in which large amounts are mostly fraud."""
    generator = np.random.default_rng(3)
    rows = days * a_day
    cents = generator.integers(0, 40_000, rows)
    fraud = (cents > 30_000) & (generator.random(rows) < 0.9)
    times = 1_522_540_800_000 + np.sort(generator.integers(0, days * DAY_MS, rows))
    return Transactions(times, generator.integers(0, 30, rows), cents, {}, fraud)


def plan(**changes: object) -> Plan:
    """Return a plan for these transactions."""
    defaults = {
        "name": "test",
        "version": "1",
        "data_name": "data.parquet",
        "feature_schema": read_schema("card-1"),
        "days": (0, 10),
        "holdout_days": 3,
        "holdout_share": None,
        "threads": 1,
        "created_at_ms": 1_700_000_000_000,
    }
    return Plan(**(defaults | changes))  # type: ignore[arg-type]  # names are checked by the dataclass


def released(**changes: object) -> Release:
    """Train by a plan."""
    return train(TrainingFile(transactions(), b"d" * 32), plan(**changes), lambda line: None)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_model_does_not_depend_on_threads(threads: int) -> None:
    """The same data give the same file on one thread and on several."""
    generator = np.random.default_rng(1)
    matrix: NDArray[np.float32] = generator.normal(size=(5_000, 6)).astype(np.float32)
    fraud = matrix[:, 0] + generator.normal(size=5_000) > 1.5
    assert train_model(matrix, fraud, threads).digest == train_model(matrix, fraud, 1).digest


def test_the_same_plan_gives_the_same_release() -> None:
    """Model, statements and card are equal byte for byte."""
    assert released() == released(threads=2)


def test_a_release_states_what_was_trained(tmp_path: Path) -> None:
    """The statement names the file by digest and size, carries the schema's bytes, the figures and the card."""
    release = released()
    write_release(release, tmp_path)
    assert read_release(tmp_path) == release
    model, policy = release.model, release.policy
    assert (tmp_path / f"{model.digest.hex()}.json").stat().st_size == model.size_bytes
    assert FeatureSchema.parse(model.feature_schema).names[0] == "amount"
    assert json.loads(release.model_file)["learner"]["learner_model_param"]["base_score"].strip("[]") == "5E-1"
    assert model.training_data_digest == b"d" * 32
    assert model.metrics["average_precision"] > 0.8
    assert model.engine.startswith("xgboost 3.2.0")
    assert "data.parquet" in model.card
    assert model.digest.hex() in model.card
    assert policy.review_margin <= policy.decline_margin
    assert (policy.max_value_bytes, policy.event_time_tolerance_ms) == (61_440, 300_000)
    assert len(release.model_statement) < 60_000
    assert {path.name for path in tmp_path.iterdir()} >= {"model_card.md", "model_statement.json", "policy_statement.json"}


def test_held_out_days_come_last(tmp_path: Path) -> None:
    """Days are counted from the first transaction's, the last ones held out; a share is counted in transactions."""
    assert released().model.metrics["transactions"] == np.sum(transactions().event_time_ms >= 1_522_540_800_000 + 7 * DAY_MS)
    assert released(days=None, holdout_share=0.25).model.metrics["transactions"] == 500


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"feature_schema": read_schema("components-1")}, "feature V1"),
        ({"holdout_days": 0}, "held-out part"),
        ({"days": (0, 3)}, "training part"),
        ({"days": None}, "give a share"),
    ],
)
def test_plans_that_the_data_cannot_meet_are_refused(changes: dict[str, object], complaint: str) -> None:
    """Missing attributes and empty parts are said."""
    with pytest.raises(TrainingDataError, match=complaint):
        released(**changes)


def test_a_swapped_model_file_is_refused(tmp_path: Path) -> None:
    """A release whose model is not the one that its statement names is not published."""
    release = released()
    write_release(release, tmp_path)
    path = tmp_path / f"{release.model.digest.hex()}.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ReleaseError, match="not the file"):
        read_release(tmp_path)


@pytest.mark.parametrize("name", [MODEL_STATEMENT, POLICY_STATEMENT])
def test_a_broken_statement_is_refused(tmp_path: Path, name: str) -> None:
    """A statement that is no message is named as such."""
    write_release(released(), tmp_path)
    (tmp_path / name).write_bytes(b"\xff\xff\xff")
    with pytest.raises(ReleaseError, match="statement"):
        read_release(tmp_path)


def test_statements_are_the_contracts_messages() -> None:
    """The statements' bytes parse and serialise to themselves, so that what is signed is what is read."""
    release = released()
    for kind, data in ((ModelStatement, release.model_statement), (PolicyStatement, release.policy_statement)):
        assert kind.FromString(data).SerializeToString(deterministic=True) == data


def test_the_schemas_that_come_along_are_valid() -> None:
    """Every known schema parses."""
    assert {"card-1", "components-1"} <= set(known_schemas())
    for name in known_schemas():
        assert FeatureSchema.parse(read_schema(name)).features
