"""The chain on Apache Kafka itself, in place of the broker in memory."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.cli.provision import ProvisionError
from tallystick.cli.provision.kafka import (
    MAX_AHEAD_MS,
    MAX_TRANSACTION_BYTES,
    TopicPlan,
    provision_kafka,
    topics,
)
from tallystick.embedded import ApacheKafka
from tallystick.runtime import kafka

from ..apache import make_kafka
from .bank import now_ms, send, sound, stream, transactions
from .evidence import features
from .governing import Release
from .reading import emitted, read_run
from .starting import running

ROWS, RATE = 3_000, 1_000


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> ApacheKafka:
    """Return one broker, not started: the chain does that."""
    return make_kafka(tmp_path_factory.mktemp("apache"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, brokers: ApacheKafka, release: Release) -> Iterator[Platform]:
    """Run the chain on it, a model in force."""
    with running(tmp_path_factory.mktemp("on-apache"), release, kafka=brokers) as platform:
        yield platform


def test_a_broker_killed_in_mid_stream_changes_nothing(chain: Platform, brokers: ApacheKafka) -> None:
    """Killed and started again on its records: each transaction has one logged decision, chained, its evidence as committed.

    Fails if a service does not outlive its broker, or anything goes on from where the broker's restart left it rather than from
    what is written.
    """
    streaming = threading.Thread(target=lambda: asyncio.run(stream(chain.kafka, transactions(ROWS, "killed"), rate=RATE)))
    before = emitted(chain)
    streaming.start()
    wait_until(lambda: emitted(chain) > before + RATE, "scoring to be in mid-stream")
    brokers.brokers[0].kill()
    time.sleep(0.5)
    brokers.brokers[0].start()
    streaming.join()
    run = read_run(chain)
    assert len(run.of("killed")) == ROWS
    features(run, chain)


async def test_topics_are_as_planned(chain: Platform) -> None:
    """Brokers know every setting of the plan, and have it; a second provisioning changes nothing, another count is refused."""
    plans = topics(chain.partitions)
    options = kafka.client_options(chain.kafka)
    assert await provision_kafka(options, plans) == []
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        described = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, plan.name) for plan in plans])
    finally:
        await admin.close()
    found = {name: {entry[0]: entry[1] for entry in entries} for answer in described for *_, name, entries in answer.resources}
    for plan in plans:
        assert {name: found[plan.name][name] for name in plan.settings} == plan.settings
    with pytest.raises(ProvisionError, match="decisions has 4 partitions, not 5"):
        await provision_kafka(options, topics(chain.partitions + 1)[1:])
    with pytest.raises(ProvisionError, match="InvalidReplicationFactor"):
        await provision_kafka(options, [TopicPlan("thrice", 1)], replication=3)


async def test_brokers_refuse_what_the_plan_forbids(chain: Platform) -> None:
    """A time stamp of the day after tomorrow and a transaction over the limit do not get into the input topic."""
    with pytest.raises(InvalidTimestampError):
        await send(chain.kafka, [sound("tomorrow", now_ms() + 2 * MAX_AHEAD_MS)])
    async with kafka.producer(chain.kafka, max_request_size=4 * MAX_TRANSACTION_BYTES) as producer:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait("transactions", bytes(MAX_TRANSACTION_BYTES), b"key", partition=0)
