"""Which partitions this process scores: fixed by hand, or as a Kafka consumer group divides them.

The group only divides; positions come from `decisions`. Any change ends the session, and everything owned is acquired afresh.
What is committed to the group is for people to see how far scoring is behind, and is read by nobody here.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

_KEEP_ALIVE_S = 1.0
_RELEASE_TIMEOUT_S = 20.0
_COMMIT_TIMEOUT_S = 5.0


class Ownership(Protocol):
    """Says what is owned. `changed` is set when it is no longer what `owned` said."""

    changed: asyncio.Event

    async def owned(self) -> frozenset[int]:
        """Return the partitions owned now, waiting until there is at least one, and clear `changed`."""

    def released(self) -> None:
        """Say that nothing is being scored: a revoked partition may go to another."""

    def decided(self, next_offsets: Mapping[int, int]) -> None:
        """Say how far the input is decided: the offset that is next, by partition."""


class Fixed:
    """Partitions chosen by hand."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self.changed = asyncio.Event()
        self._partitions = frozenset(partitions)

    async def owned(self) -> frozenset[int]:
        """Return the partitions."""
        return self._partitions

    def released(self) -> None:
        """Nothing waits for it."""

    def decided(self, next_offsets: Mapping[int, int]) -> None:
        """There is no group to show it to."""


class Group(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Partitions as the group divides them.

    Args:
        consumer: not started; subscribed here, and never fetched from.
        topic: the input topic.
    """

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self.changed = asyncio.Event()
        self._consumer = consumer
        self._topic = topic
        self._partitions: frozenset[int] = frozenset()
        self._next_offsets: dict[int, int] = {}
        self._assigned = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def join(self) -> None:
        """Become a member. Raises KafkaError; may be tried again."""
        self._consumer.subscribe([self._topic], listener=self)
        await self._consumer.start()

    async def keep(self) -> None:
        """Stay a member until cancelled; join first. The consumer itself waits for brokers that do not answer."""
        try:
            while True:
                # A member that never polls is thrown out of the group.
                await self._consumer.getmany(timeout_ms=0, max_records=1)
                await self._show_lag()
                await asyncio.sleep(_KEEP_ALIVE_S)
        finally:
            await self._consumer.stop()

    async def owned(self) -> frozenset[int]:
        """Return the partitions owned now, waiting until there is at least one."""
        await self._assigned.wait()
        self.changed.clear()
        self._idle.clear()
        return self._partitions

    def released(self) -> None:
        """Let a rebalance that waits for this go on."""
        self._idle.set()

    def decided(self, next_offsets: Mapping[int, int]) -> None:
        """Take note of it; it is committed in a moment, if that can be done at all."""
        self._next_offsets |= next_offsets

    async def _show_lag(self) -> None:
        noted, self._next_offsets = self._next_offsets, {}
        due = {TopicPartition(self._topic, number): offset for number, offset in noted.items() if number in self._partitions}
        if due:
            with suppress(KafkaError, TimeoutError):  # the next one shows it, and nothing depends on it
                async with asyncio.timeout(_COMMIT_TIMEOUT_S):
                    await self._consumer.commit(due)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """End the session before the group goes on."""
        self._assigned.clear()
        self.changed.set()
        await asyncio.wait_for(self._idle.wait(), _RELEASE_TIMEOUT_S)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take note of what is owned; nothing is ever fetched through this consumer."""
        assigned = list(assigned)
        self._consumer.pause(*assigned)
        self._partitions = frozenset(where.partition for where in assigned)
        self.changed.set()
        if self._partitions:
            self._assigned.set()
