"""The peer of scoring that decides nothing: aiokafka reads batches and writes as many records, of a size or as they came.

    python -m tests.bench.bare_loop BOOTSTRAP SOURCE TARGET[:BYTES]... [--transactional-id ID] [--from-end]

Says `ready` when it stands where it begins; runs until it is ended. As in scoring, one batch is on its way out while the next
is read; with a transactional id each batch is one transaction, and only committed records are read.
"""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

BATCH_BYTES = 900_000
BATCH_RECORDS = 2_000


class Target(NamedTuple):
    """Where records go, and with which value: None for the one that they came with."""

    topic: str
    value: bytes | None

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Read `TOPIC` or `TOPIC:BYTES`."""
        topic, _, size = text.partition(":")
        return cls(topic, bytes(int(size)) if size else None)


async def run(bootstrap: str, source: str, targets: Sequence[Target], transactional_id: str | None, from_end: bool) -> None:
    """Copy until cancelled."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        transactional_id=transactional_id,
    )
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
        fetch_max_wait_ms=100,
        isolation_level="read_committed" if transactional_id else "read_uncommitted",
    )
    async with producer, consumer:
        partitions = [TopicPartition(source, number) for number in sorted(await producer.partitions_for(source))]
        consumer.assign(partitions)
        await (consumer.seek_to_end if from_end else consumer.seek_to_beginning)(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        print("ready", flush=True)
        underway: list[asyncio.Future[Any]] = []
        while True:
            batches = await consumer.getmany(timeout_ms=100, max_records=BATCH_RECORDS)
            if not batches:
                continue
            if transactional_id is None:
                before, underway = underway, await _send(producer, targets, batches)
                await asyncio.gather(*before)
            else:
                async with producer.transaction():
                    await _send(producer, targets, batches)


async def _send(
    producer: AIOKafkaProducer, targets: Sequence[Target], batches: dict[TopicPartition, list[ConsumerRecord]]
) -> list[asyncio.Future[Any]]:
    sent = []
    for target in targets:
        for where, records in batches.items():
            batch = producer.create_batch()
            for record in records:
                value = target.value or record.value
                while batch.append(timestamp=record.timestamp, key=None, value=value) is None:
                    sent.append(await producer.send_batch(batch, target.topic, partition=where.partition))
                    batch = producer.create_batch()
            sent.append(await producer.send_batch(batch, target.topic, partition=where.partition))
    return sent


def main() -> None:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("source")
    parser.add_argument("targets", nargs="+", type=Target.parse)
    parser.add_argument("--transactional-id")
    parser.add_argument("--from-end", action="store_true")
    args = parser.parse_args()
    asyncio.run(run(args.bootstrap, args.source, args.targets, args.transactional_id, args.from_end))


if __name__ == "__main__":
    main()
