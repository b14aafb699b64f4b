"""What the log itself says of the run: speed, time to provable, fraud caught. Nothing is taken from the services' word."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from aiokafka import AIOKafkaConsumer, TopicPartition
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import DemoError
from tallystick.cli.stream.partitioning import partitions_of
from tallystick.contracts import Decision, LogEntry, Outcome
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note
from tallystick.runtime.kafka import consumer, read_to_end
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.policy import TrustPolicy

_TOLD_S = 30.0


@dataclass(frozen=True, slots=True)
class Decided:
    """Every decision of the run, as columns in the log's order.

    Attributes:
        checkpoint: the log's head that they were read under.
        decisions: the decisions.
        logged_ms: their records' Kafka time stamps: when scoring emitted them.
        published: (time in ms, log size) of each published checkpoint.
    """

    checkpoint: Checkpoint
    decisions: list[Decision]
    logged_ms: NDArray[np.int64]
    published: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figures:
    """The run in numbers; no average precision without a fraud."""

    transactions: int
    decisions: int
    rejected: int
    log_size: int
    root: str
    decisions_per_s: float
    provable_p50_ms: float
    provable_p99_ms: float
    average_precision: float | None
    fraud: int
    fraud_declined: int
    fraud_reviewed: int
    genuine_declined: int
    genuine_reviewed: int


def read_log(platform: Platform) -> Decided:
    """Read the whole decisions' log under its verified checkpoint, and the times of all checkpoints."""
    return asyncio.run(_read_log(platform))


async def _read_log(platform: Platform) -> Decided:
    policy = TrustPolicy.load(platform.policy)
    async with LogReader(f"{platform.log_url}/decisions") as log:
        verified = policy.log_policy.verify_checkpoint(await log.checkpoint(), policy.decisions_origin)
        size = verified.checkpoint.size
        entries = [LogEntry.FromString(entry) for entry in await log.entries(0, size, size)]
    async with consumer(platform.kafka) as reader:
        heads = await _published(reader, policy.decisions_origin, size)
    return Decided(
        verified.checkpoint,
        [Decision.FromString(entry.value) for entry in entries],
        np.array([entry.timestamp_ms for entry in entries], np.int64),
        np.array(heads, np.int64).reshape(-1, 2),
    )


async def _published(reader: AIOKafkaConsumer, origin: str, size: int) -> list[tuple[int, int]]:
    """Return (time in ms, log size) of a log's checkpoints up to the one that covers `size`, which is told to Kafka last."""
    deadline = time.monotonic() + _TOLD_S
    while True:
        records = await read_to_end(reader, TopicPartition("checkpoints", 0), 0)
        texts = [(record.timestamp, Note.parse(record.value).text) for record in records if record.key == origin.encode()]
        heads = [(timestamp, Checkpoint.parse(text).size) for timestamp, text in texts]
        if any(logged >= size for _, logged in heads):
            return heads
        if time.monotonic() > deadline:
            raise DemoError(f"the checkpoint of {size:,} entries is not in the topic `checkpoints` after {_TOLD_S:.0f} s")
        await asyncio.sleep(0.1)


def rows_of(decided: Decided, table: pa.Table, partitions: int) -> NDArray[np.int64]:
    """Return each decision's row in the streamed table: a partition's records keep the table's order."""
    partition = partitions_of(table["customer_id"].combine_chunks(), partitions)
    order = [np.flatnonzero(partition == number) for number in range(partitions)]
    return np.array([order[item.source_partition][item.source_offset] for item in decided.decisions], np.int64)


def figures(decided: Decided, fraud: NDArray[np.bool_], transactions: int, started_s: float) -> Figures:
    """Return the run in numbers.

    Args:
        decided: the log.
        fraud: by decision, whether the transaction was fraud.
        transactions: how many were streamed.
        started_s: when streaming began, seconds since 1970.
    """
    sizes, times_ms = decided.published[:, 1], decided.published[:, 0]
    # Entry i is provable once a checkpoint of more than i entries is published.
    provable_ms = times_ms[np.searchsorted(sizes, np.arange(len(decided.decisions)), side="right")]
    waited = provable_ms - decided.logged_ms
    outcome = np.array([item.outcome for item in decided.decisions])
    margins = np.array([item.margin_bits for item in decided.decisions], np.uint32).view(np.float32)
    scored = outcome != Outcome.OUTCOME_REJECTED
    declined, reviewed = outcome == Outcome.OUTCOME_DECLINE, outcome == Outcome.OUTCOME_REVIEW
    p50, p99 = np.percentile(waited, [50, 99])
    return Figures(
        transactions=transactions,
        decisions=len(decided.decisions),
        rejected=int((~scored).sum()),
        log_size=decided.checkpoint.size,
        root=decided.checkpoint.root.hex(),
        decisions_per_s=round(len(decided.decisions) / (int(provable_ms[-1]) / 1000 - started_s), 1),
        provable_p50_ms=float(p50),
        provable_p99_ms=float(p99),
        average_precision=_average_precision(fraud[scored], margins[scored]),
        fraud=int(fraud.sum()),
        fraud_declined=int((fraud & declined).sum()),
        fraud_reviewed=int((fraud & reviewed).sum()),
        genuine_declined=int((~fraud & declined).sum()),
        genuine_reviewed=int((~fraud & reviewed).sum()),
    )


def _average_precision(fraud: NDArray[np.bool_], margins: NDArray[np.float32]) -> float | None:
    return round(float(average_precision_score(fraud, margins)), 4) if fraud.any() else None
