"""A sealer as a process, on Apache Kafka: it goes on where it was, and says what is no longer as it was."""

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from tallystick.cli.demo.sealer import LocalSealer
from tallystick.contracts import Seal, SealStatement
from tallystick.embedded import ApacheKafka, ServiceProcess
from tallystick.merkle.bundles import encode_bundle
from tallystick.runtime import kafka
from tallystick.runtime.chain_keys import chain_key
from tallystick.runtime.settings import KafkaSettings
from tallystick.runtime.vault import Vault, VaultRefusedError
from tallystick.trust.chain import CHAIN_START, next_chain, record_digest
from tallystick.trust.seals import SealHistory, SignedSeal

from ..stack import ProvisionedStack

PARTITIONS = 2
_topics = itertools.count()


class Ground:
    """An input topic on Apache Kafka, and a sealer of it that is started and stopped."""

    def __init__(self, brokers: ApacheKafka, stack: ProvisionedStack, directory: Path) -> None:
        self.topic = f"sealed-{next(_topics)}"
        self.settings = KafkaSettings(kafka_bootstrap=brokers.address)
        self.vault = Vault(stack.vault_settings("sealer"))
        local = LocalSealer(
            directory / "s1",
            directory / "s1.log",
            {
                "TALLYSTICK_SOURCE_TOPIC": self.topic,
                "TALLYSTICK_SEAL_EVERY_S": "0.1",
                "TALLYSTICK_RECHECK_EVERY_S": "0.5",
            },
        )
        reach = {name: value for name, value in stack.environment("sealer").items() if "DATABASE" not in name}
        self.process: ServiceProcess = local.process(reach | {"TALLYSTICK_KAFKA_BOOTSTRAP": brokers.address})
        self.url = self.process.health_url.removesuffix("/health")

    async def make_topic(self) -> None:
        """Make the topic; it may just have been deleted."""
        async with self._admin() as admin:
            async with asyncio.timeout(60):
                while True:
                    made = await admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])
                    if not made.topic_errors[0][1]:
                        return
                    await asyncio.sleep(0.1)

    async def delete_topic(self) -> None:
        """Delete the topic."""
        async with self._admin() as admin:
            await admin.delete_topics([self.topic])

    async def delete_up_to(self, partition: int, offset: int) -> None:
        """Delete a partition's records before an offset."""
        async with self._admin() as admin:
            await admin.delete_records({TopicPartition(self.topic, partition): RecordsToDelete(offset)})

    async def send(self, count: int, what: str = "paid", partitions: Sequence[int] = range(PARTITIONS)) -> None:
        """Send so many records to each partition."""
        producer = kafka.producer(self.settings)
        await producer.start()
        try:
            for partition, number in itertools.product(partitions, range(count)):
                await producer.send_and_wait(self.topic, f"{what} {number}".encode(), b"c", partition=partition)
        finally:
            await producer.stop()

    async def seals(self, until: Callable[[SealStatement], bool], timeout_s: float = 30.0) -> list[SealStatement]:
        """Return all statements, once the newest is as wanted; that they follow each other is checked."""
        async with asyncio.timeout(timeout_s), httpx.AsyncClient() as http:
            while True:
                try:
                    found = await self._served(http)
                except httpx.HTTPError:
                    found = []
                if found and until(found[-1]):
                    return found
                await asyncio.sleep(0.1)

    async def _served(self, http: httpx.AsyncClient) -> list[SealStatement]:
        history, found = SealHistory(), list[SealStatement]()
        while (answer := await http.get(f"{self.url}/seals", params={"first": len(found)})).status_code == httpx.codes.OK:
            for value in split(answer.content):
                statement = SealStatement.FromString(value.statement)
                digest = sha256(value.statement).digest()
                assert history.follow(SignedSeal(value.sealer, digest, statement), PARTITIONS)
                found.append(statement)
        return found

    @asynccontextmanager
    async def _admin(self) -> Any:
        admin = AIOKafkaAdminClient(**kafka.client_options(self.settings))
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()


def split(bundle: bytes) -> list[Seal]:
    """Return the seals of an answer."""
    values, at = [], 0
    while at < len(bundle):
        size = int.from_bytes(bundle[at : at + 2], "big")
        values.append(bundle[at + 2 : at + 2 + size])
        at += 2 + size
    assert encode_bundle(values) == bundle
    return [Seal.FromString(value) for value in values]


