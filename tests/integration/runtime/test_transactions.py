"""Transactions on Apache Kafka: everything of one is seen or nothing, under one name by one owner only, whatever gets lost."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from tallystick.embedded import ApacheKafka
from tallystick.runtime import kafka, transactions
from tallystick.runtime.settings import KafkaSettings
from tallystick.runtime.transactions import FencedError, Transactor

from ..proxy import CuttableProxy
from ..stack import ProvisionedStack

TOPICS = ("left", "right")
WORDS = {"begin": b"\x00\x18\x00\x00", "write": b"in doubt", "commit": b"\x00\x1a\x00\x00"}
"""What each request holds and no other: its number and version, or the value written."""
TIMEOUT_S = 60.0  # far longer than any test: nothing here waits for the broker's patience


@pytest.fixture
def settings(apache_kafka: ApacheKafka) -> KafkaSettings:
    """Return how to reach the broker."""
    return KafkaSettings(kafka_bootstrap=apache_kafka.bootstrap)


@pytest.fixture
async def topics(settings: KafkaSettings) -> list[str]:
    """Make two topics of this test's own, of one partition each."""
    names = [f"{name}-{secrets.token_hex(4)}" for name in TOPICS]
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    await admin.close()
    async with kafka.consumer(settings) as reader:  # until their leader answers for them
        for name in names:
            await kafka.read_to_end(reader, TopicPartition(name, 0), 0)
    return names


@pytest.fixture
async def client(settings: KafkaSettings, topics: list[str]) -> AsyncIterator[AIOKafkaClient]:
    """Connect to the broker."""
    async with transactions.client(settings, topics) as opened:
        yield opened


