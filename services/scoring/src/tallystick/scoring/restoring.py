"""Starting from a snapshot instead of from nothing: from the newest that is whole and that `decisions` agree with.

A snapshot is only a cache: whatever is wrong with one, the next older is tried, and in the end the input is replayed from its
beginning. So nothing here stops a partition.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from google.protobuf.message import DecodeError

from tallystick.contracts import Decision
from tallystick.runtime import kafka
from tallystick.runtime.health import Health
from tallystick.runtime.vault import VaultRefusedError
from tallystick.scoring.customers import Customers
from tallystick.scoring.engine import Partition
from tallystick.scoring.position import DECISIONS
from tallystick.scoring.snapshot_stores import SnapshotStore
from tallystick.scoring.snapshots import Header, Reader, SnapshotError, folder, read_name
from tallystick.scoring.snapshotting import COMPONENT, Keys

_NEAR = 10_000  # decisions that are read one after the other rather than searched
_PROGRESS_S = 1.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A decision, and where in `decisions` it is."""

    offset: int
    decision: Decision


class Restorer:
    """Restores partitions from their snapshots.

    Args:
        store: where snapshots are.
        keys: for their keys.
        health: told of component `snapshots`.
    """

    def __init__(self, store: SnapshotStore, keys: Keys, health: Health) -> None:
        self._store = store
        self._keys = keys
        self._health = health

    async def restore(self, partition: Partition, reader: AIOKafkaConsumer, progress: Callable[[], None]) -> int | None:
        """Bring a fresh partition to where its newest good snapshot was taken.

        Args:
            partition: fresh; afterwards its customers, position and chain are the snapshot's, or it is as it was.
            reader: used for this partition alone meanwhile.
            progress: called every second.

        Returns:
            The offset, in `decisions`, of the decision that the snapshot agrees with; None if there is no good snapshot.

        Raises:
            VaultUnavailableError, KafkaError: something does not answer; try again.
        """
        try:
            names = await asyncio.to_thread(self._store.names, folder(partition.topic, partition.number))
        except OSError as error:
            _log.warning("partition %d is rebuilt without snapshots: %s", partition.number, error)
            self._health.failing(COMPONENT, str(error))
            return None
        for name in sorted(filter(read_name, names), reverse=True):
            try:
                header = await _threaded(partial(self._header, name), progress)
                found = await find_decision(reader, partition, header.next_sequence - 1)
                _check_agreement(header, found)
                key = await self._keys.unwrapped_key(header.wrapped_key)
                customers = await _threaded(partial(self._customers, name, key), progress)
            except (ValueError, OSError, VaultRefusedError) as error:
                _log.warning("snapshot %s is passed over: %s", name, error)
                continue
            partition.customers = customers
            partition.next_offset, partition.next_sequence = header.next_offset, header.next_sequence
            partition.chain = bytes.fromhex(header.chain)
            _log.info("partition %d is restored from snapshot %s: %d customers", partition.number, name, len(customers))
            return found.offset if found else None
        return None

    def _header(self, name: str) -> Header:
        header = Reader(self._store.read(name)).header
        if header.name != name:
            raise SnapshotError(f"it says of itself that it is {header.name}")
        return header

    def _customers(self, name: str, key: bytes) -> Customers:
        frames = Reader(self._store.read(name)).frames(key)
        customers = Customers()
        customers.load_clock(next(frames, b""))
        for frame in frames:
            customers.load(frame)
        return customers


def _check_agreement(header: Header, found: Found | None) -> None:
    if found is None:
        raise SnapshotError(f"{DECISIONS}/{header.partition} has no decision {header.next_sequence - 1}")
    decision = found.decision
    activation = decision.activation_index if decision.HasField("activation_index") else None
    said = (header.next_offset - 1, header.chain, header.activation_index)
    if said != (decision.source_offset, decision.chain.hex(), activation):
        raise SnapshotError(f"the decision on its last record, {decision.sequence}, is another")


async def find_decision(reader: AIOKafkaConsumer, partition: Partition, sequence: int) -> Found | None:
    """Return a partition's decision of this sequence number, None if its `decisions` have it no more, or not yet.

    Sequence numbers grow with the offset, but for decisions that are there twice; one that is only found by reading all is
    not found.
    """
    where = TopicPartition(DECISIONS, partition.number)
    low: int = (await reader.beginning_offsets([where]))[where]
    newest = await kafka.last_record(reader, where)
    high = -1 if newest is None else newest.offset
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = await _first(_decisions(reader, where, partition, middle))
        if found is not None and found.offset <= high and found.decision.sequence <= sequence:
            low = max(found.offset, low + 1)
        else:
            high = middle
    if high < low:
        return None
    async with aclosing(_decisions(reader, where, partition, low)) as decisions:
        async for found in decisions:
            if found.decision.sequence >= sequence:
                return found if found.decision.sequence == sequence else None
    return None


async def _decisions(
    reader: AIOKafkaConsumer, where: TopicPartition, partition: Partition, start: int
) -> AsyncGenerator[Found, None]:
    async with aclosing(kafka.batches_to_end(reader, where, start)) as batches:
        async for records in batches:
            for record in records:
                try:
                    decision = Decision.FromString(record.value or b"")
                except DecodeError:
                    continue
                if (decision.source_topic, decision.source_partition) == (partition.topic, partition.number):
                    yield Found(record.offset, decision)


async def _first(decisions: AsyncGenerator[Found, None]) -> Found | None:
    async with aclosing(decisions) as opened:
        return await anext(opened, None)


async def _threaded(work: Callable[[], T], progress: Callable[[], None]) -> T:
    task = asyncio.create_task(asyncio.to_thread(work))
    while not task.done():
        await asyncio.wait({task}, timeout=_PROGRESS_S)
        progress()
    return await task
