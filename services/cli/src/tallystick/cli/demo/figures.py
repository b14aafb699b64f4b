"""What the logs themselves say of the run: speed, time to provable, fraud caught. Nothing is taken from the services' word."""

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
from tallystick.contracts import Decision, EntryKind, LogEntry, Outcome, ReasonCode
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note
from tallystick.runtime.kafka import consumer, read_to_end
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.policy import TrustPolicy, log_name

_TOLD_S = 30.0


@dataclass(frozen=True, slots=True)
class Decided:
    """Every decision of the run, as columns: log by log, each in its order.

    Attributes:
        checkpoints: the logs' heads that they were read under.
        decisions: the decisions.
        logged_ms: their records' Kafka time stamps: when scoring emitted them.
        provable_ms: when the first checkpoint that covers each was published.
    """

    checkpoints: list[Checkpoint]
    decisions: list[Decision]
    logged_ms: NDArray[np.int64]
    provable_ms: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figures:
    """The run in numbers; no average precision without a fraud.

    `stale` counts decisions on profiles that were not final; `log_size` is of all decisions' logs; `root` is the first one's,
    `roots` are all of them.
    """

    transactions: int
    decisions: int
    rejected: int
    log_size: int
    root: str
    roots: list[str]
    decisions_per_s: float
    provable_p50_ms: float
    provable_p99_ms: float
    average_precision: float | None
    stale: int
    fraud: int
    fraud_declined: int
    fraud_reviewed: int
    genuine_declined: int
    genuine_reviewed: int


def read_logs(platform: Platform) -> Decided:
    """Read the decisions' logs whole under their verified checkpoints, and the times of all checkpoints."""
    return asyncio.run(_read_logs(platform))


async def _read_logs(platform: Platform) -> Decided:
    policy = TrustPolicy.load(platform.policy)
    parts = [await _read_log(platform, policy, origin) for origin in policy.decisions_origins]
    return Decided(
        [checkpoint for part in parts for checkpoint in part.checkpoints],
        [decision for part in parts for decision in part.decisions],
        np.concatenate([part.logged_ms for part in parts]),
        np.concatenate([part.provable_ms for part in parts]),
    )


async def _read_log(platform: Platform, policy: TrustPolicy, origin: str) -> Decided:
    async with LogReader(f"{platform.log_url}/{log_name(origin)}") as log:
        checkpoint = policy.log_policy.verify_checkpoint(await log.checkpoint(), origin).checkpoint
        entries = [LogEntry.FromString(entry) for entry in await log.entries(0, checkpoint.size)]
    async with consumer(platform.kafka) as reader:
        heads = await _published(reader, origin, checkpoint.size)
    times_ms, sizes = np.array(heads, np.int64).reshape(-1, 2).T
    indexes = np.array([at for at, entry in enumerate(entries) if entry.kind == EntryKind.ENTRY_KIND_DECISION], np.int64)
    return Decided(
        [checkpoint],
        [Decision.FromString(entries[index].value) for index in indexes],
        np.array([entries[index].timestamp_ms for index in indexes], np.int64),
        # Entry i is provable once a checkpoint of more than i entries is published.
        times_ms[np.searchsorted(sizes, indexes, side="right")],
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
        decided: what the logs hold.
        fraud: by decision, whether the transaction was fraud.
        transactions: how many were streamed.
        started_s: when streaming began, seconds since 1970.
    """
    waited = decided.provable_ms - decided.logged_ms
    outcome = np.array([item.outcome for item in decided.decisions])
    margins = np.array([item.margin_bits for item in decided.decisions], np.uint32).view(np.float32)
    scored = outcome != Outcome.OUTCOME_REJECTED
    declined, reviewed = outcome == Outcome.OUTCOME_DECLINE, outcome == Outcome.OUTCOME_REVIEW
    p50, p99 = np.percentile(waited, [50, 99])
    return Figures(
        transactions=transactions,
        decisions=len(decided.decisions),
        rejected=int((~scored).sum()),
        log_size=sum(checkpoint.size for checkpoint in decided.checkpoints),
        root=decided.checkpoints[0].root.hex(),
        roots=[checkpoint.root.hex() for checkpoint in decided.checkpoints],
        decisions_per_s=round(len(decided.decisions) / (int(decided.provable_ms.max()) / 1000 - started_s), 1),
        provable_p50_ms=float(p50),
        provable_p99_ms=float(p99),
        average_precision=_average_precision(fraud[scored], margins[scored]),
        stale=sum(ReasonCode.REASON_CODE_PROFILE_STALE in decision.reasons for decision in decided.decisions),
        fraud=int(fraud.sum()),
        fraud_declined=int((fraud & declined).sum()),
        fraud_reviewed=int((fraud & reviewed).sum()),
        genuine_declined=int((~fraud & declined).sum()),
        genuine_reviewed=int((~fraud & reviewed).sum()),
    )


def _average_precision(fraud: NDArray[np.bool_], margins: NDArray[np.float32]) -> float | None:
    return round(float(average_precision_score(fraud, margins)), 4) if fraud.any() else None
