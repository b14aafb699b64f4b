"""The generated card stream is the published one, whole and in part."""

import json
from argparse import ArgumentParser
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tallystick.cli.simulate import (
    CARD_STREAM_DIGEST,
    EPOCH_MS,
    CardStream,
    add_arguments,
    run,
    write_parquet,
)
from tallystick.cli.simulate.stream import CARD_STREAM_SORTED_DIGEST


def test_the_whole_stream_is_the_published_one(card_stream: CardStream) -> None:
    """Every row, in its order, and the rows without regard to ties have the published digests."""
    assert card_stream.digest() == CARD_STREAM_DIGEST
    assert card_stream.sorted_digest() == CARD_STREAM_SORTED_DIGEST


def test_the_stream_has_the_published_counts(card_stream: CardStream) -> None:
    """Transactions, customers and frauds by scenario are as the recipe gives them."""
    assert len(card_stream) == 1_754_155
    assert len(np.unique(card_stream.customer)) == 4_990
    assert np.bincount(card_stream.scenario)[1:].tolist() == [973, 9_077, 4_631]
    assert int(card_stream.fraud.sum()) == 14_681


def test_one_changed_cent_changes_both_digests(card_stream: CardStream) -> None:
    """The digests see every amount, so that a generator that is off by one cent is found out."""
    card_stream.amount_cents[1_000_000] += 1
    try:
        assert card_stream.digest() != CARD_STREAM_DIGEST
        assert card_stream.sorted_digest() != CARD_STREAM_SORTED_DIGEST
    finally:
        card_stream.amount_cents[1_000_000] -= 1


def test_days_are_cut_from_the_whole_stream(card_stream: CardStream) -> None:
    """Consecutive parts hold every transaction once, under its own id and within its days."""
    parts = [card_stream.days(0, 28), card_stream.days(28, 35), card_stream.days(35, 183)]
    assert np.array_equal(np.concatenate([part.transaction_id for part in parts]), card_stream.transaction_id)
    assert parts[1].time_s.min() // 86_400 == 28
    assert parts[1].time_s.max() // 86_400 == 34
    assert np.array_equal(parts[1].amount_cents, card_stream.amount_cents[parts[1].transaction_id])


def test_the_same_stream_gives_the_same_file(card_stream: CardStream, tmp_path: Path) -> None:
    """Two files of the same days are equal byte for byte, and hold the stream's columns."""
    part = card_stream.days(10, 12)
    for name in ("one.parquet", "two.parquet"):
        write_parquet(part, tmp_path / name)
    assert sha256((tmp_path / "one.parquet").read_bytes()).digest() == sha256((tmp_path / "two.parquet").read_bytes()).digest()
    table = pq.read_table(tmp_path / "one.parquet")
    assert table["amount_cents"].to_pylist() == part.amount_cents.tolist()
    assert table["event_time_ms"].to_pylist() == (EPOCH_MS + part.time_s * 1000).tolist()
    assert set(table["currency"].to_pylist()) == {"EUR"}
    assert [entry.name for entry in tmp_path.iterdir() if entry.suffix == ".part"] == []


def test_the_command_writes_days_and_says_which_stream_they_are_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`simulate FILE --days A:B --json` writes the part and prints both digests."""
    parser = ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args([str(tmp_path / "day.parquet"), "--days", "3:4", "--json"])) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["whole_stream_sha256"] == CARD_STREAM_DIGEST
    assert outcome["transactions"] == pq.read_metadata(tmp_path / "day.parquet").num_rows > 9_000


@pytest.mark.parametrize("days", ["5", "4:4", "7:3", "0:184", "-1:3", "a:b", ""])
def test_impossible_days_are_a_usage_error(days: str) -> None:
    """Days that are not A:B within the stream end with exit code 2, before anything is generated."""
    parser = ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit) as exit_info:
        parser.parse_args(["file.parquet", f"--days={days}"])
    assert exit_info.value.code == 2


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there is reported by its name, with exit code 1."""
    parser = ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args([str(tmp_path / "missing" / "day.parquet"), "--days", "0:1"])) == 1
    assert "missing" in capsys.readouterr().err
