"""Taking a partition over: positions and windows from what Kafka still has."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer

from tallystick.contracts import Decision, Outcome, Transaction
from tallystick.runtime import kafka
from tallystick.scoring.engine import Partition
from tallystick.scoring.logs import FollowedLogs
from tallystick.scoring.position import PositionError, Positions, rebuild

from ..stack import ProvisionedStack

_DAY_MS = 86_400_000
_NOW_MS = 1_700_000_000_000


def _transaction(number: int) -> bytes:
    return Transaction(
        transaction_id=f"tx-{number}", customer_id="ann", amount_minor=100, currency="EUR", event_time_ms=_NOW_MS + number
    ).SerializeToString()


def _decision(sequence: int, offset: int, outcome: Outcome) -> bytes:
    return Decision(
        source_topic="transactions", source_offset=offset, sequence=sequence, outcome=outcome, chain=bytes([sequence]) * 32
    ).SerializeToString()


@pytest.fixture
async def consumer(fresh_stack: ProvisionedStack) -> AsyncIterator[AIOKafkaConsumer]:
    """Start a consumer without an assignment."""
    async with kafka.consumer(fresh_stack.kafka_settings()) as started:
        yield started


async def _send(stack: ProvisionedStack, topic: str, values: list[bytes]) -> None:
    async with kafka.producer(stack.kafka_settings()) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"ann", partition=0)


def _positions(stack: ProvisionedStack) -> Positions:
    return Positions(None, "", FollowedLogs({}), "transactions")  # type: ignore[arg-type]  # no notary is asked


async def test_a_rejected_record_whose_decision_has_expired_is_left_out(
    fresh_stack: ProvisionedStack,
    consumer: AIOKafkaConsumer,
) -> None:
    """The windows are rebuilt from the oldest decision on: what was decided before it may have been rejected."""
    await _send(
        fresh_stack, "transactions", [b"\xff broken", _transaction(1), _transaction(2), b"\xff broken too", _transaction(4)]
    )
    kept = [
        (1, Outcome.OUTCOME_APPROVE),
        (2, Outcome.OUTCOME_APPROVE),
        (3, Outcome.OUTCOME_REJECTED),
        (4, Outcome.OUTCOME_DECLINE),
    ]
    await _send(fresh_stack, "decisions", [_decision(offset, offset, outcome) for offset, outcome in kept])
    turned = []
    history = await _positions(fresh_stack).history(consumer, 0, None, lambda: turned.append("read"))
    partition = Partition("transactions", 0, lambda _: 0)
    await rebuild(consumer, partition, history, lambda: turned.append("rebuilt"))
    assert (partition.next_offset, partition.next_sequence, partition.chain) == (5, 5, bytes([4]) * 32)
    assert history.rejected == {3}
    assert set(turned) == {"read", "rebuilt"}  # long acquisitions count as progress
    windows = partition._customer(b"ann", Transaction(customer_id="ann")).observe("tx-9", "EUR", _NOW_MS + 9, 100, (_DAY_MS,))
    assert windows == [4, 400]


async def test_a_hole_in_the_decisions_stops_the_partition(
    fresh_stack: ProvisionedStack,
    consumer: AIOKafkaConsumer,
) -> None:
    """Decisions that lack a sequence are nobody's work to continue."""
    await _send(fresh_stack, "decisions", [_decision(number, number, Outcome.OUTCOME_APPROVE) for number in (0, 1, 3)])
    with pytest.raises(PositionError, match="lacks sequence 2"):
        await _positions(fresh_stack).history(consumer, 0, None, lambda: None)
