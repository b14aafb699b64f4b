"""Sending an activation to the governance log's topic."""

from tallystick.contracts import Activation, ActivationStatement
from tallystick.runtime.kafka import producer
from tallystick.runtime.settings import KafkaSettings

GOVERNANCE_TOPIC = "governance"


async def send_activation(kafka: KafkaSettings, activation: Activation) -> None:
    """Send a fully signed activation and wait until the brokers have it; the notary logs it from there.

    Raises:
        KafkaError: they do not take it.
    """
    statement = ActivationStatement.FromString(activation.statement)
    key = f"activation/{statement.slot}-{statement.number}"
    async with producer(kafka) as sender:
        await sender.send_and_wait(GOVERNANCE_TOPIC, key=key.encode(), value=activation.SerializeToString())