def read(*counts: int) -> Callable[[SealStatement], bool]:
    """Return whether so many records were read of each partition."""
    return lambda said: [one.next_sequence for one in said.partitions] == list(counts)


def gaps(seals: Sequence[SealStatement], partition: int) -> list[str]:
    """Return the gaps of a partition."""
    return [said.partitions[partition].gap for said in seals if said.partitions[partition].gap]


@pytest.fixture
def ground(apache_kafka: ApacheKafka, stack: ProvisionedStack, tmp_path: Path) -> Iterator[Ground]:
    """Return a topic and its sealer, not started."""
    made = Ground(apache_kafka, stack, tmp_path)
    yield made
    made.process.stop()
    made.vault.close()


async def test_a_sealer_goes_on_where_it_was_killed(ground: Ground) -> None:
    """Its statements follow each other through kill -9 and stop, and say of every record what scoring would."""
    await ground.make_topic()
    await ground.send(20)
    ground.process.start()
    await ground.seals(read(20, 20))
    os.kill(ground.process.pid, signal.SIGKILL)
    await ground.send(10, "more")
    ground.process.stop()
    ground.process.start()
    seals = await ground.seals(read(30, 30))
    assert not gaps(seals, 0)
    assert not gaps(seals, 1)
    assert seals[-1].cluster_id
    key = await chain_key(ground.vault, ground.topic, 1, 0, bytes(32))
    chain, trail = CHAIN_START, b""
    for record in await _records(ground, 1):
        digest = record_digest(record.offset, record.timestamp, record.key, record.headers, record.value)
        chain = next_chain(key, chain, digest)
        trail += chain[:4]
    assert seals[-1].partitions[1].chain == chain
    assert b"".join(said.partitions[1].trail for said in seals) == trail


async def test_a_sealer_may_have_chain_keys_and_nothing_else(ground: Ground) -> None:
    """It is nobody of the operator's: of the operator's secrets it is given those without which it could not read."""
    first = await chain_key(ground.vault, ground.topic, 0, 0, b"1" * 32)
    assert await chain_key(ground.vault, ground.topic, 0, 0, b"2" * 32) == first == b"1" * 32
    with pytest.raises(VaultRefusedError):
        await ground.vault.kv_read("evidence/lookup")
    with pytest.raises(VaultRefusedError):
        await ground.vault.sign("notary-decisions", b"x")
    with pytest.raises(VaultRefusedError):
        await ground.vault.decrypt("customer-keys", ["vault:v1:AAAA"])


async def test_what_is_deleted_early_is_sealed_as_a_gap(ground: Ground) -> None:
    """Records that were deleted before the sealer read them, and the last that it read, though it is to be kept."""
    await ground.make_topic()
    await ground.send(10)
    ground.process.start()
    await ground.seals(read(10, 10))
    ground.process.stop()
    await ground.send(5, "unread", [0])
    await ground.delete_up_to(0, 13)
    await ground.delete_up_to(1, 10)
    ground.process.start()
    seals = await ground.seals(lambda said: bool(gaps([said], 1)) or said.partitions[0].next_sequence == 12)
    await ground.send(1, "after", [1])
    seals = await ground.seals(read(12, 11))
    assert gaps(seals, 0) == ["offsets 10 to 12 were deleted before they were read"]
    assert gaps(seals, 1) == ["the last sealed record, at offset 9, was deleted, though it is to be kept for 90 days"]
    assert [one.next_offset for one in seals[-1].partitions] == [15, 11]


async def test_a_topic_that_is_made_anew_is_sealed_as_a_gap(ground: Ground) -> None:
    """While the sealer runs: shorter than before, and as long with other records in the old one's places."""
    await ground.make_topic()
    await ground.send(10)
    ground.process.start()
    await ground.seals(read(10, 10))
    await ground.delete_topic()
    await ground.make_topic()
    await ground.send(3, "other", [0])
    await ground.send(12, "other", [1])
    seals = await ground.seals(lambda said: said.partitions[0].next_sequence == 13 and said.partitions[1].next_sequence > 10)
    assert any("it was cut or made anew" in gap or "the topic was cut or made anew" in gap for gap in gaps(seals, 0))
    assert gaps(seals, 1)
    assert seals[-1].partitions[0].next_offset == 3


async def _records(ground: Ground, partition: int) -> list[Any]:
    consumer = kafka.consumer(ground.settings)
    await consumer.start()
    try:
        return await kafka.read_to_end(consumer, TopicPartition(ground.topic, partition), 0)
    finally:
        await consumer.stop()
