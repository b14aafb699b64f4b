"""The service as a process: what it publishes is what everything that ever came makes, whatever happens to it on the way."""

import asyncio
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import NamedTuple

import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import murmur2

from tallystick.cli.provision.kafka import provision_kafka, topics
from tallystick.cli.replay.profile_topics import ProfileTopics
from tallystick.cli.replay.profiled import ProfiledFinding, Question, compare, question
from tallystick.contracts import FeatureVector, Label, Transaction, Verdict
from tallystick.embedded import ServiceProcess, free_port
from tallystick.embedded.tansu import Tansu
from tallystick.runtime import kafka
from tallystick.runtime.settings import KafkaSettings
from tallystick.scoring.profiles import ProfileTable
from tallystick.scoring.vectors import Vectoriser
from tallystick.trust.features import FeatureSchema
from tallystick.trust.transactions import Payment

PARTITIONS = 2
CARD = (files("tallystick.contracts") / "features/card-2.json").read_bytes()
DAY_S = 86_400
DAYS = (1, 7, 30)
PATIENCE_S = 90.0


class Paid(NamedTuple):
    """A transaction: its id, second, customer and terminal, and whether it is fraud."""

    identifier: str
    second_s: int
    customer: str
    terminal: str
    fraud: bool


def partition_of(key: bytes) -> int:
    """Return the partition of a key."""
    hashed: int = murmur2(key) & 0x7FFFFFFF
    return hashed % PARTITIONS


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tansu]:
    """Start a broker with the topics."""
    tansu = Tansu(tmp_path_factory.mktemp("kafka"))
    tansu.start()
    asyncio.run(provision_kafka({"bootstrap_servers": tansu.address}, topics(PARTITIONS)))
    yield tansu
    tansu.stop()


@pytest.fixture(scope="module")
async def producer(broker: Tansu) -> AsyncIterator[AIOKafkaProducer]:
    """Send to it."""
    async with kafka.producer(KafkaSettings(kafka_bootstrap=broker.address)) as started:
        yield started


def service(broker: Tansu, log: Path) -> ServiceProcess:
    """Return the service, not started."""
    environment = {
        "TALLYSTICK_KAFKA_BOOTSTRAP": broker.address,
        "TALLYSTICK_HTTP_PORT": str(free_port()),
        "TALLYSTICK_PUBLISH_S": "0.2",
        "TALLYSTICK_GATHER_S": "0.1",
        "TALLYSTICK_LATE_DAYS": "366",
    }
    return ServiceProcess("profiles", ["tallystick-profiles"], environment, log)


def stream(seed: int, first_s: int, days: int, count: int) -> list[Paid]:
    """Return a stream of transactions in order of time."""
    random = Random(seed)
    return [
        Paid(
            f"{seed}-{number}",
            first_s + number * days * DAY_S // count,
            f"c{random.randrange(40)}",
            f"{random.randrange(12)}",
            random.random() < 0.1,
        )
        for number in range(count)
    ]


async def pay(producer: AIOKafkaProducer, payments: Sequence[Paid], repeat: bool = False) -> None:
    """Send labels first, as they are known a week later at the latest, then the transactions; some twice."""
    for paid in payments:
        if paid.fraud:
            label = Label(
                transaction_id=paid.identifier,
                customer_id=paid.customer,
                verdict=Verdict.VERDICT_FRAUD,
                labelled_at_ms=(paid.second_s + 7 * DAY_S) * 1000,
                event_time_ms=paid.second_s * 1000,
                terminal_id=paid.terminal,
            )
            for _ in range(1 + repeat):
                await _send(producer, "labels", paid.customer, label.SerializeToString(), int(time.time()))
    await producer.flush()
    await asyncio.sleep(1)  # both topics are read alike; that labels came first is what is meant here
    for number, paid in enumerate(payments):
        transaction = Transaction(
            transaction_id=paid.identifier,
            customer_id=paid.customer,
            amount_minor=100,
            currency="EUR",
            event_time_ms=paid.second_s * 1000,
            terminal_id=paid.terminal,
        )
        for _ in range(1 + (repeat and number % 5 == 0)):
            await _send(producer, "transactions", paid.customer, transaction.SerializeToString(), paid.second_s)
    await producer.flush()


async def _send(producer: AIOKafkaProducer, topic: str, customer: str, value: bytes, second_s: int) -> None:
    key = customer.encode()
    await producer.send(topic, value, key, partition=partition_of(key), timestamp_ms=second_s * 1000)


