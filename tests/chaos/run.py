"""`make chaos`: what banks fear, for a bounded time; figures in `build/chaos.json`, exit code 1 unless nothing went wrong."""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tallystick.cli.demo.steps import DemoError
from tallystick.cli.stream import StreamError
from tallystick.contracts import Decision
from tallystick.embedded import ApacheKafka, StartError

from ..e2e.bank import now_ms, stream, transactions
from ..e2e.governing import Release
from ..e2e.reading import Run, check, published, read
from ..e2e.training import trained
from .figures import Figures, differing, duplicated, lost, out_of_order, unlogged
from .storm import Say, Storm, keep_sampling, rage
from .timeline import percentile, recoveries_s
from .world import world

BUILD = Path(__file__).parents[2] / "build"
SETTLE_S = 120.0
"""How long is waited, after the storm and the stream, for the last decision to be logged."""


class ChaosError(RuntimeError):
    """The run says nothing: the stream itself is not in the topic as it should be."""


def chaos(directory: Path, kafka: ApacheKafka, release: Release, seconds: float, rate: float, seed: int, say: Say) -> Figures:
    """Run the storm in `directory` on three brokers that are not started, then the same stream undisturbed, and compare.

    Raises:
        ChaosError, StreamError, StartError: the run says nothing.
        AssertionError: a log, a chain or a proof does not hold.
    """
    rows, end_ms = int(seconds * rate), now_ms()
    with world(directory, release, kafka) as made:
        say(f"{rows:,} transactions, {rate:g} a second, seed {seed}")
        storm = rage(made, transactions(rows, "storm", end_ms=end_ms), rate, seconds, seed, say)
        keep_sampling(made, storm, lambda: published(made.platform).size >= rows, SETTLE_S)
        say("the same stream of other customers, undisturbed")
        asyncio.run(stream(made.platform.kafka, transactions(rows, "calm", end_ms=end_ms)))
        keep_sampling(made, storm, lambda: published(made.platform).size >= 2 * rows, SETTLE_S)
        run = read(made.platform)
        found = count(run, storm, rows)
        if found.held:
            check(run, made.platform)
    return found


def count(run: Run, storm: Storm, rows: int) -> Figures:
    """Return the figures. Raises ChaosError if the stream is not in the topic once."""
    inputs = {(number, record.offset): record for number, part in run.records["transactions"].items() for record in part}
    ids = sorted(run.transaction(place).transaction_id for place in inputs)
    if ids != sorted(f"{name}-{row}" for name in ("storm", "calm") for row in range(rows)):
        raise ChaosError(
            f"{len(ids):,} transactions are in the topic, of which {len(set(ids)):,} differ; {2 * rows:,} were sent"
        )
    topic = {number: _decisions(part) for number, part in run.records["decisions"].items()}
    logged = {number: [item for item in run.decisions.values() if item.source_partition == number] for number in topic}
    records = {
        (number, record.offset): (record.timestamp, record.value)
        for number, part in run.records["decisions"].items()
        for record in part
    }
    index = {run.transaction(place).transaction_id: where for place, where in run.index.items()}
    felt = recoveries_s(storm.faults_at_s, storm.samples, [index.get(f"storm-{row}", sys.maxsize - 1) for row in range(rows)])
    return Figures(
        kills=storm.kills,
        transactions=len(inputs),
        lost=lost(inputs, topic),
        duplicated=duplicated(topic.values()) + len(run.entries) - len(run.decisions),
        out_of_order=out_of_order(topic.values()) + out_of_order(logged.values()),
        differing=differing(run.of("storm"), run.of("calm")),
        unlogged=unlogged(records, run.entries),
        recovery_p99_s=round(percentile(felt, 0.99), 2),
    )


def _decisions(records: Sequence[object]) -> list[Decision]:
    return [Decision.FromString(record.value) for record in records]  # type: ignore[attr-defined]  # aiokafka ships no types


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser("make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long the storm lasts (%(default)g)")
    parser.add_argument("--rate", type=float, default=500.0, help="transactions a second (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of what is done to whom (%(default)s)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {line}\n")

    directory, result = BUILD / "chaos", BUILD / "chaos.json"
    result.unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "release").mkdir(parents=True)
    try:
        kafka = ApacheKafka(directory / "kafka", 3)
        release = trained(directory / "release", 1)
        found = chaos(directory / "chain", kafka, release, args.seconds, args.rate, args.seed, say)
    except (ChaosError, DemoError, StreamError, StartError, AssertionError) as error:
        sys.stderr.write(f"chaos: {error}\nThe services' logs are in {directory / 'chain' / 'logs'}.\n")
        return 1
    result.write_text(json.dumps(found.document(), indent=2) + "\n")
    sys.stdout.write(result.read_text())
    if not found.held:
        sys.stderr.write(f"chaos: something went wrong. The services' logs are in {directory / 'chain' / 'logs'}.\n")
    return 0 if found.held else 1


if __name__ == "__main__":
    sys.exit(main())
