"""Kafka transactions: everything of one is visible to `read_committed` readers, or nothing; one at a time for one name.

Spoken on aiokafka's client and protocol rather than through its producer, whose traps these are: it waits 20 ms between two
transactions, retries for ever what its caller would rather give up, and commits although a batch of the transaction failed.
Here nothing is tried again but what the broker asks to wait for; whatever else goes wrong ends the transactor, and its owner
starts another under the same name, which ends what the first left open and finds out from Kafka how far it came. So no answer
that was lost has to be guessed (KIP-98; KIP-360 and KIP-890 for what newer brokers check besides).

A coordinator that cannot find a partition's leader takes it for deleted and ends the transaction without that partition's
marker: after a kill -9 of a lone broker, now and then. There the transaction hangs for ever, and `read_committed` readers
with it (KIP-664). So a transactor begins by aborting an empty transaction over all its partitions, whose markers end it.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    IllegalStateError,
    IncompatibleBrokerVersion,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    NotCoordinatorError,
    UnknownError,
    UnsupportedVersionError,
    for_code,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest
from aiokafka.structs import RecordMetadata

from tallystick.runtime.kafka import READ_TIMEOUT_S, client_options
from tallystick.runtime.settings import KafkaSettings

_PRODUCER_FENCED = 90  # aiokafka does not know it
_FENCED = (InvalidProducerEpoch, InvalidProducerIdMapping)
_LATER = (ConcurrentTransactions, CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)
_NO_TRANSACTIONS = (IncompatibleBrokerVersion, NotImplementedError, UnknownError, UnsupportedVersionError)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.001, 0.05  # markers are written within milliseconds, a coordinator loads for longer
_REQUEST_TIMEOUT_MS = 10_000
_SEQUENCES = 2**31
_ALL_REPLICAS = -1


class FencedError(RuntimeError):
    """Another transactor has taken the name over, or the broker gave this one up because it took too long."""


class NoTransactionsError(RuntimeError):
    """The broker has no transactions."""


class Transactor:
    """Writes one transaction after the other under one name.

    Args:
        client: bootstrapped; may be shared: every transactor has connections of its own, so that none waits for another's
            acknowledgements.
        transactional_id: the name; starting another transactor under it fences this one.
        timeout_s: how long a transaction may be open before the broker gives it up, and fences this transactor.
        partitions: those it is to write to.
    """

    def __init__(
        self, client: AIOKafkaClient, transactional_id: str, timeout_s: float, partitions: Collection[TopicPartition]
    ) -> None:
        self._client = client
        self._id = transactional_id
        self._partitions = partitions
        self._timeout_ms = int(timeout_s * 1000)
        self._coordinator: int | None = None
        self._producer = (-1, -1)  # id and epoch
        self._sequences: dict[TopicPartition, int] = defaultdict(int)
        self._usable = False

    async def start(self) -> None:
        """Fence whoever had this name, and wait until what it left open is aborted, and what it committed is visible.

        What hangs in the partitions under this name is aborted as well; readers see it by and by, as any marker.

        Raises:
            NoTransactionsError: the broker has none.
            TransactionalIdAuthorizationFailed: it refuses the name.
            FencedError: another has started under the name meanwhile.
            KafkaError: it does not answer; try again.
        """
        try:
            answer = await self._ask(lambda: InitProducerIdRequest(self._id, self._timeout_ms), _only_error, patient=True)
        except _NO_TRANSACTIONS as error:
            raise NoTransactionsError("the Kafka broker has no transactions") from error
        self._producer = (answer.producer_id, answer.producer_epoch)
        self._sequences.clear()
        if self._partitions:
            await self._add(self._partitions)
            await self._end(committed=False)
        self._usable = True

    async def commit(
        self, batches: Mapping[TopicPartition, Sequence[BatchBuilder]], check: Callable[[], None]
    ) -> dict[TopicPartition, list[RecordMetadata]]:
        """Write these batches, those of a partition in order, in one transaction, and return where each has come to lie.

        After an error nobody knows whether it is committed, and this transactor takes no other.

        Args:
            batches: transactional ones, not empty.
            check: called when everything is written and nothing committed; what it raises ends the transaction.

        Raises:
            FencedError: another has the name now, or the broker gave this transaction up.
            KafkaError: something else went wrong, or is not known to have gone well.
        """
        if not self._usable:
            raise IllegalStateError(f"{self._id} was not started, or has failed")
        self._usable = False
        await self._add(batches.keys())
        written = await self._write(batches)
        check()
        await self._end(committed=True)
        self._usable = True
        return written

    async def _end(self, *, committed: bool) -> None:
        await self._ask(lambda: EndTxnRequest(self._id, *self._producer, transaction_result=committed), _only_error)

    async def _add(self, partitions: Collection[TopicPartition]) -> None:
        """Make partitions part of the transaction; while the markers of the one before are being written, this waits."""
        topics: dict[str, list[int]] = defaultdict(list)
        for topic, partition in partitions:
            topics[topic].append(partition)
        await self._ask(
            lambda: AddPartitionsToTxnRequest(self._id, *self._producer, list(topics.items())),
            lambda answer: [code for _, errors in answer.errors for _, code in errors],
        )

    async def _write(
        self, batches: Mapping[TopicPartition, Sequence[BatchBuilder]]
    ) -> dict[TopicPartition, list[RecordMetadata]]:
        written: dict[TopicPartition, list[RecordMetadata]] = {where: [] for where in batches}
        # A request takes one batch a partition; the next goes out only when that one is there, as its sequence demands.
        for place in range(max(map(len, batches.values()))):
            by_leader: dict[int, dict[TopicPartition, bytearray]] = defaultdict(dict)
            for where, builders in batches.items():
                if place < len(builders):
                    by_leader[await self._leader(where)][where] = self._stamped(where, builders[place])
            async with asyncio.TaskGroup() as tasks:
                sends = [tasks.create_task(self._produce(leader, some)) for leader, some in by_leader.items()]
            for metadata in (one for send in sends for one in send.result()):
                written[metadata.topic_partition].append(metadata)
        return written

    def _stamped(self, where: TopicPartition, builder: BatchBuilder) -> bytearray:
        sequence = self._sequences[where]
        builder._set_producer_state(*self._producer, sequence)  # aiokafka's own producer does it so
        self._sequences[where] = (sequence + builder.record_count()) % _SEQUENCES
        return builder._build()  # type: ignore[no-any-return]  # aiokafka ships no types

    async def _leader(self, where: TopicPartition) -> int:
        leader = self._client.cluster.leader_for_partition(where)
        if leader is None or leader < 0:
            await self._client._wait_on_metadata(where.topic)
            leader = self._client.cluster.leader_for_partition(where)
        if leader is None or leader < 0:
            raise LeaderNotAvailableError(f"{where.topic}/{where.partition} has no leader")
        return int(leader)

    async def _produce(self, leader: int, batches: Mapping[TopicPartition, bytearray]) -> list[RecordMetadata]:
        topics = defaultdict(list)
        for (topic, partition), batch in batches.items():
            topics[topic].append((partition, batch))
        request = ProduceRequest(self._id, _ALL_REPLICAS, _REQUEST_TIMEOUT_MS, list(topics.items()))
        answer = await self._client.send(leader, request, group=self._id)
        written = []
        for topic, partitions in answer.topics:
            for partition, error_code, offset, timestamp_ms, *_ in partitions:
                if error_code != NoError.errno:
                    raise _error(error_code, f"{topic}/{partition}")
                where = TopicPartition(topic, partition)
                written.append(RecordMetadata(topic, partition, where, offset, timestamp_ms, int(timestamp_ms != -1), None))
        if len(written) != len(batches) or any(metadata.offset < 0 for metadata in written):
            raise KafkaError(f"{self._id}: the broker does not say where it put a batch")
        return written

    async def _ask(self, request: Callable[[], Any], codes: Callable[[Any], list[int]], *, patient: bool = False) -> Any:
        """Ask the coordinator, again while it says that a transaction is still ending; a patient one also waits for it."""
        later = _LATER if patient else (ConcurrentTransactions,)
        deadline, wait_s = time.monotonic() + READ_TIMEOUT_S, _FIRST_WAIT_S
        while True:
            try:
                if self._coordinator is None:
                    self._coordinator = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, self._id)
                answer = await self._client.send(self._coordinator, request(), group=self._id)
                wrong = [code for code in codes(answer) if code != NoError.errno]
                if not wrong:
                    return answer
                raise _error(wrong[0], self._id)
            except later as error:
                if time.monotonic() > deadline:
                    raise
                if not isinstance(error, ConcurrentTransactions):
                    self._coordinator = None
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


@asynccontextmanager
async def client(settings: KafkaSettings, topics: Iterable[str]) -> AsyncIterator[AIOKafkaClient]:
    """Give a client for transactors that write to these topics. Raises KafkaError."""
    opened = AIOKafkaClient(**client_options(settings), request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await opened.bootstrap()
        await opened.set_topics(topics)
        yield opened
    finally:
        await opened.close()


async def has_transactions(settings: KafkaSettings, transactional_id: str) -> bool:
    """Tell whether the brokers have transactions, by starting a transactor under this name, which nobody else must have.

    Asking for the list of their APIs does not do: some brokers list what they then refuse.

    Raises:
        TransactionalIdAuthorizationFailed: they have, and refuse the name.
        KafkaError: they do not answer; try again.
    """
    async with client(settings, ()) as asking:
        try:
            await Transactor(asking, transactional_id, _REQUEST_TIMEOUT_MS / 1000, ()).start()
        except NoTransactionsError:
            return False
    return True


def _only_error(answer: Any) -> list[int]:
    return [answer.error_code]


def _error(code: int, where: str) -> Exception:
    error = for_code(code)
    if code == _PRODUCER_FENCED or error in _FENCED:
        return FencedError(f"{where}: another process has taken over, or a transaction took too long")
    return error(where)  # type: ignore[no-any-return]  # aiokafka ships no types
