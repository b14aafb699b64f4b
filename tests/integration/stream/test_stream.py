"""Transactions from files, as they arrive in Kafka."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.partitioner import murmur2

from tallystick.cli.stream import Shift, StreamError, StreamSettings, read_transactions, stream_table
from tallystick.cli.stream.shifting import WEEK_MS
from tallystick.contracts import Transaction
from tallystick.embedded import Tansu
from tallystick.runtime.kafka import consumer, read_to_end
from tallystick.runtime.settings import KafkaSettings

from .conftest import MakeTopic

PARTITIONS = 4
ROWS = 30_000
START_MS = 1_525_564_800_000


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file of transactions of 500 customers, in time order."""
    generator = np.random.default_rng(7)
    path = tmp_path_factory.mktemp("data") / "transactions.parquet"
    columns = {
        "transaction_id": np.arange(ROWS),
        "customer_id": generator.integers(0, 500, ROWS),
        "terminal_id": generator.integers(0, 900, ROWS),
        "amount_cents": generator.integers(0, 50_000, ROWS),
        "event_time_ms": START_MS + np.sort(generator.integers(0, 11 * 86_400_000, ROWS)),
        "currency": pa.repeat("EUR", ROWS),
    }
    pq.write_table(pa.table(columns), path)
    return path


async def read_all(kafka: KafkaSettings, topic: str, partitions: int = PARTITIONS) -> list[list[ConsumerRecord]]:
    """Read each partition of a topic."""
    reader = consumer(kafka)
    await reader.start()
    try:
        return [await read_to_end(reader, TopicPartition(topic, partition), 0) for partition in range(partitions)]
    finally:
        await reader.stop()


