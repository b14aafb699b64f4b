"""Labels into Kafka, as a bank's fraud desk would send them: days after the transactions."""

import numpy as np
import pyarrow as pa
from aiokafka.errors import KafkaError
from numpy.typing import NDArray

from tallystick.cli.stream.sending import StreamError
from tallystick.contracts import Label, Verdict
from tallystick.runtime.kafka import producer
from tallystick.runtime.settings import KafkaSettings

LABELS = "labels"
KNOWN_AFTER_MS = 6 * 24 * 3600 * 1000
"""How long after a fraud its verdict is reached."""


async def send_labels(kafka: KafkaSettings, table: pa.Table, fraud: NDArray[np.bool_], shift_ms: int, now_ms: int) -> int:
    """Send the labels of a table's frauds whose verdict is reached by now, keyed by customer id; return how many.

    Args:
        kafka: the brokers.
        table: transactions (`tallystick.cli.stream.columns`), with terminals if there are any.
        fraud: which of them are fraud.
        shift_ms: what is added to every event time.
        now_ms: the present, in milliseconds since 1970-01-01T00:00:00Z.

    Raises:
        StreamError: Kafka did not take all of it.
    """
    due = table["event_time_ms"].to_numpy() + shift_ms + KNOWN_AFTER_MS <= now_ms
    rows = table.take(np.flatnonzero(fraud & due)).to_pylist()
    try:
        async with producer(kafka) as sender:
            sent = [await sender.send(LABELS, _label(row, shift_ms), row["customer_id"].encode()) for row in rows]
            for acknowledged in sent:
                await acknowledged
    except (KafkaError, OSError) as error:
        raise StreamError(f"Kafka at {kafka.kafka_bootstrap}: {error}; not all labels were acknowledged") from error
    return len(rows)


def _label(row: dict[str, str | int | None], shift_ms: int) -> bytes:
    time_ms = int(row["event_time_ms"] or 0) + shift_ms
    return Label(
        transaction_id=str(row["transaction_id"]),
        customer_id=str(row["customer_id"]),
        verdict=Verdict.VERDICT_FRAUD,
        labelled_at_ms=time_ms + KNOWN_AFTER_MS,
        event_time_ms=time_ms,
        terminal_id=str(row.get("terminal_id") or ""),
        merchant_id=str(row.get("merchant_id") or ""),
    ).SerializeToString()
