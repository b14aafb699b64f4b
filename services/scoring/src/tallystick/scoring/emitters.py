"""Decisions out to Kafka, in one of two ways: once each, where the broker has transactions, or at least once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from tallystick.runtime.transactions import Transactor
from tallystick.scoring.emission import DEAD_LETTER, EVIDENCE, Parcel, leaves
from tallystick.scoring.position import DECISIONS


class Emitter(Protocol):
    """Sends parcels.

    Attributes:
        transactional: whether the parcels' Kafka batches must be made for transactions.
    """

    transactional: bool

    async def emit(self, parcels: Sequence[Parcel], check: Callable[[], None]) -> dict[int, list[bytes]]:
        """Send parcels of different partitions and return their decisions' leaf hashes, once the broker has all of it.

        Args:
            parcels: not empty; nothing else is sent meanwhile.
            check: called when the next step lets decisions be seen; raises if they must not be made any more.

        Raises:
            TopicError: if the broker replaces time stamps.
            FencedError: if another process has taken a partition over.
            KafkaError: if anything may be missing; in any case the caller starts afresh.
        """


class AtLeastOnce:
    """Sends decisions when their evidence and dead letters are acknowledged.

    Args:
        producer: started.
    """

    transactional = False

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def emit(self, parcels: Sequence[Parcel], check: Callable[[], None]) -> dict[int, list[bytes]]:
        """See `Emitter`."""
        async with asyncio.TaskGroup() as tasks:
            for parcel in parcels:
                for topic in (EVIDENCE, DEAD_LETTER):
                    tasks.create_task(self._send(topic, parcel.partition, parcel.batches[topic]))
        check()
        async with asyncio.TaskGroup() as tasks:
            sends = [
                tasks.create_task(self._send(DECISIONS, parcel.partition, parcel.batches[DECISIONS])) for parcel in parcels
            ]
        return {parcel.partition: leaves(parcel, send.result()) for parcel, send in zip(parcels, sends, strict=True)}

    async def _send(self, topic: str, partition: int, batches: Sequence[BatchBuilder]) -> list[RecordMetadata]:
        """Send batches in order: each only when the one before is acknowledged, so that a failure leaves no gap."""
        return [await (await self._producer.send_batch(batch, topic, partition=partition)) for batch in batches]


class ExactlyOnce:
    """Sends each partition's parcel in one transaction: decisions, evidence and dead letters are seen together, or never.

    Args:
        transactors: by input partition, started.
    """

    transactional = True

    def __init__(self, transactors: Mapping[int, Transactor]) -> None:
        self._transactors = transactors

    async def emit(self, parcels: Sequence[Parcel], check: Callable[[], None]) -> dict[int, list[bytes]]:
        """See `Emitter`."""
        async with asyncio.TaskGroup() as tasks:
            sends = [tasks.create_task(self._commit(parcel, check)) for parcel in parcels]
        return {parcel.partition: send.result() for parcel, send in zip(parcels, sends, strict=True)}

    async def _commit(self, parcel: Parcel, check: Callable[[], None]) -> list[bytes]:
        batches = {TopicPartition(topic, parcel.partition): some for topic, some in parcel.batches.items() if some}
        written = await self._transactors[parcel.partition].commit(batches, check)
        return leaves(parcel, written[TopicPartition(DECISIONS, parcel.partition)])
