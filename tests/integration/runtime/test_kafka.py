"""Kafka through `runtime`, on a real broker."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError

from tallystick.runtime import kafka
from tallystick.runtime.health import Health

from ..stack import ProvisionedStack


@pytest.fixture
async def partition(stack: ProvisionedStack) -> TopicPartition:
    """Make a partition of a topic of its own."""
    topic = f"test-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(**kafka.client_options(stack.kafka_settings()))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    return TopicPartition(topic, 0)


@pytest.fixture
async def producer(stack: ProvisionedStack) -> AsyncIterator[AIOKafkaProducer]:
    """Start a producer."""
    async with kafka.producer(stack.kafka_settings()) as started:
        yield started


@pytest.fixture
async def consumer(stack: ProvisionedStack) -> AsyncIterator[AIOKafkaConsumer]:
    """Start a consumer without an assignment."""
    async with kafka.consumer(stack.kafka_settings()) as started:
        yield started


async def _send(producer: AIOKafkaProducer, partition: TopicPartition, values: list[bytes]) -> None:
    """Send values in batches of their own, so that the last batch is not the whole partition."""
    for start in range(0, len(values), 7):
        sent = [await producer.send(partition.topic, value, partition=0) for value in values[start : start + 7]]
        await asyncio.gather(*sent)


@pytest.mark.parametrize("start", [0, 1, 24, 25])
async def test_reads_from_any_offset_to_the_very_end(
    producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, partition: TopicPartition, start: int
) -> None:
    """Every record from the start offset is read, the last batch's included, whatever ListOffsets says."""
    values = [b"%d" % number for number in range(25)]
    await _send(producer, partition, values)
    assert [record.value for record in await kafka.read_to_end(consumer, partition, start)] == values[start:]


async def test_an_empty_partition_ends_at_once(consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
    """Nothing to read is an answer, without waiting for the timeout."""
    started = time.monotonic()
    assert await kafka.read_to_end(consumer, partition, 0) == []
    assert await kafka.last_record(consumer, partition) is None
    assert time.monotonic() - started < kafka.READ_TIMEOUT_S / 2


async def test_sees_what_was_acknowledged_before_the_call(
    producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, partition: TopicPartition
) -> None:
    """A watermark from an earlier fetch is not taken for the end."""
    for number in range(20):
        await producer.send_and_wait(partition.topic, b"%d" % number, partition=0)
        records = await kafka.read_to_end(consumer, partition, number)
        assert [record.value for record in records] == [b"%d" % number]


async def test_the_last_record_is_the_last(
    producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, partition: TopicPartition
) -> None:
    """`last_record` gives the last one of a batch, not its first."""
    await _send(producer, partition, [b"%d" % number for number in range(30)])
    record = await kafka.last_record(consumer, partition)
    assert record is not None
    assert record.value == b"29"


async def test_nothing_is_read_beyond_a_silent_broker(fresh_stack: ProvisionedStack) -> None:
    """When the broker freezes, reading to the end fails in time, and `watch` says so in health until it answers again."""
    health = Health("test", components=["kafka"])
    async with kafka.consumer(fresh_stack.kafka_settings(), request_timeout_ms=1_000) as consumer:
        watching = asyncio.create_task(kafka.watch(consumer, health, every_s=0.1, timeout_s=0.5))
        await _until(lambda: health.ready)
        fresh_stack.servers.kafka.pause()
        with pytest.raises(KafkaTimeoutError, match="governance"):
            await kafka.read_to_end(consumer, TopicPartition("governance", 0), 0, timeout_s=1.0)
        await _until(lambda: health.state("kafka").startswith("not answering since"))
        fresh_stack.servers.kafka.resume()
        await _until(lambda: health.ready)
        assert await kafka.read_to_end(consumer, TopicPartition("governance", 0), 0) == []
        watching.cancel()


async def _until(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_consumer_stops_right_after_a_new_assignment(stack: ProvisionedStack, partition: TopicPartition) -> None:
    """A consumer whose fetch is under way, assigned anew and stopped a few turns of the loop later, does stop."""

    async def assign_and_stop(turns: int) -> None:
        reader = kafka.consumer(stack.kafka_settings(), fetch_max_wait_ms=30_000)
        await reader.start()
        for _ in range(2):
            reader.assign([partition])
            reader.seek(partition, 0)
            await reader.getmany(timeout_ms=200)
        reader.assign([partition])
        for _ in range(turns):
            await asyncio.sleep(0)
        await reader.stop()

    async with asyncio.timeout(60):
        await asyncio.gather(*(assign_and_stop(turns) for turns in range(8)))


async def test_a_producer_is_closed_though_its_sender_was_cancelled(
    stack: ProvisionedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation that comes out of aiokafka's sender neither ends who stops the producer nor leaves connections behind."""

    async def cancelled() -> None:
        raise asyncio.CancelledError

    started = kafka.producer(stack.kafka_settings())
    await started.start()
    sender = started._sender
    with monkeypatch.context() as patched:
        patched.setattr(sender, "close", cancelled)  # a race that cannot be made to come out each time
        await started.stop()
    await sender.close()
    assert started.client._sync_task is None
