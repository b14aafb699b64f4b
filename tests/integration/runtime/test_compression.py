"""Compressed records, on a real broker: producers choose the codec, and every service reads what they chose."""

import secrets

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tallystick.runtime import kafka

from ..stack import ProvisionedStack


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_a_batch_of_each_codec_is_read(stack: ProvisionedStack, codec: str) -> None:
    """Whatever Kafka's codecs a producer compresses with, its records are read."""
    topic = f"compressed-{secrets.token_hex(4)}"
    settings = stack.kafka_settings()
    admin = AIOKafkaAdminClient(**kafka.client_options(settings))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    values = [b"%d " % number * 50 for number in range(20)]
    async with kafka.producer(settings, compression_type=codec, linger_ms=20) as producer:
        for value in values:
            last = await producer.send(topic, value, partition=0)
        await last
    async with kafka.consumer(settings) as consumer:
        records = await kafka.read_to_end(consumer, TopicPartition(topic, 0), 0)
    assert [record.value for record in records] == values
