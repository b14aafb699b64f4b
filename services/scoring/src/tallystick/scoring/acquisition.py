"""The one way in: take partitions over, and find out from `decisions`, the log and Kafka where they stand."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import murmur2

from tallystick.runtime import kafka, transactions
from tallystick.runtime.bare_records import bare
from tallystick.runtime.health import Health
from tallystick.scoring.custody import Custody
from tallystick.scoring.emission import BATCH_BYTES, DEAD_LETTER, EVIDENCE, TopicError
from tallystick.scoring.emitters import AtLeastOnce, Emitter, ExactlyOnce
from tallystick.scoring.engine import Partition
from tallystick.scoring.gate import Gate
from tallystick.scoring.guarantee import is_exactly_once, transactional_id
from tallystick.scoring.logs import FollowedLogs
from tallystick.scoring.position import DECISIONS, PositionError, Positions, Unlogged, rebuild, skip_deleted
from tallystick.scoring.restoring import Restorer
from tallystick.scoring.sealing import Sealer
from tallystick.scoring.settings import ScoringSettings
from tallystick.trust.incidents import Incidents, SignedIncident
from tallystick.trust.policy import TrustPolicy

FETCH_WAIT_MS = 100
_FETCH_BYTES = 4 << 20
_REQUEST_TIMEOUT_MS = 10_000
_PRODUCER = {"max_batch_size": BATCH_BYTES, "request_timeout_ms": _REQUEST_TIMEOUT_MS, "linger_ms": 0}
# What is read while taking over ends where the partition ends, and that is to be known soon.
_READING = {"max_partition_fetch_bytes": _FETCH_BYTES, "request_timeout_ms": _REQUEST_TIMEOUT_MS, "fetch_max_wait_ms": 20}
_AT_ONCE = 8  # partitions taken over side by side: each has a consumer to itself, and its decisions in memory
_NOTARY_TIMEOUT_S = 5.0

Client = TypeVar("Client", AIOKafkaConsumer, AIOKafkaProducer)
Readers = asyncio.Queue[AIOKafkaConsumer]
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


@dataclass(frozen=True, slots=True)
class Acquired:
    """A partition as it stands, what of it the log does not hold yet, and the chain key of what comes next, with its place."""

    partition: Partition
    unlogged: list[Unlogged]
    chain_key: tuple[int, bytes]


class Acquisition:
    """Takes partitions over.

    Args:
        settings: the service's settings.
        policy: the trust policy.
        gate: what the governance log allows.
        custody: keys.
        health: told of progress, and of partitions that stop.
        restorer: restores partitions from snapshots, if there are any.
    """

    def __init__(
        self,
        settings: ScoringSettings,
        policy: TrustPolicy,
        gate: Gate,
        custody: Custody,
        health: Health,
        restorer: Restorer | None = None,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._gate = gate
        self._custody = custody
        self._health = health
        self._exactly_once: bool | None = None  # nobody has asked the brokers yet
        self._restorer = restorer
        self._stopped: set[int] = set()

    @asynccontextmanager
    async def acquired(self, owned: frozenset[int]) -> AsyncIterator[Session]:
        """Give a session over the partitions; a partition of which nothing fits together is left out and said in health.

        Raises:
            PositionError: if no partition is left.
            GateError: if a partition was decided under an activation that the governance log does not have.
            TopicError: if a topic is not what the trust policy says.
            SettingError: if it is to be exactly once, and the brokers have no transactions.
            OSError, KafkaError: if something does not answer; try again.
        """
        async with AsyncExitStack() as stack:
            settings, topic = self._settings, self._settings.source_topic
            incidents = self._gate.incidents
            logs = await FollowedLogs.followed(stack, settings, self._policy, owned, time.monotonic)
            # Before anything is read: where the brokers fence, this ends whoever owned these partitions before.
            emitter = await self._emitter(stack, owned)
            acquired = await self._acquire_all(owned, logs, Incidents.of(incidents, topic))
            _wait_for({number: one.unlogged for number, one in acquired.items()}, logs)
            partitions = {number: one.partition for number, one in acquired.items()}
            chain_keys = {number: dict([one.chain_key]) for number, one in acquired.items()}
            fetching = {
                "max_partition_fetch_bytes": _FETCH_BYTES,
                "fetch_max_wait_ms": FETCH_WAIT_MS,
                "value_deserializer": bare,
            }
            consumer = await _started(stack, kafka.consumer(settings, request_timeout_ms=_REQUEST_TIMEOUT_MS, **fetching))
            consumer.assign([TopicPartition(topic, number) for number in partitions])
            for number, partition in partitions.items():
                consumer.seek(TopicPartition(topic, number), partition.next_offset)
            sealer = Sealer(self._custody.lookup_key, os.urandom)
            yield Session(consumer, emitter, sealer, logs, partitions, chain_keys, owned - partitions.keys(), incidents)

    async def _emitter(self, stack: AsyncExitStack, owned: frozenset[int]) -> Emitter:
        settings = self._settings
        if self._exactly_once is None:
            self._exactly_once = await is_exactly_once(settings, self._health)
        if not self._exactly_once:
            return AtLeastOnce(await _started(stack, kafka.producer(settings, **_PRODUCER)))
        outputs = (DECISIONS, EVIDENCE, DEAD_LETTER)
        client = await stack.enter_async_context(transactions.client(settings, outputs))
        for name in outputs:
            self._check_count(name, client.cluster.partitions_for_topic(name) or ())
        transactors = {
            number: transactions.Transactor(
                client,
                transactional_id(settings, number),
                settings.transaction_timeout_s,
                [TopicPartition(topic, number) for topic in outputs],
            )
            for number in owned
        }
        async with asyncio.TaskGroup() as tasks:
            for transactor in transactors.values():
                tasks.create_task(transactor.start())
        return ExactlyOnce(transactors)

    async def _acquire_all(self, owned: frozenset[int], logs: FollowedLogs, incidents: Incidents) -> dict[int, Acquired]:
        """Take all over, as many at once as there are readers, and leave out those of which nothing fits together."""
        settings = self._settings
        async with AsyncExitStack() as stack:  # readers that stayed would go on asking the brokers for more
            readers: Readers = asyncio.Queue()
            for _ in range(min(_AT_ONCE, len(owned))):
                readers.put_nowait(await _started(stack, kafka.consumer(settings, **_READING)))
            await self._check_topics(readers)
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=_NOTARY_TIMEOUT_S))
            positions = Positions(http, settings.notary_url, logs, settings.source_topic, incidents)
            async with asyncio.TaskGroup() as tasks:
                acquiring = {number: tasks.create_task(self._acquire_or_stop(number, positions, readers)) for number in owned}
        outcomes = {number: task.result() for number, task in sorted(acquiring.items())}
        acquired = {number: one for number, one in outcomes.items() if isinstance(one, Acquired)}
        for refused in outcomes.values():
            if isinstance(refused, PositionError) and not acquired:
                raise refused
        return acquired

    async def _acquire_or_stop(self, number: int, positions: Positions, readers: Readers) -> Acquired | PositionError:
        reader = await readers.get()
        try:
            acquired = await self._acquire(number, positions, reader)
        except PositionError as error:
            # Only this partition stops; a person must look at it.
            _log.error("partition %d stopped: %s", number, error)
            self._health.failing(f"partition {number}", str(error), "stopped")
            self._stopped.add(number)
            return error
        finally:
            readers.put_nowait(reader)
        if number in self._stopped:
            self._stopped.remove(number)
            self._health.ok(f"partition {number}")
        return acquired

    async def _acquire(self, number: int, positions: Positions, reader: AIOKafkaConsumer) -> Acquired:
        partition = Partition(self._settings.source_topic, number, self._partitioner())
        logged = await positions.logged(number)
        progress = self._health.progress
        since = None if self._restorer is None else await self._restorer.restore(partition, reader, progress)
        history = await positions.history(reader, number, logged, progress, since)
        if (newest := history.newest) is not None and newest.HasField("activation_index"):
            partition.active = self._gate.decided_under(newest, f"{DECISIONS}/{number}")
        await rebuild(reader, partition, history, progress)
        await skip_deleted(reader, partition, positions.incidents)
        chain_key = await self._custody.chain_key(partition.topic, number, partition.next_sequence)
        _log.info("partition %d acquired at sequence %d", number, partition.next_sequence)
        return Acquired(partition, history.unlogged, chain_key)

    def _partitioner(self) -> Callable[[bytes], int]:
        count = self._policy.topics[self._settings.source_topic].partitions
        return lambda key: (murmur2(key) & 0x7FFFFFFF) % count

    async def _check_topics(self, readers: Readers) -> None:
        reader = await readers.get()
        for name in (self._settings.source_topic, DECISIONS, EVIDENCE, DEAD_LETTER):
            self._check_count(name, await kafka.partitions_of(reader, name))
        readers.put_nowait(reader)

    def _check_count(self, topic: str, present: Collection[int]) -> None:
        count = self._policy.topics[self._settings.source_topic].partitions
        if len(present) != count:
            raise TopicError(f"{topic} has {len(present)} partitions, the trust policy says {count}")


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
