"""The command line of `tallystick simulate`."""

import argparse
import json
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tallystick.cli.simulate.generator import generate
from tallystick.cli.simulate.parquet import unfinished_path, write_parquet
from tallystick.cli.simulate.stream import DAYS, CardStream, StreamMismatchError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments to its parser."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the Parquet file to write")
    parser.add_argument("--days", type=parse_days, metavar="A:B", help=f"only days A up to, not including, B (0:{DAYS} is all)")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")


def parse_days(text: str) -> tuple[int, int]:
    """Days "A:B" as (A, B), half-open; either may be left out.

    Raises:
        argparse.ArgumentTypeError: not of that form, or an empty or impossible range.
    """
    first, colon, stop = text.partition(":")
    try:
        days = int(first or 0), int(stop or DAYS)
    except ValueError:
        days = (0, 0)
    if not colon or not 0 <= days[0] < days[1] <= DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not A:B with 0 <= A < B <= {DAYS}")
    return days


def run(args: argparse.Namespace) -> int:
    """Generate, cut, write and say what was written; 1 if the rows are not the published ones or the file cannot be written."""
    try:
        unfinished_path(args.file).touch()  # before the work, not after it
        stream = _generate_with_progress()
        part = stream.days(*args.days) if args.days else stream
        write_parquet(part, args.file)
    except (StreamMismatchError, OSError) as error:
        sys.stderr.write(f"tallystick simulate: {error}\n")
        return 1
    finally:
        with suppress(OSError):
            unfinished_path(args.file).unlink(missing_ok=True)
    _report(stream, part, args)
    return 0


def _generate_with_progress() -> CardStream:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("customers", total=None)
        return generate(lambda done, total: bar.update(task, completed=done, total=total))


def _report(stream: CardStream, part: CardStream, args: argparse.Namespace) -> None:
    outcome = {
        "file": str(args.file),
        "transactions": len(part),
        "fraud": int(part.fraud.sum()),
        "sha256": part.digest(),
        "whole_stream_sha256": stream.digest(),
    }
    if args.json:
        sys.stdout.write(json.dumps(outcome) + "\n")
        return
    days = f"all {DAYS} days" if args.days is None else f"days {args.days[0]} to {args.days[1] - 1}"
    sys.stdout.write(
        f"{args.file}: {len(part):,} transactions, {outcome['fraud']:,} of them fraud, {days}\n"
        f"SHA-256 of these columns    {outcome['sha256']}\n"
        f"SHA-256 of the whole stream {outcome['whole_stream_sha256']}, as published\n"
    )
