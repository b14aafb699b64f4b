"""Sending decisions. The broker's failures are a fake's: no real one fails on demand between two batches."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from aiokafka.errors import NotEnoughReplicasError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import RecordMetadata, TopicPartition

from tallystick.contracts import Outcome, ReasonCode
from tallystick.scoring.coverage import decision_leaf
from tallystick.scoring.emission import Parcel, pack
from tallystick.scoring.emitters import AtLeastOnce
from tallystick.scoring.engine import Decided

from .world import FakeRecord


@dataclass
class Broker:
    """Takes batches, and fails the n-th of a topic."""

    fail: dict[str, int] = field(default_factory=dict)
    sent: list[tuple[str, int, list[bytes | None]]] = field(default_factory=list)
    headers: list[Sequence[tuple[str, bytes | None]]] = field(default_factory=list)

    async def send_batch(self, builder: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        """Take a batch at once; its acknowledgement comes a moment later."""
        records = [record for batch in _batches(bytes(builder._build())) for record in batch]
        answer: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        count = sum(1 for name, _, _ in self.sent if name == topic)
        if self.fail.get(topic) == count:
            asyncio.get_running_loop().call_soon(answer.set_exception, NotEnoughReplicasError())
            return answer
        offset = sum(len(values) for name, number, values in self.sent if (name, number) == (topic, partition))
        self.sent.append((topic, partition, [record.value for record in records]))
        self.headers += [record.headers for record in records]
        where = TopicPartition(topic, partition)
        asyncio.get_running_loop().call_soon(answer.set_result, RecordMetadata(topic, partition, where, offset, -1, 0, 0))
        return answer


def _batches(data: bytes) -> "list[list[FakeRecord]]":
    records, found = MemoryRecords(data), []
    while records.has_next():
        found.append(list(records.next_batch()))
    return found


def _approved(decision: bytes) -> Decided:
    return Decided(decision, b"evidence of " + decision[:8], None, None, Outcome.OUTCOME_APPROVE)


def _packed(partition: int, decided: Sequence[Decided], now_ms: int = 1_000) -> Parcel:
    return pack("transactions", partition, decided, now_ms, transactional=False)


def _allowed() -> None:
    """Let everything pass."""


async def test_a_failed_batch_is_followed_by_none() -> None:
    """Decisions that fill several Kafka batches go out one by one, so that a failure leaves no gap behind it."""
    broker = Broker(fail={"decisions": 0})
    decided = [_approved(bytes([number]) * 300_000) for number in range(8)]
    with pytest.raises(ExceptionGroup):
        await AtLeastOnce(broker).emit([_packed(0, decided)], _allowed)
    assert [name for name, _, _ in broker.sent if name == "decisions"] == []


async def test_nothing_is_decided_without_its_evidence() -> None:
    """When evidence is not acknowledged, no decision is sent."""
    broker = Broker(fail={"evidence": 0})
    with pytest.raises(ExceptionGroup):
        await AtLeastOnce(broker).emit([_packed(0, [_approved(b"a"), _approved(b"b")])], _allowed)
    assert [name for name, _, _ in broker.sent] == []


async def test_a_pause_before_the_decisions_is_noticed() -> None:
    """What must not be decided any more, because the process slept meanwhile, is not."""
    broker = Broker()

    def closed() -> None:
        raise ValueError("the governance log is 90 s old")

    with pytest.raises(ValueError, match="90 s old"):
        await AtLeastOnce(broker).emit([_packed(0, [_approved(b"a")])], closed)
    assert [name for name, _, _ in broker.sent] == ["evidence"]


async def test_leaves_are_those_that_the_notary_will_log() -> None:
    """Every decision's leaf has its own offset, over several batches and partitions."""
    broker = Broker()
    values = [bytes([number]) * 300_000 for number in range(7)]
    parcels = [_packed(0, [_approved(value) for value in values], 2_500), _packed(3, [_approved(b"z")], 2_500)]
    leaves = await AtLeastOnce(broker).emit(parcels, _allowed)
    expected = [decision_leaf("decisions", 0, offset, 2_500, value) for offset, value in enumerate(values)]
    assert leaves == {0: expected, 3: [decision_leaf("decisions", 3, 0, 2_500, b"z")]}


async def test_odd_header_names_reach_the_dead_letters() -> None:
    """A header's name that is not UTF-8 is written out; values, null ones too, stay as they came."""
    broker = Broker()
    record = FakeRecord(
        offset=7, timestamp=5, key=None, value=None, headers=[(b"a\xff".decode(errors="surrogateescape"), None)]
    )
    reason = ReasonCode.REASON_CODE_VALUE_NULL
    rejected = Decided(b"d", None, record, reason, Outcome.OUTCOME_REJECTED)
    await AtLeastOnce(broker).emit([_packed(2, [rejected])], _allowed)
    assert broker.sent[0] == ("dead-letter", 2, [None])
    assert broker.headers[0] == [
        ("tallystick-reason", b"VALUE_NULL"),
        ("tallystick-source", b"transactions/2/7"),
        ("tallystick-timestamp-ms", b"5"),
        ("tallystick-key", None),
        ("a\\xff", None),
    ]