@pytest.fixture
async def reader(settings: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """Start a consumer without an assignment."""
    async with kafka.consumer(settings, fetch_max_wait_ms=20) as started:
        yield started


@pytest.fixture
async def unverified(settings: KafkaSettings) -> AsyncIterator[None]:
    """Let the broker take batches of transactions that it knows nothing of: so one comes to hang at will (KIP-890)."""
    await _configure(settings, {"transaction.partition.verification.enable": "false"})
    yield
    await _configure(settings, {})


async def _configure(settings: KafkaSettings, broker: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", broker)])
    await admin.close()


@pytest.fixture
def name() -> str:
    """Return a transactional id of this test's own."""
    return f"test-{secrets.token_hex(4)}"


def _batch(*values: bytes) -> BatchBuilder:
    builder = BatchBuilder(900_000, 0, is_transactional=True)
    now_ms = time.time_ns() // 1_000_000  # an old one, and Kafka would soon delete the segment
    for value in values:
        builder.append(timestamp=now_ms, key=None, value=value, headers=[])
    return builder


def _both(topics: list[str], *values: bytes) -> dict[TopicPartition, list[BatchBuilder]]:
    return {TopicPartition(topic, 0): [_batch(*values)] for topic in topics}


async def _seen(reader: AIOKafkaConsumer, topics: list[str], timeout_s: float = kafka.READ_TIMEOUT_S) -> list[list[bytes]]:
    return [
        [record.value for record in await kafka.read_to_end(reader, TopicPartition(topic, 0), 0, timeout_s)] for topic in topics
    ]


def _let() -> None:
    """Let everything pass."""


class _DiedError(Exception):
    """The process ends here."""


def _die() -> None:
    raise _DiedError


async def _started(client: AIOKafkaClient, name: str, timeout_s: float = TIMEOUT_S, topics: Sequence[str] = ()) -> Transactor:
    transactor = Transactor(client, name, timeout_s, [TopicPartition(topic, 0) for topic in topics])
    await transactor.start()
    return transactor


async def test_batches_of_several_topics_are_seen_together_in_order(
    client: AIOKafkaClient, reader: AIOKafkaConsumer, topics: list[str], name: str
) -> None:
    """One transaction after another, of several batches each: all is there, in order, each batch where it is said to be."""
    transactor = await _started(client, name)
    expected: list[bytes] = []
    for number in range(5):
        values = [b"%d-%d" % (number, place) for place in range(3)]
        batches = {TopicPartition(topic, 0): [_batch(*values[:2]), _batch(values[2])] for topic in topics}
        written = await transactor.commit(batches, _let)
        offsets = [metadata.offset for metadata in written[TopicPartition(topics[0], 0)]]
        assert offsets == [4 * number, 4 * number + 2]  # a marker behind each transaction
        expected += values
    assert await _seen(reader, topics) == [expected, expected]


async def test_what_a_dead_process_left_open_is_never_seen_and_waited_for_by_nobody(
    client: AIOKafkaClient, reader: AIOKafkaConsumer, topics: list[str], name: str
) -> None:
    """Its successor ends it by starting, long before the broker would.

    Fails if the successor does not take the same name: the transaction stays open, and reading to the end waits for it.
    """
    await (await _started(client, name)).commit(_both(topics, b"one"), _let)
    dead = await _started(client, name)
    with pytest.raises(_DiedError):
        await dead.commit(_both(topics, b"never"), _die)
    with pytest.raises(IllegalStateError):
        await dead.commit(_both(topics, b"nor this"), _let)
    successor = await _started(client, name)
    assert await _seen(reader, topics) == [[b"one"], [b"one"]]
    await successor.commit(_both(topics, b"two"), _let)
    assert await _seen(reader, topics) == [[b"one", b"two"], [b"one", b"two"]]


@pytest.mark.usefixtures("unverified")
async def test_what_hangs_is_aborted_by_a_successor(
    client: AIOKafkaClient, reader: AIOKafkaConsumer, topics: list[str], name: str
) -> None:
    """A transaction that the coordinator has forgotten, as one whose marker it left out, ends with the next owner's start.

    Fails if the successor does not write markers of its own: nobody else would, and reading to the end waits in vain.
    """
    forgotten = await _started(client, name)
    await forgotten.commit(_both(topics, b"one"), _let)
    assert await _seen(reader, topics) == [[b"one"], [b"one"]]  # its markers are written by now
    await forgotten._write(_both(topics, b"hangs"))
    await _started(client, name)
    with pytest.raises(KafkaTimeoutError, match="no answer"):
        await _seen(reader, topics, timeout_s=2.0)
    successor = await _started(client, name, topics=topics)
    assert await _seen(reader, topics) == [[b"one"], [b"one"]]
    await successor.commit(_both(topics, b"two"), _let)
    assert await _seen(reader, topics) == [[b"one", b"two"], [b"one", b"two"]]


@pytest.mark.parametrize("when", ["before it begins", "when all is written"])
async def test_of_two_owners_the_later_one_writes(
    client: AIOKafkaClient, reader: AIOKafkaConsumer, topics: list[str], name: str, when: str
) -> None:
    """The earlier one is fenced, at whatever point it stands, and nothing of its transaction is ever seen."""
    earlier = await _started(client, name)
    await earlier.commit(_both(topics, b"one"), _let)
    later = Transactor(client, name, TIMEOUT_S, ())
    if when == "before it begins":
        await later.start()
        with pytest.raises(FencedError, match=name):
            await earlier.commit(_both(topics, b"late"), _let)
    else:
        written, go_on = asyncio.Event(), asyncio.Event()
        paused = asyncio.create_task(_commit_paused(earlier, _both(topics, b"late"), written, go_on))
        await written.wait()
        await later.start()
        go_on.set()
        with pytest.raises(FencedError, match=name):
            await paused
    await later.commit(_both(topics, b"two"), _let)
    assert await _seen(reader, topics) == [[b"one", b"two"], [b"one", b"two"]]


async def _commit_paused(
    transactor: Transactor, batches: dict[TopicPartition, list[BatchBuilder]], written: asyncio.Event, go_on: asyncio.Event
) -> None:
    """Commit, standing still between the last write and the commit as a process does that is stopped there."""
    ask = transactor._ask

    async def pausing(*args: Any, **options: Any) -> Any:
        if written_by_now:
            written.set()
            await go_on.wait()
        return await ask(*args, **options)

    written_by_now: list[bool] = []
    transactor._ask = pausing  # type: ignore[method-assign]  # a real pause stops the event loop, and this test with it
    await transactor.commit(batches, lambda: written_by_now.append(True))


async def test_a_failed_batch_takes_its_transaction_with_it(
    client: AIOKafkaClient, reader: AIOKafkaConsumer, topics: list[str], name: str
) -> None:
    """When the broker refuses one batch, those that it took are not seen either."""
    left, right = topics
    batches = {TopicPartition(left, 0): [_batch(b"fits")], TopicPartition(right, 0): [_batch(b"x" * 1_200_000)]}
    with pytest.raises(ExceptionGroup) as raised:
        await (await _started(client, name)).commit(batches, _let)
    assert isinstance(raised.value.exceptions[0], MessageSizeTooLargeError)
    await _started(client, name)
    assert await _seen(reader, topics) == [[], []]


@contextlib.asynccontextmanager
async def _through(proxy: CuttableProxy, settings: KafkaSettings, topics: list[str]) -> AsyncIterator[AIOKafkaClient]:
    """Connect through the proxy, whatever address the broker gives."""
    async with transactions.client(settings, topics) as client:
        know = client.cluster.broker_metadata
        client.cluster.broker_metadata = lambda number: know(number)._replace(port=proxy.port)
        yield client


@pytest.fixture
def proxy(settings: KafkaSettings) -> Iterator[CuttableProxy]:
    """Run a proxy before the broker."""
    with CuttableProxy(urlsplit(f"//{settings.kafka_bootstrap}").port or 0) as running:
        yield running


@pytest.mark.parametrize(("step", "arrives"), [("begin", True), ("write", True), ("commit", True), ("commit", False)])
async def test_a_lost_answer_is_not_guessed(
    settings: KafkaSettings,
    proxy: CuttableProxy,
    client: AIOKafkaClient,
    reader: AIOKafkaConsumer,
    topics: list[str],
    name: str,
    step: str,
    arrives: bool,
) -> None:
    """Whichever answer is lost, it raises; its successor sees all of it if the commit had arrived, or else nothing."""
    async with _through(proxy, settings, topics) as cut:
        transactor = await _started(cut, name)
        if arrives:
            proxy.drop_answer_to(WORDS[step])
            with pytest.raises((KafkaError, ExceptionGroup)):
                await transactor.commit(_both(topics, b"in doubt"), _let)
        else:
            with pytest.raises(KafkaError):
                await transactor.commit(_both(topics, b"in doubt"), proxy.cut)
    await _started(client, name)
    expected = [b"in doubt"] if step == "commit" and arrives else []
    assert await _seen(reader, topics) == [expected, expected]


async def test_a_transaction_that_takes_too_long_is_given_up(
    client: AIOKafkaClient, reader: AIOKafkaConsumer, topics: list[str], name: str
) -> None:
    """An open transaction holds up its readers, whoever left it, no longer than its timeout and the broker's next look.

    Fails if the timeout is not handed to the broker.
    """
    slow = await _started(client, name, timeout_s=1.0)
    with pytest.raises(_DiedError):
        await slow.commit(_both(topics, b"never"), _die)
    started = time.monotonic()
    assert await _seen(reader, topics) == [[], []]
    assert time.monotonic() - started < TIMEOUT_S / 2
    slow._usable = True  # as if it had only stood still
    with pytest.raises(FencedError, match="too long"):
        await slow.commit(_both(topics, b"late"), _let)


async def test_whether_there_are_transactions_is_found_out(settings: KafkaSettings, stack: ProvisionedStack, name: str) -> None:
    """Apache Kafka has them; the embedded broker lists their requests and refuses them."""
    assert await transactions.has_transactions(settings, name)
    assert not await transactions.has_transactions(stack.kafka_settings(), name)
