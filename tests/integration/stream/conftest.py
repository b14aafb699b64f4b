"""A broker for these tests."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tallystick.embedded import Tansu
from tallystick.runtime.settings import KafkaSettings

MakeTopic = Callable[[int], Coroutine[Any, Any, str]]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tansu]:
    """Start a broker of our own."""
    broker = Tansu(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def kafka(broker: Tansu) -> KafkaSettings:
    """Return how to reach it."""
    return KafkaSettings(kafka_bootstrap=broker.address)


@pytest.fixture
async def make_topic(broker: Tansu) -> AsyncIterator[MakeTopic]:
    """Return a coroutine that makes a topic with so many partitions and returns its name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()

    async def make(partitions: int) -> str:
        name = f"transactions-{uuid4().hex}"
        await admin.create_topics([NewTopic(name, partitions, 1)])
        return name

    yield make
    await admin.close()
