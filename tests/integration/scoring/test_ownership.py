"""Partitions as a real group divides them."""

import asyncio
import secrets
import time

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tallystick.embedded import ApacheKafka
from tallystick.runtime import kafka
from tallystick.runtime.settings import KafkaSettings
from tallystick.scoring.ownership import Group


async def test_the_group_shows_how_far_the_input_is_decided(apache_kafka: ApacheKafka) -> None:
    """Operators' tools see the lag: what is decided is committed to the group, of owned partitions only."""
    settings, name = KafkaSettings(kafka_bootstrap=apache_kafka.bootstrap), f"test-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1)])
    group = Group(kafka.consumer(settings, group_id=name, auto_offset_reset="latest"), name)
    await group.join()
    keeping = asyncio.create_task(group.keep())
    try:
        assert await group.owned() == {0, 1}
        group.decided({0: 7, 5: 1})
        where = TopicPartition(name, 0)
        where, deadline = TopicPartition(name, 0), time.monotonic() + 60
        while not (committed := await admin.list_consumer_group_offsets(name)):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        assert {partition: offset.offset for partition, offset in committed.items()} == {where: 7}
        assert not group.changed.is_set()
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await admin.close()
