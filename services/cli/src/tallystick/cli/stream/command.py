"""The command line of `tallystick stream`."""

import argparse
import asyncio
import json
import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as ProgressTask
from rich.text import Text

from tallystick.cli.stream.reading import TransactionFile, TransactionFileError, read_transactions
from tallystick.cli.stream.sending import StreamError, StreamReport, StreamSettings, check_topic, stream_table
from tallystick.cli.stream.shifting import Shift, moved
from tallystick.runtime.settings import KafkaSettings, describe

SHOWN_BAD_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments to its parser."""
    parser.add_argument("file", type=Path, metavar="FILE", help="Parquet, or JSON lines of transactions in proto3 JSON")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="the brokers (default: TALLYSTICK_KAFKA_BOOTSTRAP)")
    parser.add_argument("--topic", default="transactions", help="the topic (default: transactions)")
    parser.add_argument("--limit", type=_natural, metavar="N", help="only the first N transactions")
    parser.add_argument("--rate", type=_positive, metavar="R", help="at most R transactions a second")
    parser.add_argument("--format", choices=("protobuf", "json"), default="protobuf", help="what a record's value is")
    shift = parser.add_mutually_exclusive_group()
    shift.add_argument("--no-shift", action="store_true", help="keep event times (by default the last one becomes now)")
    shift.add_argument("--whole-weeks", action="store_true", help="move event times by whole weeks: weekday and hour stay")
    parser.add_argument("--keep-going", action="store_true", help="stream the good lines of a file that has bad ones")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Read, check, stream and say what was sent; 1 if what is in the file or Kafka let us down, 2 if it cannot be read."""
    try:
        settings = _settings(args)
    except ValidationError as error:
        sys.stderr.write("".join(f"tallystick stream: {problem}\n" for problem in describe(error)))
        return 2
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what is wrong is said once, by us
    try:
        args.file.open("rb").close()
        asyncio.run(check_topic(settings))
        contents = read_transactions(args.file)
        if not _acceptable(contents, args):
            return 1
        table = contents.table if args.limit is None else contents.table.slice(0, args.limit)
        report = asyncio.run(_stream_with_progress(table, settings))
    except (TransactionFileError, StreamError) as error:
        sys.stderr.write(f"tallystick stream: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"tallystick stream: {args.file}: {error.strerror}\n")
        return 2
    _print_report(report, len(contents.bad_lines), args)
    return 0


def _settings(args: argparse.Namespace) -> StreamSettings:
    kafka = KafkaSettings() if args.kafka is None else KafkaSettings(kafka_bootstrap=args.kafka)
    shift = Shift.NONE if args.no_shift else Shift.WHOLE_WEEKS if args.whole_weeks else Shift.TO_NOW
    return StreamSettings(kafka, topic=args.topic, form=args.format, shift=shift, rate=args.rate)


def _acceptable(contents: TransactionFile, args: argparse.Namespace) -> bool:
    """Say what of the file is left out; false if lines are bad and that was not allowed."""
    if contents.ignored:
        sys.stderr.write(f"{args.file}: not part of a transaction, left out: {', '.join(contents.ignored)}\n")
    if contents.bad_lines and not contents.table.num_rows:
        first = contents.bad_lines[0]
        sys.stderr.write(
            f"tallystick stream: {args.file}: not one transaction in {len(contents.bad_lines):,} lines, so nothing was sent;"
            f" one in proto3 JSON a line is expected (line {first.number}: {first.reason})\n"
        )
        return False
    for line in contents.bad_lines[:SHOWN_BAD_LINES]:
        sys.stderr.write(f"{args.file}:{line.number}: {line.reason}\n")
    if len(contents.bad_lines) > SHOWN_BAD_LINES:
        sys.stderr.write(f"{args.file}: and {len(contents.bad_lines) - SHOWN_BAD_LINES:,} more bad lines\n")
    if contents.bad_lines and not args.keep_going:
        sys.stderr.write("tallystick stream: nothing was sent; --keep-going streams the good lines\n")
        return False
    return True


class _RateColumn(TextColumn):
    """Transactions a second, over the last moments."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: ProgressTask) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


async def _stream_with_progress(table: pa.Table, settings: StreamSettings) -> StreamReport:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), _RateColumn())
    console = Console(stderr=True)
    # Where no terminal shows it, a bar would leave an empty line.
    hidden = not console.is_interactive
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("transactions", total=table.num_rows)
        return await stream_table(table, settings, lambda done, total: bar.update(task, completed=done, total=total))


def _print_report(report: StreamReport, bad_lines: int, args: argparse.Namespace) -> None:
    per_s = report.transactions / report.elapsed_s if report.elapsed_s else 0.0
    if args.json:
        sys.stdout.write(json.dumps(asdict(report) | {"bad_lines": bad_lines, "per_s": round(per_s)}) + "\n")
        return
    sys.stdout.write(
        f"{report.transactions:,} transactions to {args.topic} ({report.partitions} partitions)"
        f" in {report.elapsed_s:.1f} s, {per_s:,.0f}/s{_period(report)}\n"
    )


def _period(report: StreamReport) -> str:
    if report.first_event_ms is None or report.last_event_ms is None:
        return ""
    first, last = (
        datetime.fromtimestamp(ms / 1000, UTC).isoformat(" ", "seconds") for ms in (report.first_event_ms, report.last_event_ms)
    )
    return f"\nevent times {first} to {last}, {moved(report.shift_ms)}"


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number
