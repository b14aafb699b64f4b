"""The card stream as Parquet: the recipe's columns, and those with which `tallystick stream` reads it as transactions."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tallystick.cli.simulate.stream import EPOCH_MS, CardStream

CURRENCY = "EUR"
ROW_GROUP_ROWS = 131_072


def to_table(stream: CardStream) -> pa.Table:
    """Return the stream as an Arrow table.

    Columns: transaction_id, time_seconds, customer_id, terminal_id, amount_cents (int64), fraud, scenario (int8) as the
    recipe has them; event_time_ms (int64) and currency (string) for `tallystick stream`.
    """
    return pa.table(
        {
            "transaction_id": stream.transaction_id,
            "time_seconds": stream.time_s,
            "customer_id": stream.customer,
            "terminal_id": stream.terminal,
            "amount_cents": stream.amount_cents,
            "fraud": stream.fraud,
            "scenario": stream.scenario,
            "event_time_ms": EPOCH_MS + stream.time_s * 1000,
            "currency": pa.repeat(CURRENCY, len(stream)),
        }
    )


def unfinished_path(path: Path) -> Path:
    """Return where a file is written before it takes its own name."""
    return path.with_name(path.name + ".part")


def write_parquet(stream: CardStream, path: Path) -> None:
    """Write the stream; the same stream and pyarrow give the same bytes, and a broken run leaves no half file.

    Raises:
        OSError: the file cannot be written.
    """
    unfinished = unfinished_path(path)
    pq.write_table(
        to_table(stream),
        unfinished,
        version="2.6",
        compression="zstd",
        compression_level=3,
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=["customer_id", "terminal_id", "currency", "fraud", "scenario"],  # type: ignore[arg-type]  # the stubs know only bool
        column_encoding={
            "transaction_id": "DELTA_BINARY_PACKED",
            "time_seconds": "DELTA_BINARY_PACKED",
            "event_time_ms": "DELTA_BINARY_PACKED",
            "amount_cents": "PLAIN",
        },
        store_schema=False,
    )
    unfinished.replace(path)
