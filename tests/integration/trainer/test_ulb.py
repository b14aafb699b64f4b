"""Real data: the ULB card transactions."""

from pathlib import Path

import pytest

from tallystick.cli.stream import encode_transactions, read_transactions
from tallystick.contracts import Transaction
from tallystick.trainer.data import read_training_file
from tallystick.trainer.schemas import read_schema
from tallystick.trainer.train import Plan, train

from .ulb_file import find_ulb


@pytest.fixture(scope="module")
def ulb() -> Path:
    """Find the file."""
    found = find_ulb()
    assert found is not None
    return found


def test_a_chronological_split_gives_the_known_quality(ulb: Path) -> None:
    """Trained on the first 80 %, the last 20 % are ranked about as well as other people's XGBoost ranks them."""
    plan = Plan(
        name="components",
        version="1",
        data_name=ulb.name,
        feature_schema=read_schema("components-1"),
        days=None,
        holdout_days=0,
        holdout_share=0.2,
        threads=1,
        created_at_ms=0,
    )
    figures = train(read_training_file(ulb), plan, lambda line: None).model.metrics
    assert (figures["transactions"], figures["frauds"]) == (56_961, 75)
    assert figures["auc_roc"] > 0.97
    assert figures["average_precision"] > 0.77


def test_every_row_streams_as_the_trainer_saw_it(ulb: Path) -> None:
    """Amounts, times and components are the same in the encoded transactions and in the training columns."""
    trained = read_training_file(ulb).transactions
    streamed = read_transactions(ulb).table
    assert streamed.num_rows == len(trained) == 284_807
    for start in (0, 141_000, len(trained) - 100):
        for row, value in enumerate(encode_transactions(streamed.slice(start, 100)), start=start):
            transaction = Transaction.FromString(value)
            assert transaction.amount_minor == trained.amount_minor[row]
            assert transaction.event_time_ms == trained.event_time_ms[row]
            assert dict(transaction.attributes) == {name: column[row] for name, column in trained.attributes.items()}
