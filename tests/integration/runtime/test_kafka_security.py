"""TLS, passwords and clients' certificates, against Apache Kafka itself."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from tallystick.cli.provision.kafka import TopicPlan, provision_kafka
from tallystick.embedded import ApacheKafka
from tallystick.embedded.kafka import Secured
from tallystick.runtime import kafka
from tallystick.runtime.settings import KafkaSettings

from ...apache import running_kafka
from .certificates import Authority, Pair

USER, PASSWORD = "scoring", secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True)
class Bank:
    """Brokers that want to know who is there, and what their clients have."""

    brokers: ApacheKafka
    folder: Path
    authority: Authority
    client: Pair

    def settings(self, listener: str, **other: Any) -> KafkaSettings:
        """Return a client's settings as they should be for a listener, but for `other`."""
        common: dict[str, Any] = {"kafka_security_protocol": listener, "kafka_ca_file": self.authority.file}
        listeners: dict[str, dict[str, Any]] = {
            "SASL_SSL": {"kafka_username": USER, "kafka_password_file": self.secret("right", PASSWORD)},
            "SSL": {"kafka_cert_file": self.client.certificate, "kafka_key_file": self.client.key},
        }
        return KafkaSettings(**{"kafka_bootstrap": self.brokers.listener(listener)} | common | listeners[listener] | other)

    def secret(self, name: str, word: str) -> Path:
        """Write a password's file."""
        file = self.folder / name
        file.touch(0o600)
        file.write_text(word)
        return file


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """Run one broker with TLS."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder, "authority")
    server = authority.issue("server", "127.0.0.1")
    with running_kafka(folder / "kafka", secured=Secured(server.both, authority.file, {USER: PASSWORD})) as brokers:
        yield Bank(brokers, folder, authority, authority.issue("client"))


@pytest.mark.parametrize("listener", ["SASL_SSL", "SSL"])
async def test_those_who_are_known_get_in(bank: Bank, listener: str) -> None:
    """With a password (SCRAM) or a certificate, over TLS: topics are provisioned, records written and read."""
    settings = bank.settings(listener)
    topic = TopicPlan(f"test-{secrets.token_hex(4)}", 1)
    assert await provision_kafka(kafka.client_options(settings), [topic]) == [topic.name]
    async with kafka.producer(settings) as producer:
        await producer.send_and_wait(topic.name, b"secret", partition=0)
    async with kafka.consumer(settings) as consumer:
        (record,) = await kafka.read_to_end(consumer, TopicPartition(topic.name, 0), 0)
    assert record.value == b"secret"


async def test_nobody_else_gets_in(bank: Bank) -> None:
    """Another password or user, no certificate, one of another authority: the brokers refuse, within the client's patience."""
    stranger = Authority(bank.folder, "stranger").issue("stranger")
    for settings in (
        bank.settings("SASL_SSL", kafka_password_file=bank.secret("wrong", "another")),
        bank.settings("SASL_SSL", kafka_username="nobody"),
        bank.settings("SSL", kafka_cert_file=None, kafka_key_file=None),
        bank.settings("SSL", kafka_cert_file=stranger.certificate, kafka_key_file=stranger.key),
    ):
        await _refused(settings)


async def test_brokers_that_cannot_prove_who_they_are_are_told_nothing(bank: Bank) -> None:
    """A certificate for another name, or of an authority that is not ours: the client leaves before it gives its password.

    Fails if TLS is spoken without looking at names or authorities.
    """
    elsewhere = bank.brokers.listener("SASL_SSL").replace("127.0.0.1", "localhost")
    await _refused(bank.settings("SASL_SSL", kafka_bootstrap=elsewhere))
    await _refused(bank.settings("SASL_SSL", kafka_ca_file=Authority(bank.folder, "other").file))


async def _refused(settings: KafkaSettings) -> None:
    producer = kafka.producer(settings, request_timeout_ms=3_000)
    try:
        with pytest.raises(KafkaError):
            await producer.start()
    finally:
        await producer.stop()