async def published(broker: Tansu) -> ProfileTable:
    """Read what is in the topic now, as scoring does."""
    table = ProfileTable(PARTITIONS, partition_of)
    async with kafka.consumer(KafkaSettings(kafka_bootstrap=broker.address), fetch_max_wait_ms=100) as reader:
        for number in range(PARTITIONS):
            for record in await kafka.read_to_end(reader, TopicPartition("profiles", number), 0):
                table.take(number, record.offset, record.key, record.value)
    return table


async def final_at(broker: Tansu, second_s: int) -> ProfileTable:
    """Wait until profiles are final up to an event time, and return them."""
    deadline = time.monotonic() + PATIENCE_S
    while (table := await published(broker)).watermark_s < second_s:
        assert time.monotonic() < deadline, f"the watermark stands at {table.watermark_s}, {second_s} is waited for"
        await asyncio.sleep(0.3)
    return table


def wrong(table: ProfileTable, payments: Sequence[Paid]) -> list[tuple[Paid, list[int], list[int]]]:
    """Return the transactions whose windows are not those of the reference, or not final."""
    by_terminal = defaultdict(list)
    for paid in payments:
        by_terminal[paid.terminal].append((paid.second_s, paid.fraud))
    found = []
    for paid in payments:
        history, expected = by_terminal[paid.terminal], list[int]()
        end = bisect_right(history, (paid.second_s - 7 * DAY_S, True))
        for days in DAYS:
            start = bisect_right(history, (paid.second_s - (7 + days) * DAY_S, True))
            expected += [end - start, sum(fraud for _, fraud in history[start:end])]
        lookup = table.look_up(f"terminal/{paid.terminal}".encode(), paid.second_s * 1000, 7, [days * DAY_S for days in DAYS])
        if lookup.windows != expected or lookup.stale:
            found.append((paid, lookup.windows, expected))
    return found


def questions(table: ProfileTable, payments: Sequence[Paid]) -> list[Question]:
    """Return what decisions on these transactions ask of profiles, with what scoring sees."""
    vectoriser, asked = Vectoriser(FeatureSchema.parse(CARD)), []
    for paid in payments:
        payment = Payment(paid.identifier, paid.customer, 100, "EUR", paid.second_s * 1000, paid.terminal, "", "", 0, {})
        found = vectoriser.profiled(table, [payment])
        own = [[1, 100] * len(vectoriser.spans_ms)]
        matrix = vectoriser.matrix([payment.event_time_ms], [100], own, [[]], found.windows)
        seen = FeatureVector(values=matrix.astype("<f4").tobytes()).SerializeToString() + found.contents[0]
        asked.append(question(paid.identifier, vectoriser.schema, seen, payment))
    return asked


async def test_killed_and_divided_it_publishes_what_one_left_alone_would(
    broker: Tansu, producer: AIOKafkaProducer, tmp_path: Path
) -> None:
    """Killed in mid-stream, started again, joined by a second process, left by the first: every window is the reference's.

    Some transactions and all labels come twice, and a label that is none goes to the dead letters. Replaying makes from the
    topics again what scoring sees, whatever happened on the way.
    """
    start_s = int(time.time()) // DAY_S * DAY_S - 60 * DAY_S
    payments = stream(1, start_s, 50, 3_000)
    first, second = service(broker, tmp_path / "first.log"), service(broker, tmp_path / "second.log")
    try:
        first.start()
        await _send(producer, "labels", "c1", b"\xff not a label", int(time.time()))
        await pay(producer, payments[:1_000], repeat=True)
        await final_at(broker, payments[500].second_s)
        first.kill()
        await pay(producer, payments[1_000:2_000], repeat=True)
        first.start()
        second.start()
        await final_at(broker, payments[1_999].second_s)
        assert first.stop() == 0
        await pay(producer, payments[2_000:])
        table = await final_at(broker, payments[-1].second_s)
        assert wrong(table, payments) == []
        found, sources = ProfiledFinding(), ProfileTopics(KafkaSettings(kafka_bootstrap=broker.address), "labels", 3_600, DAY_S)
        compare(questions(table, payments), await sources.read(["transactions"]), found)
        assert (found.compared, found.differing, found.not_recomputed) == (len(payments), 0, {})
        assert second.is_alive
        async with httpx.AsyncClient() as http:
            state = (await http.get(second.health_url)).json()
        assert set(state["partitions"]) == {"0", "1"}
        assert state["ready"]
    finally:
        first.stop()
        second.stop()
    async with kafka.consumer(KafkaSettings(kafka_bootstrap=broker.address), fetch_max_wait_ms=100) as reader:
        letters = [
            record
            for number in range(PARTITIONS)
            for record in await kafka.read_to_end(reader, TopicPartition("dead-letter", number), 0)
        ]
    assert {record.value for record in letters} == {b"\xff not a label"}
    assert dict(letters[0].headers)["tallystick-reason"] == b"not a protobuf Label"
