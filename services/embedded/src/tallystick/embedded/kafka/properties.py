"""What a broker is told: the settings that all have, from `deploy/kafka/broker.properties`, and those of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
SCRAM = "SCRAM-SHA-512"
# Fewer than the 50 that Kafka makes of each: what starts and recovers in a test has few groups and few producers.
_INTERNAL_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Secured:
    """Two more listeners, with TLS: `SASL_SSL` for users with passwords (SCRAM-SHA-512), `SSL` for clients' certificates.

    Args:
        server: PEM file with the brokers' private key (PKCS 8) and certificate, for 127.0.0.1.
        authority: PEM file of whoever's certificates clients must show to `SSL`.
        users: passwords by name; without commas, quotes and equals signs, which the tool that stores them takes for its own.
    """

    server: Path
    authority: Path
    users: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Node:
    """One broker, which is a controller too: its number (from 1), where it keeps its records, its ports by listener."""

    number: int
    data: Path
    ports: Mapping[str, int]


def broker_properties(
    common: str, node: Node, nodes: Sequence[Node], settings: Mapping[str, str], secured: Secured | None
) -> str:
    """Return a broker's properties: those in common, its own, and `settings`, which win."""
    copies = min(3, len(nodes))
    in_sync = max(1, copies - 1)
    # A combined node's controllers speak to each other in the clear, like the brokers: it is all on loopback.
    protocols = {name: {"CONTROLLER": "PLAINTEXT"}.get(name, name) for name in node.ports}
    own = {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(f"{other.number}@{HOST}:{other.ports['CONTROLLER']}" for other in nodes),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": _listeners(node.ports),
        "advertised.listeners": _listeners({name: port for name, port in node.ports.items() if name != "CONTROLLER"}),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "log.dirs": str(node.data),
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        "offsets.topic.replication.factor": str(copies),
        "offsets.topic.num.partitions": str(_INTERNAL_PARTITIONS),
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(in_sync),
        "transaction.state.log.num.partitions": str(_INTERNAL_PARTITIONS),
    }
    everything = own | (_tls(secured) if secured else {}) | dict(settings)
    return "\n".join([common.rstrip(), *(f"{name}={value}" for name, value in everything.items()), ""])


def _listeners(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())


def _tls(secured: Secured) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(secured.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(secured.authority),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": SCRAM,
        f"listener.name.sasl_ssl.{SCRAM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
