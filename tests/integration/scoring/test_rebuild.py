"""Taking a partition over: positions and windows from what Kafka still has."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer

from tallystick.contracts import Decision, IncidentStatement, Outcome, Transaction
from tallystick.runtime import kafka
from tallystick.scoring.engine import Partition
from tallystick.scoring.logs import FollowedLogs
from tallystick.scoring.position import PositionError, Positions, rebuild
from tallystick.scoring.windows import digest_of
from tallystick.trust.incidents import NO_INCIDENTS, Incidents, SignedIncident

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


def _positions(stack: ProvisionedStack, incidents: Incidents = NO_INCIDENTS) -> Positions:
    return Positions(None, "", FollowedLogs({}), "transactions", incidents)  # type: ignore[arg-type]  # no notary is asked


def _incident(from_sequence: int, to_sequence: int, record_offset: int) -> Incidents:
    statement = IncidentStatement(
        topic="transactions", from_sequence=from_sequence, to_sequence=to_sequence, record_offset=record_offset
    )
    return Incidents.of([SignedIncident(0, b"", statement, ())], "transactions")


def _windows(partition: Partition) -> list[int]:
    ann = partition.customers.get("ann")
    assert ann is not None
    return ann.observe(digest_of("tx-9"), "EUR", _NOW_MS + 9, 100, (_DAY_MS,))


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
    windows = _windows(partition)
    assert windows == [4, 400]


async def test_a_hole_in_the_decisions_stops_the_partition_until_an_incident_passes_it(
    fresh_stack: ProvisionedStack,
    consumer: AIOKafkaConsumer,
) -> None:
    """Decisions that lack a sequence are nobody's work to continue; by an incident, windows hold what was or may be decided."""
    await _send(
        fresh_stack, "transactions", [_transaction(0), _transaction(1), b"\xff broken", _transaction(3), _transaction(4)]
    )
    kept = [_decision(number, number, Outcome.OUTCOME_APPROVE) for number in (0, 1, 4)]
    await _send(fresh_stack, "decisions", kept)
    with pytest.raises(PositionError, match="sequence 4 where 2 is next"):
        await _positions(fresh_stack).history(consumer, 0, None, lambda: None)
    with pytest.raises(PositionError, match="sequence 4 where 2 is next"):
        await _positions(fresh_stack, _incident(2, 3, 2)).history(consumer, 0, None, lambda: None)

    history = await _positions(fresh_stack, _incident(2, 4, 2)).history(consumer, 0, None, lambda: None)
    partition = Partition("transactions", 0, lambda _: 0)
    await rebuild(consumer, partition, history, lambda: None)
    assert (partition.next_offset, partition.next_sequence, partition.chain) == (5, 5, bytes([4]) * 32)
    windows = _windows(partition)
    assert windows == [5, 500]


async def test_what_an_incident_passes_over_is_not_what_the_partition_continues(
    fresh_stack: ProvisionedStack,
    consumer: AIOKafkaConsumer,
) -> None:
    """A forged decision stops its partition; by an incident it is as if it were not there, for scoring as for the notary."""
    forged, back = _decision(9, 9, Outcome.OUTCOME_APPROVE), _decision(2, 1, Outcome.OUTCOME_APPROVE)
    kept = [_decision(number, number, Outcome.OUTCOME_APPROVE) for number in (0, 1)]
    await _send(fresh_stack, "decisions", [*kept, forged, back])
    history = await _positions(fresh_stack, _incident(2, 2, 4)).history(consumer, 0, None, lambda: None)
    assert history.newest is not None
    assert (history.newest.sequence, len(history.unlogged)) == (1, 2)
    with pytest.raises(PositionError, match="source offset 1 after 1"):
        await _positions(fresh_stack, _incident(2, 5, 3)).history(consumer, 0, None, lambda: None)
