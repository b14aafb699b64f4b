"""Latency in an open loop: records leave when they are due, whether or not what went before has come back.

A record's latency runs from when it was due, so that a generator or a service that falls behind is seen and not left out
(Gil Tene, "How NOT to Measure Latency": coordinated omission). Of each partition the n-th record in is the n-th record out.
"""

import gc
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from tallystick.cli.stream import encode_transactions
from tallystick.cli.stream.partitioning import partitions_of

from .arrivals import client, ends_of

WARM_S = 3.0
MEASURED_S = 15.0
_AHEAD_S = 0.5
_STILL_S = 30.0
_QUEUE = 1_000_000  # the generator never waits
_MS = 1_000


class LostError(RuntimeError):
    """Not everything that was sent came back."""


class Outgoing(NamedTuple):
    """One record to be sent."""

    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int


Times = Sequence[Sequence[float]]
"""By partition, in the partition's order, on one clock."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What was seen after the warm-up, in milliseconds."""

    p50_ms: float
    p99_ms: float
    p999_ms: float


def outgoing(table: pa.Table, partitions: int) -> list[Outgoing]:
    """Return a table's transactions as records, each time-stamped with its event time."""
    customers = table["customer_id"].combine_chunks().cast(pa.binary())
    where = partitions_of(customers, partitions).tolist()
    values, times_ms = encode_transactions(table.combine_chunks()), table["event_time_ms"].to_numpy().tolist()
    return [Outgoing(*record) for record in zip(where, customers.to_numpy(zero_copy_only=False), values, times_ms, strict=True)]


def open_loop(
    bootstrap: str, records: Sequence[Outgoing], per_s: float, source: str, target: str, partitions: int
) -> tuple[Times, Times]:
    """Send the records at a steady rate and return by partition when each was due and when it came out, in seconds.

    Raises:
        LostError: if for half a minute nothing comes out any more, and some are missing.
        KafkaException: if Kafka refuses.
    """
    producer = Producer(client(bootstrap) | {"linger.ms": 0, "acks": "all", "queue.buffering.max.messages": _QUEUE})
    producer.list_topics(source, timeout=10)
    with _receiving(bootstrap, target, partitions) as arrivals, _no_collection():
        due = _send(producer, source, records, per_s, partitions)
        missing, moved_s = len(records), time.perf_counter()
        while missing:
            before, missing = missing, len(records) - sum(map(len, arrivals))
            if missing < before:
                moved_s = time.perf_counter()
            elif time.perf_counter() - moved_s > _STILL_S:
                raise LostError(f"{missing:,} of {len(records):,} records have not come out of {target}")
            time.sleep(0.05)
    producer.flush()
    return due, arrivals


def summary(due: Times, arrivals: Times) -> Latency:
    """Return the percentiles of the time from being due to coming out, without the warm-up's records."""
    due_s = np.concatenate([np.array(partition) for partition in due])
    taken_ms = (np.concatenate([np.array(partition) for partition in arrivals]) - due_s) * _MS
    counted = taken_ms[due_s >= due_s.min() + WARM_S]
    p50, p99, p999 = np.percentile(counted, (50, 99, 99.9), method="inverted_cdf").tolist()
    return Latency(p50, p99, p999)


def standstill_ms(due: Times, arrivals: Times, begin_s: float, end_s: float) -> float:
    """Return the longest time in which nothing came out, in milliseconds.

    Args:
        due: by partition, when each record was to leave.
        arrivals: by partition, when each came out.
        begin_s: counted from when the first record was due.
        end_s: the same.
    """
    first_s = min(partition[0] for partition in due if partition)
    came_s = np.sort(np.concatenate([np.array(partition) for partition in arrivals])) - first_s
    return float(np.diff(came_s[(came_s >= begin_s) & (came_s <= end_s)]).max() * _MS)


def _send(producer: Producer, topic: str, records: Sequence[Outgoing], per_s: float, partitions: int) -> list["array[float]"]:
    """Send each record once it is due; return by partition when they were."""
    due = [array("d") for _ in range(partitions)]
    begin_s = time.perf_counter() + _AHEAD_S
    for place, record in enumerate(records):
        due_s = begin_s + place / per_s
        if (early_s := due_s - time.perf_counter()) > 0:
            producer.poll(0)
            time.sleep(max(early_s, 0.001))  # what comes due meanwhile leaves together, late by what its latency says
        due[record.partition].append(due_s)
        producer.produce(topic, record.value, record.key, record.partition, timestamp=record.timestamp_ms)
    producer.poll(0)
    return due


@contextmanager
def _receiving(bootstrap: str, topic: str, partitions: int) -> Iterator[list["array[float]"]]:
    """Give by partition when records came, from now on."""
    consumer = Consumer(
        client(bootstrap)
        | {
            "group.id": "bench-latency",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 100,
        }
    )
    consumer.assign([TopicPartition(topic, number, end) for number, end in enumerate(ends_of(bootstrap, topic, partitions))])
    arrivals = [array("d") for _ in range(partitions)]
    done, failures = Event(), list[Exception]()

    def receive() -> None:
        while not done.is_set():
            message = consumer.poll(0.1)
            if message is None:
                continue
            if error := message.error():
                failures.append(KafkaException(error))
                return
            arrivals[message.partition() or 0].append(time.perf_counter())

    thread = Thread(target=receive, name="receiver")
    thread.start()
    try:
        yield arrivals
    finally:
        done.set()
        thread.join()
        consumer.close()
    if failures:
        raise failures[0]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from adding pauses of the measurement's own."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
