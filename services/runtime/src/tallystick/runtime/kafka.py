"""Kafka clients as Tallystick uses them: committed records only, no automatic commits, no silent jump to another offset.

The end of a partition is the larger of what a fetch says (the high watermark) and what `ListOffsets` says: some brokers answer
the second too low always, and each answers the first too low just after it has become a partition's leader (KIP-207). After a
transaction the last offsets are markers that no consumer is ever given: one has read to the end when its position is there.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from tallystick.runtime import bare_records, lenient_records
from tallystick.runtime.backoff import retry
from tallystick.runtime.cancellation import StrayCancellationError, no_stray_cancellation
from tallystick.runtime.health import Health
from tallystick.runtime.settings import KafkaSettings, read_secret

# Well below health's `max_silence_s`: a broker that is away must not make a service look dead.
READ_TIMEOUT_S = 15.0
_POLL_MS = 20
_SETTLING_TURNS = 20

Client = TypeVar("Client", AIOKafkaConsumer, AIOKafkaProducer)

lenient_records.install()
bare_records.install()


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the options by which any aiokafka client reaches the brokers: addresses, TLS and SASL."""
    options: dict[str, Any] = {
        "bootstrap_servers": [address.strip() for address in settings.kafka_bootstrap.split(",")],
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_password_file:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = read_secret(settings.kafka_password_file)
    return options


@contextlib.asynccontextmanager
async def started(make: Callable[[], Client], health: Health, component: str) -> AsyncIterator[Client]:
    """Give a client that has started, however long Kafka takes to answer, and stop it in the end.

    Args:
        make: makes one that is not started; asked again for each try.
        health: told while Kafka is away.
        component: the name that Kafka has there.
    """

    async def attempt() -> Client:
        client = make()
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        return client

    client = await retry(attempt, health=health, component=component)
    try:
        yield client
    finally:
        await client.stop()


def consumer(settings: KafkaSettings, **options: Any) -> AIOKafkaConsumer:
    """Make a consumer (not started): `read_committed`, commits and offsets only by hand. Keywords are aiokafka's."""
    defaults = {"isolation_level": "read_committed", "enable_auto_commit": False, "auto_offset_reset": "none"}
    return _Consumer(**(client_options(settings) | defaults | options))


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """A consumer that can be stopped at any time.

    aiokafka's fetcher, told to end while it drops the fetches of an assignment that has just changed, swallows that and goes
    on; `stop` then waits for it for ever. So it is given the turns of the event loop in which it finishes dropping them.
    """

    async def stop(self) -> None:
        """Stop, once the fetcher has taken note of its assignment."""
        try:
            for _ in range(_SETTLING_TURNS):
                await asyncio.sleep(0)
        finally:
            await super().stop()


def producer(settings: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    """Make a producer (not started) whose records are acknowledged by all replicas. Keywords are aiokafka's."""
    return _Producer(**(client_options(settings) | {"acks": "all"} | options))


class _Producer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka ships no types
    """A producer that is closed when it was stopped.

    aiokafka's `stop` waits for its sender first; should a cancellation come out of that wait, closing the connections is left
    undone.
    """

    async def stop(self) -> None:
        """Stop, and close the connections in any case."""
        try:
            with no_stray_cancellation("the Kafka producer's sender"):
                await super().stop()
        except StrayCancellationError:
            await self.client.close()


async def batches_to_end(
    reader: AIOKafkaConsumer, partition: TopicPartition, start: int, timeout_s: float = READ_TIMEOUT_S
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Give the committed records from offset `start` to the partition's end, as fetched.

    The end is the one that the brokers say after the call, so whatever was acknowledged before it is included; while a
    transaction is open before it, this waits. `reader` is assigned to this partition alone, and stands behind the last
    record when done.

    Raises KafkaTimeoutError if nothing is read for `timeout_s`, OffsetOutOfRangeError if `start` is not in the partition.
    """
    listed = await _listed_end(reader, partition)
    # A new assignment forgets the watermark and drops the answers of fetches that are under way.
    reader.assign([partition])
    reader.seek(partition, start)
    end: int | None = None
    deadline = time.monotonic() + timeout_s
    while end is None or await reader.position(partition) < end:
        fetched = await reader.getmany(partition, timeout_ms=_POLL_MS)
        if end is None and (fetch_says := reader.highwater(partition)) is not None:
            end = max(fetch_says, listed)
        if records := fetched.get(partition):
            deadline = time.monotonic() + timeout_s
            yield records
        elif time.monotonic() > deadline:
            where = f"{partition.topic}/{partition.partition}"
            raise KafkaTimeoutError(f"no answer from Kafka for {where} within {timeout_s:g} s")


async def read_to_end(
    reader: AIOKafkaConsumer, partition: TopicPartition, start: int, timeout_s: float = READ_TIMEOUT_S
) -> list[ConsumerRecord]:
    """Return the committed records from offset `start` to the partition's end; see `batches_to_end`."""
    return [record async for batch in batches_to_end(reader, partition, start, timeout_s) for record in batch]


async def last_record(
    reader: AIOKafkaConsumer, partition: TopicPartition, timeout_s: float = READ_TIMEOUT_S
) -> ConsumerRecord | None:
    """Return the partition's last committed record, stepping back over transaction markers; None if there is none.

    Assigns `reader` to this partition alone. Raises KafkaTimeoutError.
    """
    first: int = (await reader.beginning_offsets([partition]))[partition]
    end = await high_watermark(reader, partition, first, timeout_s)
    step = 1
    while end > first:
        start = max(first, end - step)
        if records := await read_to_end(reader, partition, start, timeout_s):
            return records[-1]
        if start == first:
            break
        step *= 4
    return None


async def high_watermark(
    reader: AIOKafkaConsumer, partition: TopicPartition, at: int, timeout_s: float = READ_TIMEOUT_S
) -> int:
    """Return where the partition ends, asking also by a fetch at offset `at`; assigns `reader` to it alone.

    Raises KafkaTimeoutError.
    """
    listed = await _listed_end(reader, partition)
    reader.assign([partition])
    reader.seek(partition, at)
    deadline = time.monotonic() + timeout_s
    while (fetch_says := reader.highwater(partition)) is None:
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"no answer from Kafka for {partition.topic}/{partition.partition} within {timeout_s:g} s")
        await reader.getmany(partition, timeout_ms=_POLL_MS, max_records=1)
    return max(int(fetch_says), listed)


async def _listed_end(reader: AIOKafkaConsumer, partition: TopicPartition) -> int:
    try:
        return int((await reader.end_offsets([partition]))[partition])
    except KafkaTimeoutError as error:
        raise KafkaTimeoutError(f"no answer from Kafka for {partition.topic}/{partition.partition}: {error}") from error


async def partitions_of(reader: AIOKafkaConsumer, topic: str) -> frozenset[int]:
    """Return a topic's partitions, none if there is no such topic.

    All topics are asked for, because asking for one makes it where brokers create topics by themselves; and the consumer's own
    knowledge is not used, for it knows nothing of topics that it has not been assigned.
    """
    return frozenset((await reader._client.fetch_all_metadata()).partitions_for_topic(topic) or ())


async def watch(
    client: AIOKafkaConsumer, health: Health, *, component: str = "kafka", every_s: float = 2.0, timeout_s: float = 5.0
) -> None:
    """Ask the brokers for their metadata every few seconds and say in health whether they answer; until cancelled.

    aiokafka's consumer waits in silence for brokers that are gone, so that somebody must ask.
    """
    while True:
        try:
            # Not `wait_for`: before Python 3.12 it forgets that it was cancelled when the answer comes at the same moment, as
            # happens to a process that wakes, and then this would never end.
            async with asyncio.timeout(timeout_s):
                await client.topics()
        except (KafkaError, OSError) as error:
            health.failing(component, str(error) or f"no answer within {timeout_s:g} s")
        else:
            health.ok(component)
        await asyncio.sleep(every_s)


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_cert_file:
        context.load_cert_chain(settings.kafka_cert_file, settings.kafka_key_file)
    return context
