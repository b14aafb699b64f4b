"""The ends of partitions on Apache Kafka, where the last offsets may be markers and aborted records that nobody is given."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError, OffsetOutOfRangeError

from tallystick.embedded import ApacheKafka
from tallystick.runtime import kafka
from tallystick.runtime.settings import KafkaSettings

HISTORIES = 8
STEPS = 12
Committed = list[tuple[int, bytes]]
"""Offsets and values of what a reader is to be given."""


@pytest.fixture
def settings(apache_kafka: ApacheKafka) -> KafkaSettings:
    """Return how to reach the broker."""
    return KafkaSettings(kafka_bootstrap=apache_kafka.bootstrap)


@pytest.fixture
async def topic(settings: KafkaSettings) -> str:
    """Make a topic of this test's own."""
    name = f"test-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    await admin.start()
    await admin.create_topics([NewTopic(name, HISTORIES, 1)])
    await admin.close()
    return name


@pytest.fixture
async def plain(settings: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    """Start a producer without transactions."""
    async with kafka.producer(settings) as started:
        yield started


@pytest.fixture
async def transactional(settings: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    """Start a producer with transactions."""
    async with kafka.producer(settings, transactional_id=f"test-{secrets.token_hex(4)}") as started:
        yield started


@pytest.fixture
async def consumer(settings: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """Start a consumer without an assignment."""
    async with kafka.consumer(settings, fetch_max_wait_ms=20) as started:
        yield started


@pytest.mark.parametrize("history", range(HISTORIES))
async def test_whatever_was_aborted_reading_ends_at_the_end(
    plain: AIOKafkaProducer, transactional: AIOKafkaProducer, consumer: AIOKafkaConsumer, topic: str, history: int
) -> None:
    """Committed, aborted and plain records in any order: from any offset, exactly the committed ones to the very end.

    Histories 0 to 2 end in what is hardest to see: nothing but aborted, a long aborted tail, a commit's marker. Fails if the
    isolation is not `read_committed`, if the end is the last record's offset, or if `last_record` steps back once only.
    """
    where = TopicPartition(topic, history)
    committed, end = await _write(plain, transactional, where, _steps(history))
    while await kafka.high_watermark(consumer, where, 0) < end:  # noqa: ASYNC110  a marker comes when it comes
        await asyncio.sleep(0.01)
    last = await kafka.last_record(consumer, where)
    assert (last and (last.offset, last.value)) == (committed[-1] if committed else None)
    for start in {0, end // 2, max(0, end - 1), end}:
        read = await kafka.read_to_end(consumer, where, start)
        assert [(record.offset, record.value) for record in read] == [item for item in committed if item[0] >= start]
        assert await consumer.position(where) == end


async def test_an_open_transaction_is_waited_for(
    plain: AIOKafkaProducer, transactional: AIOKafkaProducer, consumer: AIOKafkaConsumer, topic: str
) -> None:
    """While a transaction is open before the end nobody says what the end holds: given up in time, or told once it is decided.

    Fails if reading ends at the last stable offset: whoever takes a partition over would not see what is about to be committed.
    """
    where = TopicPartition(topic, 0)
    await plain.send_and_wait(topic, b"before", partition=0)
    for decided in (transactional.commit_transaction, transactional.abort_transaction):
        before = await kafka.read_to_end(consumer, where, 0)
        await transactional.begin_transaction()
        await transactional.send_and_wait(topic, b"inside", partition=0)
        await plain.send_and_wait(topic, b"after", partition=0)
        with pytest.raises(KafkaTimeoutError, match=topic):
            await kafka.read_to_end(consumer, where, 0, timeout_s=0.5)
        reading = asyncio.create_task(kafka.read_to_end(consumer, where, 0))
        await asyncio.sleep(0.3)
        assert not reading.done()
        await decided()
        inside = [b"inside"] if decided == transactional.commit_transaction else []
        expected = [record.value for record in before] + inside + [b"after"]
        assert [record.value for record in await reading] == expected


async def test_an_offset_that_the_partition_does_not_have_is_refused(
    plain: AIOKafkaProducer, consumer: AIOKafkaConsumer, topic: str
) -> None:
    """No silent jump to another offset."""
    await plain.send_and_wait(topic, b"one", partition=0)
    with pytest.raises(OffsetOutOfRangeError):
        await kafka.read_to_end(consumer, TopicPartition(topic, 0), 7)


def _steps(history: int) -> list[tuple[str, int]]:
    """Return what is done, one after another: how, and with how many records."""
    if history == 0:
        return [("abort", 3), ("abort", 1)]
    if history == 1:
        return [("commit", 2), *[("abort", 1)] * 40]
    if history == 2:
        return [("plain", 2), ("abort", 30), ("commit", 1)]
    chance = random.Random(history)
    return [(chance.choice(("plain", "commit", "abort")), chance.randint(1, 9)) for _ in range(STEPS)]


async def _write(
    plain: AIOKafkaProducer, transactional: AIOKafkaProducer, where: TopicPartition, steps: list[tuple[str, int]]
) -> tuple[Committed, int]:
    """Write to an empty partition; return what is committed, and the end: each transaction has a marker.

    A commit's answer comes before its marker is written, so a marker may be behind what others wrote next.
    """
    committed: Committed = []
    end = 0
    for how, records in steps:
        values = [b"%d" % (end + number) for number in range(records)]
        if how != "plain":
            await transactional.begin_transaction()
        producer = plain if how == "plain" else transactional
        sending = [await producer.send(where.topic, value, partition=where.partition) for value in values]
        sent = [(await sending_one).offset for sending_one in sending]
        if how != "abort":
            committed += zip(sent, values, strict=True)
        end += records + (how != "plain")
        if how != "plain":
            await (transactional.abort_transaction if how == "abort" else transactional.commit_transaction)()
    return committed, end
