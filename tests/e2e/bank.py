"""What the tests' bank sends: small, made-up transactions whose frauds a model can learn in a second."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from aiokafka.partitioner import murmur2

from tallystick.cli.stream import Shift, StreamReport, StreamSettings, stream_table
from tallystick.cli.stream.columns import transaction_table
from tallystick.contracts import Transaction
from tallystick.runtime.kafka import producer
from tallystick.runtime.settings import KafkaSettings

DAY_MS = 86_400_000
TRAINING_DAYS = 30
FRAUD_FROM_MINOR = 20_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A record for Kafka, as it is to be."""

    value: bytes | None
    key: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None


def now_ms() -> int:
    """Return the time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def write_training_file(path: Path, seed: int = 1) -> None:
    """Write a month of labelled transactions: what costs much is fraud, nearly always."""
    random = np.random.default_rng(seed)
    rows = 9_000
    time_ms = np.sort(random.integers(0, TRAINING_DAYS * DAY_MS, rows)) + 1_700_006_400_000
    amount = _amounts(random, rows)
    columns = {
        "transaction_id": np.arange(rows),
        "customer_id": random.integers(0, 200, rows),
        "amount_cents": amount,
        "currency": pa.repeat("EUR", rows),
        "event_time_ms": time_ms,
        "fraud": (amount >= FRAUD_FROM_MINOR) & (random.random(rows) < 0.97),
    }
    pq.write_table(pa.table(columns), path)


def transactions(rows: int, name: str, seed: int = 2, end_ms: int | None = None, customers: int = 400) -> pa.Table:
    """Make transactions of the last two days in order of time; `name` tells customers and ids of several tables apart.

    But for `name` and `end_ms`, the same seed makes the same transactions.
    """
    random = np.random.default_rng(seed)
    ago = np.sort(random.integers(0, 2 * DAY_MS, rows))[::-1]
    who = random.integers(0, customers, rows)
    return transaction_table(
        {
            "transaction_id": pa.array([f"{name}-{number}" for number in range(rows)]),
            "customer_id": pa.array([f"{name}-c{number}" for number in who]),
            "amount_minor": pa.array(_amounts(random, rows)),
            "currency": pa.repeat("EUR", rows),
            "event_time_ms": pa.array((now_ms() if end_ms is None else end_ms) - ago),
        }
    )


async def stream(kafka: KafkaSettings, table: pa.Table, rate: float | None = None) -> StreamReport:
    """Send a table with its own times, at most `rate` transactions a second."""
    return await stream_table(table, StreamSettings(kafka=kafka, shift=Shift.NONE, rate=rate))


async def send(kafka: KafkaSettings, records: Sequence[Sent], topic: str = "transactions") -> None:
    """Send records as they are, in order; without a partition of its own, each goes where its key belongs."""
    async with producer(kafka) as sender:
        partitions = len(await sender.partitions_for(topic))
        for record in records:
            # A batch made by hand: `send` refuses what others may well send, a null key with a null value.
            batch = sender.create_batch()
            headers = list(record.headers)
            batch.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=headers)
            partition = partition_of(record.key or b"", partitions) if record.partition is None else record.partition
            await (await sender.send_batch(batch, topic, partition=partition))


def partition_of(key: bytes, partitions: int = 4) -> int:
    """Return the partition that a key belongs on."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def sound(name: str, timestamp_ms: int, amount_minor: int = 1_234) -> Sent:
    """Return a transaction that nothing is wrong with, of a customer of its own."""
    return sent(Transaction(transaction_id=name, customer_id=name, amount_minor=amount_minor, currency="EUR"), timestamp_ms)


def sent(transaction: Transaction, timestamp_ms: int) -> Sent:
    """Return a transaction as a record, its event time set to the record's."""
    whole = Transaction(event_time_ms=timestamp_ms)
    whole.MergeFrom(transaction)
    return Sent(whole.SerializeToString(), whole.customer_id.encode(), timestamp_ms)


def _amounts(random: np.random.Generator, rows: int) -> np.typing.NDArray[np.int64]:
    return np.clip(random.lognormal(8.3, 1.0, rows), 100, 500_000).astype(np.int64)
