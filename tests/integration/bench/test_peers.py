"""The bench's peers compute what scoring computes, so that only their speed is compared."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tallystick.cli.stream import Shift, StreamSettings, stream_table
from tallystick.cli.stream.columns import transaction_table
from tallystick.contracts import Transaction
from tallystick.embedded import ApacheKafka
from tallystick.runtime.settings import KafkaSettings
from tallystick.trainer.data import Transactions
from tallystick.trainer.features import feature_matrix
from tallystick.trainer.schemas import read_schema
from tallystick.trainer.training import train_model
from tallystick.trust.features import FeatureSchema

from ...bench import margins
from ...bench.arrivals import Watch, create_topic, read
from ...bench.contestants import PEERS, Peer, Task, start
from ...bench.peers.app import observe

PARTITIONS = 2
ROWS, CUSTOMERS, DAYS = 1_200, 12, 70
FIRST_MS = 1_704_067_200_000  # 2024-01-01
DAY_MS = 86_400_000
NEEDS_MORE = {"quix", "streams"}  # an environment of its own, a build with Maven


@dataclass(frozen=True, slots=True)
class Case:
    """A stream with what scoring's features and a model make of it."""

    table: pa.Table
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    model: bytes
    margin_bits: dict[str, int]


@pytest.fixture(scope="module")
def case() -> Case:
    """Transactions by day and night, several at one time, over twice the longest window; and a model of them."""
    randomness = np.random.default_rng(4)
    times_ms = FIRST_MS + np.sort(randomness.integers(0, DAYS * 24, ROWS)) * 3_600_000
    customers, cents = randomness.integers(0, CUSTOMERS, ROWS), randomness.integers(0, 50_000, ROWS)
    names = [f"t{row}" for row in range(ROWS)]
    table = transaction_table(
        {
            "transaction_id": pa.array(names),
            "customer_id": pa.array(customers),
            "amount_minor": pa.array(cents),
            "currency": pa.repeat("EUR", ROWS),
            "event_time_ms": pa.array(times_ms),
        }
    )
    fraud = randomness.random(ROWS) < cents / 100_000
    matrix = feature_matrix(Transactions(times_ms, customers, cents, {}, fraud), FeatureSchema.parse(read_schema("card-1")))
    model = train_model(matrix, fraud, threads=1)
    return Case(table, matrix, model.file, dict(zip(names, model.margins(matrix).view(np.uint32).tolist(), strict=True)))


def test_the_python_peers_features_are_scorings(case: Case) -> None:
    """Every feature is the same float32, windows' edges and ties included."""
    histories: dict[str, list[object]] = {}
    found = [observe(histories.setdefault(row["customer_id"], []), Transaction(**row)) for row in case.table.to_pylist()]
    assert np.array_equal(np.array(found, np.float32).view(np.uint32), case.matrix.view(np.uint32))


@pytest.mark.timeout(600)  # what some need is made the first time
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.slug)
async def test_a_peers_margins_are_scorings(peer: Peer, case: Case, apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    """From the same bytes, with the same model, a peer writes the same margin of every transaction, once."""
    if peer.slug in NEEDS_MORE and os.environ.get("REQUIRE_ALL") != "1":
        pytest.skip("what this peer needs is made in CI and by the bench")
    source, target = f"transactions-{peer.slug}", f"scores-{peer.slug}"
    for topic in (source, target):
        create_topic(apache_kafka.bootstrap, topic, PARTITIONS)
    kafka = KafkaSettings(kafka_bootstrap=apache_kafka.bootstrap)
    await stream_table(case.table, StreamSettings(kafka=kafka, topic=source, shift=Shift.NONE))
    model = tmp_path / "model.json"
    model.write_bytes(case.model)
    watch = Watch(apache_kafka.bootstrap, target, PARTITIONS)
    child = start(peer, Task(apache_kafka.bootstrap, source, target, PARTITIONS, model, 0.0, 1.0, tmp_path), os.environ)
    try:
        watch.until({}, child, limit_s=60, enough=ROWS)
    finally:
        child.stop()
    scores = read(apache_kafka.bootstrap, target, PARTITIONS)
    assert sum(map(len, scores)) == ROWS
    margins.compare(peer.name, case.margin_bits, margins.of_peer(scores))
