"""Reading the input: what is there to be read, what no longer is, and the keys that its running hash takes."""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import OffsetOutOfRangeError

from tallystick.runtime import kafka
from tallystick.runtime.bare_records import bare
from tallystick.runtime.chain_keys import CHAIN_KEY_SIZE, chain_key
from tallystick.runtime.settings import KafkaSettings
from tallystick.runtime.vault import Vault
from tallystick.trust.chain import Record
from tallystick.trust.keyed_hash import KeyedHash, keyed_hash
from tallystick.witness.sealer.partition import PartitionChain

FETCH = {
    "value_deserializer": bare,
    "max_partition_fetch_bytes": 1 << 20,
    "fetch_max_wait_ms": 100,
    "request_timeout_ms": 10_000,
}
SHORT_S = 5.0
"""How long a partition may seem to end before what was read of it, as after a failover, until it is said."""
_DAY_MS = 86_400_000
_log = logging.getLogger(__name__)


class TopicError(OSError):
    """The input topic is not there, or not as it was: to be looked at again."""


class ChainKeys:
    """The chain keys of a topic, as long as they are needed: the newest two of each partition."""

    def __init__(self, vault: Vault, topic: str) -> None:
        self._vault, self._topic = vault, topic
        self._keys: dict[int, dict[int, KeyedHash]] = {}

    async def of(self, partition: int, epochs: Sequence[int]) -> Mapping[int, KeyedHash]:
        """Return the keys of a partition by epoch. Raises VaultError."""
        known = self._keys.setdefault(partition, {})
        for epoch in epochs:
            if epoch not in known:
                fresh = os.urandom(CHAIN_KEY_SIZE)
                known[epoch] = keyed_hash(await chain_key(self._vault, self._topic, partition, epoch, fresh))
        for old in [epoch for epoch in known if epoch < max(epochs) - 1]:
            del known[old]
        return known


class Reader:
    """Reads the whole input topic, from where its partitions stand.

    Args:
        consumer: started, of no group.
        topic: the input topic.
        partitions: where they stand, in their order; moved by what is read.
        keys: the chain keys.
        retention_ms: how long records were promised to be kept.
        took: told of records that were new.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topic: str,
        partitions: Sequence[PartitionChain],
        keys: ChainKeys,
        retention_ms: float,
        took: Callable[[Sequence[Record]], None],
    ) -> None:
        self._consumer, self._topic, self._partitions, self._keys = consumer, topic, partitions, keys
        self._retention_ms, self._took = retention_ms, took
        self._short_since: dict[int, float] = {}

    def start(self) -> None:
        """Assign the partitions, and begin where each stands."""
        self._consumer.assign([self._place(partition) for partition in self._partitions])
        for partition in self._partitions:
            self._consumer.seek(self._place(partition), partition.resumes_at)

    def recheck(self) -> None:
        """Read the last record of each partition again."""
        for partition in self._partitions:
            partition.doubt()
            if not partition.recognised:
                self._consumer.seek(self._place(partition), partition.resumes_at)

    async def read(self, timeout_s: float, most: int) -> None:
        """Take what comes within `timeout_s`, at most so many records. Raises KafkaError, VaultError."""
        try:
            fetched = await self._consumer.getmany(timeout_ms=max(1, int(timeout_s * 1000)), max_records=max(1, most))
        except OffsetOutOfRangeError as error:
            await self._out_of_range(error.args[0])
            return
        for place, records in fetched.items():
            partition = self._partitions[place.partition]
            self._short_since.pop(place.partition, None)
            keys = await self._keys.of(place.partition, partition.epochs(len(records)))
            if new := partition.take(records, keys):
                self._took(new)
        await self._look_for_short_ones(fetched.keys())

    def _place(self, partition: PartitionChain) -> TopicPartition:
        return TopicPartition(self._topic, partition.partition)

    async def _out_of_range(self, refused: Mapping[TopicPartition, int]) -> None:
        beginnings = await self._consumer.beginning_offsets(list(refused))
        for place, offset in refused.items():
            partition, first = self._partitions[place.partition], beginnings[place]
            if offset >= first:
                partition.lose(
                    f"it ends before offset {offset}, up to which it was read: the topic was cut or made anew", first
                )
            elif first > partition.next_offset:
                partition.lose(f"offsets {partition.next_offset} to {first - 1} were deleted before they were read", first)
            elif time.time() * 1000 - partition.last_ms < self._retention_ms:
                kept_days = self._retention_ms / _DAY_MS
                reason = (
                    f"the last sealed record, at offset {offset}, was deleted, though it is to be kept for {kept_days:g} days"
                )
                partition.lose(reason, max(first, partition.next_offset))
            else:
                partition.forget_last(partition.next_offset)
            self._consumer.seek(place, partition.resumes_at)

    async def _look_for_short_ones(self, spoke: Any) -> None:
        """See which partitions end before the record that they are to be recognised by: some brokers just say nothing then."""
        for partition in self._partitions:
            place = self._place(partition)
            if partition.recognised or place in spoke:
                continue
            end = self._consumer.highwater(place)
            if end is None or end > partition.last_offset:
                self._short_since.pop(partition.partition, None)
            elif time.monotonic() - self._short_since.setdefault(partition.partition, time.monotonic()) > SHORT_S:
                first = (await self._consumer.beginning_offsets([place]))[place]
                partition.lose(
                    f"it ends at offset {end}, and was read up to {partition.next_offset}: it was cut or made anew", first
                )
                self._consumer.seek(place, partition.resumes_at)


async def opened(stack: AsyncExitStack, settings: KafkaSettings, topic: str) -> tuple[AIOKafkaConsumer, int, str]:
    """Return a started consumer, the topic's number of partitions and the cluster's id. Raises TopicError, KafkaError."""
    consumer = kafka.consumer(settings, **FETCH)
    stack.push_async_callback(consumer.stop)
    await consumer.start()
    return consumer, await count_partitions(consumer, topic), await _cluster_id(settings)


async def count_partitions(consumer: AIOKafkaConsumer, topic: str) -> int:
    """Return the topic's number of partitions. Raises TopicError: there is no such topic, or some are missing."""
    present = await kafka.partitions_of(consumer, topic)
    if not present or present != frozenset(range(len(present))):
        raise TopicError(f"the topic {topic} is not there, or not whole")
    return len(present)


async def _cluster_id(settings: KafkaSettings) -> str:
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    await admin.start()
    try:
        return str((await admin.describe_cluster()).get("cluster_id") or "")
    finally:
        await admin.close()
