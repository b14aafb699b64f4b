"""Header names that are not UTF-8: brokers take them, so consumers must."""

import secrets
import time
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.util import calc_crc32c

from tallystick.runtime import kafka
from tallystick.runtime.bare_records import bare

from ..stack import ProvisionedStack

_CRC, _COVERED = slice(17, 21), slice(21, None)


@pytest.mark.parametrize("options", [{}, {"value_deserializer": bare}], ids=["wrapped", "bare"])
@pytest.mark.parametrize("codec", [None, "gzip"])
async def test_bytes_that_are_no_text(stack: ProvisionedStack, codec: str | None, options: dict[str, Any]) -> None:
    """A record with such a name is read, and so are those before and behind it; the odd bytes come as surrogate escapes."""
    topic = f"test-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(**kafka.client_options(stack.kafka_settings()))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    settings = stack.kafka_settings()
    async with kafka.producer(settings) as producer:
        await producer.send_and_wait(topic, b"before", partition=0)
        batch = producer.create_batch()
        for value in (b"first", b"second"):
            batch.append(timestamp=time.time_ns() // 1_000_000, key=b"k", value=value, headers=[("plain", b"1"), ("XYZ", None)])
        # No client writes such names, so they are put in by hand, and the batch's checksum is made right again.
        batch._build()
        data = bytearray(bytes(batch._buffer).replace(b"XYZ", b"\xff\xfeZ"))
        data[_CRC] = calc_crc32c(bytes(data[_COVERED])).to_bytes(4, "big")
        batch._buffer = data
        await (await producer.send_batch(batch, topic, partition=0))
    async with kafka.producer(settings, compression_type=codec) as producer:
        await producer.send_and_wait(topic, b"behind", partition=0)
    async with kafka.consumer(settings, **options) as consumer:
        records = await kafka.read_to_end(consumer, TopicPartition(topic, 0), 0)
    assert [isinstance(record, ConsumerRecord) for record in records] == [not options] * 4
    assert [record.offset for record in records] == [0, 1, 2, 3]
    assert [record.value for record in records] == [b"before", b"first", b"second", b"behind"]
    odd = b"\xff\xfeZ".decode(errors="surrogateescape")
    assert [list(record.headers) for record in records[1:3]] == [[("plain", b"1"), (odd, None)]] * 2
