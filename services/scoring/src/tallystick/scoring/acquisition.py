"""The one way in: take partitions over, and find out from `decisions`, the log and Kafka where they stand."""

import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import murmur2

from tallystick.runtime import kafka
from tallystick.runtime.health import Health
from tallystick.scoring.custody import Custody
from tallystick.scoring.emission import BATCH_BYTES, DEAD_LETTER, EVIDENCE, Emitter, TopicError
from tallystick.scoring.engine import Partition
from tallystick.scoring.gate import Gate
from tallystick.scoring.logs import FollowedLogs
from tallystick.scoring.position import DECISIONS, PositionError, Positions, Unlogged, rebuild
from tallystick.scoring.sealing import Sealer
from tallystick.scoring.settings import ScoringSettings
from tallystick.trust.incidents import Incidents, SignedIncident
from tallystick.trust.policy import TrustPolicy

FETCH_WAIT_MS = 100
_FETCH_BYTES = 4 << 20
_REQUEST_TIMEOUT_MS = 10_000
_PRODUCER = {"max_batch_size": BATCH_BYTES, "request_timeout_ms": _REQUEST_TIMEOUT_MS, "linger_ms": 0}
_NOTARY_TIMEOUT_S = 5.0

Client = TypeVar("Client", AIOKafkaConsumer, AIOKafkaProducer)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Session:
    """What one ownership of partitions needs; dropped whole when anything goes wrong."""

    consumer: AIOKafkaConsumer
    emitter: Emitter
    sealer: Sealer
    logs: FollowedLogs
    partitions: dict[int, Partition]
    chain_keys: dict[int, dict[int, bytes]]
    left_out: frozenset[int]
    incidents: tuple[SignedIncident, ...]
    since_s: float = field(default_factory=time.monotonic)


class Acquisition:
    """Takes partitions over.

    Args:
        settings: the service's settings.
        policy: the trust policy.
        gate: what the governance log allows.
        custody: keys.
        health: told of progress, and of partitions that stop.
    """

    def __init__(self, settings: ScoringSettings, policy: TrustPolicy, gate: Gate, custody: Custody, health: Health) -> None:
        self._settings = settings
        self._policy = policy
        self._gate = gate
        self._custody = custody
        self._health = health
        self._stopped: set[int] = set()

    @asynccontextmanager
    async def acquired(self, owned: frozenset[int]) -> AsyncIterator[Session]:
        """Give a session over the partitions; a partition of which nothing fits together is left out and said in health.

        Raises:
            PositionError: if no partition is left.
            GateError: if a partition was decided under an activation that the governance log does not have.
            TopicError: if a topic is not what the trust policy says.
            OSError, KafkaError: if something does not answer; try again.
        """
        async with AsyncExitStack() as stack:
            settings, topic = self._settings, self._settings.source_topic
            incidents = self._gate.incidents
            logs = await FollowedLogs.followed(stack, settings, self._policy, owned, time.monotonic)
            # The producer first: on brokers that fence, it ends whoever owned these partitions before.
            producer, compressing = [
                await _started(stack, kafka.producer(settings, compression_type=codec, **_PRODUCER)) for codec in (None, "zstd")
            ]
            for name in (topic, DECISIONS, EVIDENCE, DEAD_LETTER):
                await self._check_topic(producer, name)
            fetching = {"max_partition_fetch_bytes": _FETCH_BYTES, "fetch_max_wait_ms": FETCH_WAIT_MS}
            consumer = await _started(stack, kafka.consumer(settings, request_timeout_ms=_REQUEST_TIMEOUT_MS, **fetching))
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=_NOTARY_TIMEOUT_S))
            positions = Positions(http, settings.notary_url, logs, topic, Incidents.of(incidents, topic))
            partitions, unlogged = await self._acquire_all(owned, positions, consumer)
            _wait_for(unlogged, logs)
            chain_keys = {
                number: dict([await self._custody.chain_key(topic, number, partition.next_sequence)])
                for number, partition in partitions.items()
            }
            consumer.assign([TopicPartition(topic, number) for number in partitions])
            for number, partition in partitions.items():
                consumer.seek(TopicPartition(topic, number), partition.next_offset)
            emitter = Emitter(producer, compressing, topic, time.time)
            sealer = Sealer(self._custody.lookup_key, os.urandom)
            yield Session(consumer, emitter, sealer, logs, partitions, chain_keys, owned - partitions.keys(), incidents)

    async def _acquire_all(
        self, owned: frozenset[int], positions: Positions, consumer: AIOKafkaConsumer
    ) -> tuple[dict[int, Partition], dict[int, list[Unlogged]]]:
        partitions, unlogged = dict[int, Partition](), dict[int, list[Unlogged]]()
        partition_of, refused = self._partitioner(), None
        for number in sorted(owned):
            partition = Partition(self._settings.source_topic, number, partition_of)
            try:
                unlogged[number] = await self._acquire(partition, positions, consumer)
            except PositionError as error:
                # Only this partition stops; a person must look at it.
                _log.error("partition %d stopped: %s", number, error)
                self._health.failing(f"partition {number}", str(error), "stopped")
                self._stopped.add(number)
                refused = error
                continue
            partitions[number] = partition
            if number in self._stopped:
                self._stopped.remove(number)
                self._health.ok(f"partition {number}")
        if not partitions and refused is not None:
            raise refused
        return partitions, unlogged

    async def _acquire(self, partition: Partition, positions: Positions, consumer: AIOKafkaConsumer) -> list[Unlogged]:
        logged = await positions.logged(partition.number)
        history = await positions.history(consumer, partition.number, logged, self._health.progress)
        if (newest := history.newest) is not None and newest.HasField("activation_index"):
            partition.active = self._gate.decided_under(newest, f"{DECISIONS}/{partition.number}")
        await rebuild(consumer, partition, history, self._health.progress)
        _log.info("partition %d acquired at sequence %d", partition.number, partition.next_sequence)
        return history.unlogged

    def _partitioner(self) -> Callable[[bytes], int]:
        count = self._policy.topics[self._settings.source_topic].partitions
        return lambda key: (murmur2(key) & 0x7FFFFFFF) % count

    async def _check_topic(self, producer: AIOKafkaProducer, name: str) -> None:
        count = self._policy.topics[self._settings.source_topic].partitions
        present = await producer.partitions_for(name)
        if len(present) != count:
            raise TopicError(f"{name} has {len(present)} partitions, the trust policy says {count}")


def _wait_for(unlogged: dict[int, list[Unlogged]], logs: FollowedLogs) -> None:
    """Let coverage wait for what is emitted and not logged, each as old as it is: starting afresh makes nothing younger."""
    now_s, now_ms = time.monotonic(), time.time() * 1000
    waiting = [(emitted_ms, partition, leaf) for partition, some in unlogged.items() for emitted_ms, leaf in some]
    for emitted_ms, partition, leaf in sorted(waiting):
        logs.emitted({partition: [leaf]}, now_s - max(0.0, now_ms - emitted_ms) / 1000)


async def _started(stack: AsyncExitStack, client: Client) -> Client:
    stack.push_async_callback(client.stop)
    await client.start()
    return client
