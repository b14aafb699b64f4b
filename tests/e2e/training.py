"""A model to run the chain with."""

from pathlib import Path

from tallystick.cli.demo.steps import command

from .bank import TRAINING_DAYS, write_training_file
from .governing import Release


def trained(folder: Path, seed: int) -> Release:
    """Train on a month of made-up transactions, with the trainer's command."""
    write_training_file(folder / "training.parquet", seed)
    days = ("--train-days", f"0:{TRAINING_DAYS}", "--holdout-days", "7")
    command(["tallystick-trainer", "train", str(folder / "training.parquet"), *days, "--out", str(folder / "out"), "--json"])
    return Release.load(folder / "out")
