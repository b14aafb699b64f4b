"""The peer of scoring: read batches, write the same bytes, nothing else. Prints the seconds that it took."""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

BATCH_BYTES = 900_000


async def copy(bootstrap: str, source: str, target: str, records: int) -> float:
    """Copy so many records, partition by partition as they come, and wait until all are acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20)
    async with producer, consumer:
        partitions = [TopicPartition(source, number) for number in sorted(await producer.partitions_for(source))]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        acknowledgements = []
        copied, started = 0, time.perf_counter()
        while copied < records:
            for where, batch in (await consumer.getmany(timeout_ms=100, max_records=2_000)).items():
                builder = producer.create_batch()
                for record in batch:
                    while builder.append(timestamp=record.timestamp, key=record.key, value=record.value) is None:
                        acknowledgements.append(await producer.send_batch(builder, target, partition=where.partition))
                        builder = producer.create_batch()
                acknowledgements.append(await producer.send_batch(builder, target, partition=where.partition))
                copied += len(batch)
        await asyncio.gather(*acknowledgements)
        return time.perf_counter() - started


if __name__ == "__main__":
    print(asyncio.run(copy(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))))