def tallystick_stream(broker: Tansu, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [str(Path(sys.executable).with_name("tallystick")), "stream", "--kafka", broker.address, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


async def test_every_transaction_arrives_once_in_its_partition_in_order(
    kafka: KafkaSettings, make_topic: MakeTopic, parquet: Path
) -> None:
    """Key, partition, time stamp and value are the transaction's, and each partition keeps the file's order."""
    topic = await make_topic(PARTITIONS)
    seen: list[tuple[int, int]] = []
    table = read_transactions(parquet).table
    settings = StreamSettings(kafka, topic=topic, shift=Shift.NONE)
    report = await stream_table(table, settings, progress=lambda done, total: seen.append((done, total)))
    assert (report.transactions, report.partitions, report.shift_ms) == (ROWS, PARTITIONS, 0)
    assert seen[-1] == (ROWS, ROWS)
    assert seen == sorted(seen)
    expected = {row["transaction_id"]: row for row in table.to_pylist()}
    arrived = []
    for partition, records in enumerate(await read_all(kafka, topic)):
        numbers = []
        for record in records:
            transaction = Transaction.FromString(record.value)
            row = expected[transaction.transaction_id]
            assert {name: getattr(transaction, name) for name in row} == row
            assert record.key == row["customer_id"].encode()
            assert record.timestamp == row["event_time_ms"]
            assert record.headers == ()
            assert (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS == partition
            numbers.append(int(transaction.transaction_id))
        assert numbers == sorted(numbers)
        arrived += numbers
    assert sorted(arrived) == list(range(ROWS))


@pytest.mark.parametrize("shift", [Shift.TO_NOW, Shift.WHOLE_WEEKS])
async def test_the_stream_ends_now_and_time_stamps_move_with_event_times(
    kafka: KafkaSettings, make_topic: MakeTopic, parquet: Path, shift: Shift
) -> None:
    """All times move by the same amount; by whole weeks the last is within the last seven days."""
    topic = await make_topic(PARTITIONS)
    now_ms = time.time_ns() // 1_000_000
    table = read_transactions(parquet).table.slice(0, 2_000)
    report = await stream_table(table, StreamSettings(kafka, topic=topic, shift=shift, now_ms=now_ms))
    records = [record for records in await read_all(kafka, topic) for record in records]
    moved = {record.timestamp for record in records}
    assert moved == {int(time_ms) + report.shift_ms for time_ms in table["event_time_ms"].to_numpy()}
    assert all(Transaction.FromString(record.value).event_time_ms == record.timestamp for record in records)
    assert (max(moved) == now_ms) if shift is Shift.TO_NOW else (report.shift_ms % WEEK_MS == 0)
    assert 0 <= now_ms - max(moved) < WEEK_MS
    assert report.last_event_ms == max(moved)


async def test_json_records_say_so(kafka: KafkaSettings, make_topic: MakeTopic, parquet: Path) -> None:
    """JSON values carry the content type by which scoring reads them."""
    topic = await make_topic(PARTITIONS)
    table = read_transactions(parquet).table.slice(0, 100)
    await stream_table(table, StreamSettings(kafka, topic=topic, form="json", shift=Shift.NONE))
    records = [record for records in await read_all(kafka, topic) for record in records]
    assert {record.headers for record in records} == {(("content-type", b"application/json"),)}
    assert sorted(int(json.loads(record.value)["transactionId"]) for record in records) == list(range(100))


async def test_a_rate_is_kept(kafka: KafkaSettings, make_topic: MakeTopic, parquet: Path) -> None:
    """At 1,000 a second, 500 transactions take about half a second."""
    topic = await make_topic(PARTITIONS)
    table = read_transactions(parquet).table.slice(0, 500)
    report = await stream_table(table, StreamSettings(kafka, topic=topic, rate=1_000))
    assert 0.4 < report.elapsed_s < 30


async def test_an_empty_table_is_no_error(kafka: KafkaSettings, make_topic: MakeTopic, parquet: Path) -> None:
    """Nothing to send is sent."""
    report = await stream_table(read_transactions(parquet).table.slice(0, 0), StreamSettings(kafka, topic=await make_topic(1)))
    assert (report.transactions, report.last_event_ms) == (0, None)


async def test_a_topic_that_is_not_there_is_not_made(kafka: KafkaSettings, parquet: Path) -> None:
    """A misspelt topic is an error, also on a broker that would make it."""
    table = read_transactions(parquet).table.slice(0, 10)
    for _ in range(2):
        with pytest.raises(StreamError, match="there is no topic transaction5; 0 of 10"):
            await stream_table(table, StreamSettings(kafka, topic="transaction5"))


async def test_a_broker_that_is_not_there_is_said(parquet: Path) -> None:
    """The error names the address."""
    table = read_transactions(parquet).table.slice(0, 10)
    with pytest.raises(StreamError, match=r"127\.0\.0\.1:9"):
        await stream_table(table, StreamSettings(KafkaSettings(kafka_bootstrap="127.0.0.1:9")))


async def test_the_command_streams_a_part(broker: Tansu, kafka: KafkaSettings, make_topic: MakeTopic, parquet: Path) -> None:
    """`tallystick stream FILE --limit N --whole-weeks --json` sends the first N and reports as JSON."""
    topic = await make_topic(PARTITIONS)
    options = ("--topic", topic, "--limit", "1500", "--whole-weeks", "--json")
    done = await asyncio.to_thread(tallystick_stream, broker, str(parquet), *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["transactions"] == 1_500
    assert sum(map(len, await read_all(kafka, topic))) == 1_500


async def test_bad_lines_stop_the_command_unless_told_to_keep_going(
    broker: Tansu, kafka: KafkaSettings, make_topic: MakeTopic, tmp_path: Path
) -> None:
    """A bad line is named and nothing is sent; with `--keep-going` the good ones are."""
    topic = await make_topic(1)
    good: dict[str, Any] = {"customerId": "c", "amountMinor": "5", "currency": "EUR", "eventTimeMs": "1525564800000"}
    lines = [json.dumps(good | {"transactionId": str(number)}) for number in range(5)]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join([*lines[:2], '{"nonsense": 1}', *lines[2:]]) + "\n")
    refused = await asyncio.to_thread(tallystick_stream, broker, str(path), "--topic", topic)
    assert refused.returncode == 1
    assert "lines.jsonl:3: unknown field 'nonsense'" in refused.stderr
    assert sum(map(len, await read_all(kafka, topic, 1))) == 0
    done = await asyncio.to_thread(tallystick_stream, broker, str(path), "--topic", topic, "--keep-going")
    assert done.returncode == 0, done.stderr
    assert sum(map(len, await read_all(kafka, topic, 1))) == 5


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["/nowhere.parquet"], 2),
        (["x", "--rate", "0"], 2),
        (["x", "--no-shift", "--whole-weeks"], 2),
        (["x", "--limit", "-1"], 2),
    ],
)
def test_usage_errors_exit_with_2(broker: Tansu, arguments: list[str], code: int) -> None:
    """A file that cannot be read and options that make no sense are usage errors."""
    assert tallystick_stream(broker, *arguments).returncode == code


async def test_a_file_without_a_transaction_is_said_once(broker: Tansu, make_topic: MakeTopic, tmp_path: Path) -> None:
    """A file of which every line is bad, such as CSV, is one sentence with the first line's reason."""
    path = tmp_path / "transactions.csv"
    path.write_text("transaction_id,customer_id\n" + "1,2\n" * 1_000)
    done = tallystick_stream(broker, str(path), "--topic", await make_topic(1))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "not one transaction in 1,001 lines, so nothing was sent" in done.stderr
    assert "line 1: not JSON" in done.stderr


def test_brokers_are_asked_before_the_file_is_read(tmp_path: Path) -> None:
    """Where nobody listens, one sentence says so within seconds, whatever the file holds."""
    path = tmp_path / "transactions.jsonl"
    path.write_text("not read\n")
    nobody = Tansu(tmp_path)  # not started: a port that nobody listens on
    started = time.monotonic()
    done = tallystick_stream(nobody, str(path))
    assert time.monotonic() - started < 60
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"tallystick stream: nobody answers as Kafka at {nobody.address}: is that its address, and does it run?\n"
    )
