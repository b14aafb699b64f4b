"""What the benches run on: a slice of the card stream, and a platform whose model is in force before the slice begins."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import activate, publish, train, wait_until
from tallystick.cli.demo.story import FIRST_STREAMED_DAY, TRAINING_DAYS
from tallystick.cli.simulate import generate, write_parquet
from tallystick.cli.stream import Shift, read_transactions, shift_ms
from tallystick.embedded import ApacheKafka

PER_DAY = 9_585  # of the card stream


@dataclass(frozen=True, slots=True)
class Release:
    """What a trainer has made: a folder, and the digests of the model and the policy in it."""

    folder: Path
    model_digest: str
    policy_digest: str


@dataclass(frozen=True, slots=True)
class Material:
    """A release to publish, the transactions to stream, and the file that both come from."""

    release: Release
    table: pa.Table
    data: Path


def prepare(directory: Path, transactions: int) -> Material:
    """Generate the card stream and train on its first weeks."""
    data = directory / "handbook.parquet"
    write_parquet(generate(), data)
    table = read_transactions(data).table.slice(FIRST_STREAMED_DAY * PER_DAY, transactions)
    return Material(release(data, TRAINING_DAYS, directory / "release"), table, data)


def release(data: Path, days: tuple[int, int], folder: Path) -> Release:
    """Train on some days of a file."""
    said = train(data, days, folder, "card-1")
    return Release(folder, said["model_digest"], said["policy_digest"])


@contextmanager
def platform(
    material: Material, now_ms: int, extra: Mapping[str, Mapping[str, str]] | None = None, *, apache: bool = False
) -> Iterator[Platform]:
    """Give a fresh platform that is ready to decide the material's transactions, on Apache Kafka if that is asked for."""
    with TemporaryDirectory(prefix="tallystick-bench-") as directory:
        Path(directory).chmod(0o755)  # PostgreSQL runs as another user when this is root
        kafka = ApacheKafka(Path(directory) / "kafka", heap_mb=1_024) if apache else None
        with Platform(Path(directory) / "platform", kafka=kafka, extra=extra) as running:
            running.wait_live()
            wait_until(lambda: bool(running.health("notary")["ready"]), "the notary")
            publish(running, material.release.folder, "ada")
            times = material.table["event_time_ms"]
            first_ms = times[0].as_py() + shift_ms(Shift.WHOLE_WEEKS, times[-1].as_py(), now_ms)
            activate(running, material.release.model_digest, material.release.policy_digest, first_ms)
            wait_until(lambda: bool(running.health("scoring")["ready"]), "scoring")
            time.sleep(1)  # let start-up's work end
            yield running
