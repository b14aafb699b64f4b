"""What a partition's subjects were when they were last published, from `profiles` itself.

Faust's own recovery is not used: it believes the broker's `ListOffsets`, stops short or waits for ever where that is wrong or a
compacted or deleted record stands at the end, and its RocksDB store leaves locks behind (ADR 0027).
"""

import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from google.protobuf.message import DecodeError

from tallystick.profiles.shard import Shard, ShardError
from tallystick.profiles.topics import PROFILES
from tallystick.runtime.kafka import batches_to_end
from tallystick.trust.profiles.subject import Rule

_log = logging.getLogger(__name__)


async def restore(reader: AIOKafkaConsumer, partition: int, rule: Rule, progress: Callable[[], None]) -> Shard:
    """Return a partition's shard as it was last published, calling `progress` for every batch.

    Raises:
        ShardError: if what is there was made under another delay, or is no profile.
        KafkaError: if Kafka does not answer.
    """
    where = TopicPartition(PROFILES, partition)
    first = (await reader.beginning_offsets([where]))[where]
    shard = Shard(rule)
    async for records in batches_to_end(reader, where, first):
        for record in records:
            try:
                shard.restore(record.key or b"", record.value)
            except ShardError:
                raise
            except (DecodeError, ValueError) as error:
                raise ShardError(f"{PROFILES}/{partition} offset {record.offset} is no profile: {error}") from error
        progress()
    _log.info("restored", extra={"partition": partition, "subjects": len(shard), "version": shard.version})
    return shard
