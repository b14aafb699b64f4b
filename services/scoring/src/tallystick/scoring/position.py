"""Where a partition stands when it is taken over: the one way in, at start and after anything went wrong.

The position is the last record of the partition's `decisions`; the log must agree with it. What the log does not hold yet is
what coverage has to wait for. The windows are rebuilt from the transactions that were decided and not rejected.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from google.protobuf.message import DecodeError

from tallystick.contracts import Decision, LogEntry, Outcome
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.proofs import verify_inclusion
from tallystick.merkle.tiles import inclusion_proof
from tallystick.runtime.kafka import batches_to_end
from tallystick.scoring.coverage import decision_leaf
from tallystick.scoring.engine import Partition
from tallystick.scoring.logs import FollowedLogs
from tallystick.trust.incidents import NO_INCIDENTS, Incidents, not_due

DECISIONS = "decisions"


class PositionError(RuntimeError):
    """What is known of the partition does not fit together; a person must look, scoring it on would make it worse."""


@dataclass(frozen=True, slots=True)
class Logged:
    """The newest decision of the partition that the log holds, proven, and its offset in `decisions`."""

    decision: Decision
    leaf: bytes
    offset: int


class Unlogged(NamedTuple):
    """A decision that the log does not hold yet: when it was emitted, in ms since 1970, and its leaf hash."""

    emitted_ms: int
    leaf: bytes


@dataclass(slots=True)
class History:
    """What the partition's `decisions` say.

    Attributes:
        newest: the newest decision.
        first_offset: the input offset of the oldest decision that is still there; None if none is.
        rejected: the rejected input offsets since then.
        unlogged: what the log does not hold yet.
        missing: the input offsets whose decisions an incident says are missing, as ranges.
    """

    newest: Decision | None = None
    first_offset: int | None = None
    rejected: set[int] = field(default_factory=set)
    unlogged: list[Unlogged] = field(default_factory=list)
    missing: list[range] = field(default_factory=list)

    def is_missing(self, offset: int) -> bool:
        """Whether nobody can say any more how the input at this offset was decided."""
        return any(offset in missing for missing in self.missing)


class Positions:
    """Finds partitions' positions.

    Args:
        http: asks the notary.
        notary_url: where it answers.
        logs: the decisions' logs.
        topic: the input topic.
        incidents: how partitions go on after something went wrong.
    """

    def __init__(
        self, http: httpx.AsyncClient, notary_url: str, logs: FollowedLogs, topic: str, incidents: Incidents = NO_INCIDENTS
    ) -> None:
        self._http = http
        self._notary_url = notary_url
        self._logs = logs
        self._topic = topic
        self.incidents = incidents

    async def logged(self, partition: int) -> Logged | None:
        """Return the newest logged decision of a partition, by the notary's index and the log's own proof.

        Raises:
            PositionError: if the index and the log disagree, or the log is not one.
            OSError: if the notary or the log does not answer; try again.
        """
        try:
            response = await self._http.get(f"{self._notary_url}/v1/position/{self._topic}/{partition}")
        except httpx.TransportError as error:
            raise OSError(f"the notary at {self._notary_url} does not answer: {type(error).__name__}") from error
        if response.status_code != httpx.codes.OK:
            raise OSError(f"the notary answers {response.status_code} for partition {partition}")
        try:
            said = response.json()
            origin, index = said["origin"], said["log_index"]
        except (ValueError, KeyError, TypeError) as error:
            raise OSError(f"{self._notary_url} answers as no notary does; is TALLYSTICK_NOTARY_URL right?") from error
        follower = self._logs.of(partition)
        if origin != follower.origin:
            raise PositionError(
                f"the notary logs partition {partition} in {origin}, the trust policy says in {follower.origin}:"
                " a partition belongs to one log for ever"
            )
        if index is None:
            return None
        log, checkpoint = follower.reader, follower.head()
        if index >= checkpoint.size:
            raise OSError(f"entry {index} is committed and not published yet")  # a moment later it is
        try:
            (entry,) = await log.entries(index, index + 1, checkpoint.size)
            leaf = leaf_hash(entry)
            proof = await log.compute(lambda read: inclusion_proof(index, checkpoint.size, read))
            verify_inclusion(index, checkpoint.size, leaf, proof, checkpoint.root)
        except ValueError as error:
            raise PositionError(f"the log does not prove entry {index}, partition {partition}'s newest: {error}") from error
        envelope = LogEntry.FromString(entry)
        decision = Decision.FromString(envelope.value)
        if (decision.source_topic, decision.source_partition) != (self._topic, partition):
            raise PositionError(f"the notary's index names entry {index} for partition {partition}, which is another's")
        return Logged(decision, leaf, envelope.offset)

    async def history(
        self,
        consumer: AIOKafkaConsumer,
        partition: int,
        logged: Logged | None,
        progress: Callable[[], None],
        since: int | None = None,
    ) -> History:
        """Read a partition's `decisions`, calling `progress` for every batch.

        Args:
            consumer: reads this partition alone meanwhile.
            partition: whose.
            logged: the newest that the log holds.
            progress: called for every batch.
            since: the offset from which on they are needed for the windows; from the beginning if None. What the log does not
                hold yet is read in any case.

        Raises:
            PositionError: if they and the log disagree.
        """
        where = TopicPartition(DECISIONS, partition)
        first = (await consumer.beginning_offsets([where]))[where]
        if since is not None and logged is not None:
            first = max(first, min(since, logged.offset))
        history = History()
        async for records in batches_to_end(consumer, where, first):
            for record in records:
                self._read_decision(record, partition, logged, history)
            progress()
            await asyncio.sleep(0)
        if logged is not None:
            following = logged.decision.sequence + 1
            if history.newest is None:  # retention has emptied the topic
                history.newest = logged.decision
            elif history.newest.sequence < following - 1 and self.incidents.first_offset(partition, following) is not None:
                history.newest = logged.decision  # the topic lost what the log has, and two people said so
            elif history.newest.sequence < logged.decision.sequence:
                raise PositionError(
                    f"{DECISIONS}/{partition} ends at sequence {history.newest.sequence}, "
                    f"the log already has {logged.decision.sequence}: records were lost"
                )
        return history

    def _read_decision(self, record: ConsumerRecord, partition: int, logged: Logged | None, history: History) -> None:
        try:
            decision = Decision.FromString(record.value or b"")
        except DecodeError:
            return  # not ours; the notary logs it as malformed
        if (decision.source_topic, decision.source_partition) != (self._topic, partition):
            return
        newest = history.newest
        if newest is not None:
            expected = newest.sequence + 1
            if decision.sequence < expected:
                return  # decided twice: the first one counts
            if self.incidents.resuming(partition, expected, decision.sequence, record.offset):
                history.missing.append(range(newest.source_offset + 1, decision.source_offset))
            elif reason := not_due(
                decision.sequence,
                decision.source_offset,
                _activation(decision),
                expected=expected,
                last_source_offset=newest.source_offset,
                in_force=_activation(newest),
            ):
                if self.incidents.passing_over(partition, expected, record.offset):
                    return
                raise PositionError(f"{DECISIONS}/{partition}: {reason} (record at offset {record.offset})")
        if history.newest is None:
            history.first_offset = decision.source_offset
        history.newest = decision
        if decision.outcome == Outcome.OUTCOME_REJECTED:
            history.rejected.add(decision.source_offset)
        if logged is None or decision.sequence >= logged.decision.sequence:
            leaf = decision_leaf(DECISIONS, partition, record.offset, record.timestamp, record.value)
            if logged is None or decision.sequence > logged.decision.sequence:
                history.unlogged.append(Unlogged(record.timestamp, leaf))
            elif leaf != logged.leaf:
                raise PositionError(f"{DECISIONS}/{partition} and the log hold different decisions for {decision.sequence}")


def _activation(decision: Decision) -> int:
    return decision.activation_index if decision.HasField("activation_index") else -1


async def skip_deleted(consumer: AIOKafkaConsumer, partition: Partition, incidents: Incidents) -> None:
    """Go on where the input begins, if records that come next were deleted: in a partition that has nothing decided yet.

    In any other they had no decision and never will, so two people must have said so (an incident with which no decision is
    missing).

    Raises:
        PositionError: nobody has.
    """
    where = TopicPartition(partition.topic, partition.number)
    first = (await consumer.beginning_offsets([where]))[where]
    if first <= partition.next_offset:
        return
    sequence = partition.next_sequence
    if sequence and not incidents.input_is_lost(partition.number, sequence):
        raise PositionError(
            f"{where.topic}/{where.partition}: the records at {partition.next_offset} to {first - 1} were deleted before they"
            f" were scored (its retention is too short); an incident from sequence {sequence} to {sequence} lets the rest go on"
        )
    partition.next_offset = first


async def rebuild(consumer: AIOKafkaConsumer, partition: Partition, history: History, progress: Callable[[], None]) -> None:
    """Rebuild a partition's windows from its transactions, without emitting.

    Args:
        consumer: reads this partition alone while rebuilding.
        partition: fresh, or restored from a snapshot; stands behind the newest decision afterwards.
        history: what was decided, since the snapshot at the least.
        progress: called for every batch.
    """
    newest = history.newest
    if newest is None:
        return
    restored = partition.next_offset if partition.next_sequence else None
    partition.next_offset = newest.source_offset + 1
    partition.next_sequence = newest.sequence + 1
    partition.chain = newest.chain
    if history.first_offset is None:
        return  # the decisions' retention, which is longer than the windows, has passed since the last one
    where = TopicPartition(partition.topic, partition.number)
    # Of a transaction whose decision is gone nobody can say whether it was rejected.
    first = max((await consumer.beginning_offsets([where]))[where], history.first_offset if restored is None else restored)
    if first > newest.source_offset:
        return
    async for records in batches_to_end(consumer, where, first):
        for record in records:
            if record.offset > newest.source_offset:
                return
            if record.offset in history.rejected:
                continue
            if history.is_missing(record.offset):
                partition.replay_if_sound(record)
            else:
                partition.replay(record)
        progress()
        await asyncio.sleep(0)
