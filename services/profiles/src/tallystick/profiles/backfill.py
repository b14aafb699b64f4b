"""A history that is in no topic, from a Parquet file: transactions whose labels are known, as updates of their own.

Its records' offsets are the file's rows, and its source the file's digest: run again, it changes nothing. Run it before the
first transaction comes; once the watermark has passed a transaction's time and the delay, that is left out as too late.
"""

from hashlib import file_digest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tallystick.profiles.settings import ProfilesSettings
from tallystick.profiles.topics import UPDATES, partitioner
from tallystick.profiles.updates import Gathered
from tallystick.runtime import kafka
from tallystick.trust.profiles.entries import MERCHANT, TERMINAL, Entry, identify

_ROWS = 20_000
_NEEDED = ("transaction_id", "customer_id", "event_time_ms", "fraud")
_SUBJECTS = (("terminal_id", TERMINAL), ("merchant_id", MERCHANT))


class BackfillError(ValueError):
    """The file cannot be taken, or Kafka does not take it; the message says why."""


async def fill(settings: ProfilesSettings, file: Path, shift_ms: int, until_ms: int | None) -> int:
    """Write a file's transactions and labels as updates; return how many transactions.

    Raises:
        BackfillError: if the file is not one, or Kafka does not answer.
        OSError: if it cannot be read.
    """
    with file.open("rb") as opened:
        source = f"history/{file_digest(opened, 'sha256').hexdigest()}"
    rows = _rows(file)
    producer = kafka.producer(settings, max_request_size=8 << 20)
    try:
        await producer.start()
        try:
            partitions = len(await producer.partitions_for(UPDATES))
            return await _send(producer, partitions, source, rows, shift_ms, until_ms)
        finally:
            await producer.stop()
    except KafkaError as error:
        raise BackfillError(f"Kafka: {error}") from error


async def _send(
    producer: AIOKafkaProducer, partitions: int, source: str, rows: pa.Table, shift_ms: int, until_ms: int | None
) -> int:
    gathered, count = Gathered(partitions, partitioner(partitions)), 0
    for first in range(0, rows.num_rows, _ROWS):
        for place, row in enumerate(rows.slice(first, _ROWS).to_pylist(), start=first):
            time_ms = row["event_time_ms"] + shift_ms
            if until_ms is not None and time_ms >= until_ms:
                continue
            count += 1
            subjects = [prefix + str(row[name]).encode() for name, prefix in _SUBJECTS if row.get(name) not in (None, "")]
            entry = Entry(subjects, identify(str(row["customer_id"]), str(row["transaction_id"])), time_ms // 1000)
            gathered.add(source, 0, 2 * place, entry)
            if row["fraud"]:
                gathered.add(source, 1, 2 * place + 1, entry._replace(labelled_at_ms=time_ms, fraud=True))
        if gathered.entries:
            for number, value in enumerate(gathered.take(0, {})):
                await producer.send_and_wait(UPDATES, value, partition=number)
    return count


def _rows(file: Path) -> pa.Table:
    try:
        names = pq.read_schema(file).names
        missing = [name for name in (*_NEEDED, "terminal_id") if name not in names]
        if missing:
            raise BackfillError(f"{file} has no column {', '.join(missing)}")
        wanted = [name for name in (*_NEEDED, "terminal_id", "merchant_id") if name in names]
        return pq.read_table(file, columns=wanted)
    except pa.ArrowInvalid as error:
        raise BackfillError(f"{file}: not a Parquet file of transactions: {error}") from error
