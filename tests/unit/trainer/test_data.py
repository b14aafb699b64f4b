"""Training data: what is read, and what is refused."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tallystick.trainer.data import TrainingDataError, read_training_file
from tallystick.trainer.main import main


def write(tmp_path: Path, **changes: Any) -> Path:
    """Write three labelled transactions with changes; None drops a column."""
    columns = {
        "customer_id": ["a", "b", "a"],
        "currency": ["EUR", "EUR", "USD"],
        "event_time_ms": [1_000, 2_000, 2_000],
        "amount_cents": [100, 250, 0],
        "fraud": [0, 1, 0],
    } | changes
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), path)
    return path


def test_accounts_are_customers_in_a_currency(tmp_path: Path) -> None:
    """One customer's two currencies are two accounts, as windows never mix currencies."""
    transactions = read_training_file(write(tmp_path)).transactions
    assert len(set(transactions.account.tolist())) == 3
    assert transactions.fraud.tolist() == [False, True, False]
    assert transactions.amount_minor.tolist() == [100, 250, 0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fraud": None}, "column for fraud"),
        ({"amount_minor": [1, 2, 3]}, "column for amount_minor"),
        ({"event_time_ms": [3_000, 2_000, 2_000]}, "not ordered by event time"),
        ({"fraud": [0, 1, 2]}, "neither 0 nor 1"),
        ({"amount_cents": [1, None, 3]}, "amount_minor is not integers"),
        ({"amount_cents": [1.0, 2.0, 3.0]}, "amount_minor is not integers"),
        ({"customer_id": ["a", None, "b"]}, "customer_id has gaps"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    """The complaint names the file and the column."""
    with pytest.raises(TrainingDataError, match=complaint) as raised:
        read_training_file(write(tmp_path, **changes))
    assert "data.parquet" in str(raised.value)


@pytest.mark.parametrize("amount", [1.005, float("nan"), float("inf")])
def test_ulb_amounts_that_are_no_cents_are_refused(tmp_path: Path, amount: float) -> None:
    """An amount that is not a whole number of cents is refused, not rounded."""
    components = {f"V{number}": pa.array([0.0], pa.float32()) for number in range(1, 29)}
    path = tmp_path / "ulb.parquet"
    pq.write_table(pa.table({"Time": pa.array([0], pa.int32()), **components, "Amount": [amount], "Class": [1]}), path)
    with pytest.raises(TrainingDataError, match="whole number of cents"):
        read_training_file(path)


def test_a_file_that_is_no_parquet_fails_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`train` says which file and why, with exit code 1."""
    (tmp_path / "data.csv").write_text("a,b\n")
    assert main(["train", str(tmp_path / "data.csv"), "--out", str(tmp_path / "out")]) == 1
    assert "data.csv: not a Parquet file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["train"], ["train", "x", "--train-days", "5:5", "--out", "y"], ["train", "x", "--holdout-share", "1", "--out", "y"]],
)
def test_usage_errors_exit_with_2(arguments: list[str]) -> None:
    """Arguments that make no sense end with exit code 2."""
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
