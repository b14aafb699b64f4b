"""An input partition read twice: by a sealer, and by who decides on it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.contracts import Decision, Outcome, Seal, SealStatement
from tallystick.trust.chain import CHAIN_START, record_digest
from tallystick.trust.keyed_hash import KeyedHash, keyed_hash
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.seals import SignedSeal, open_seal
from tallystick.witness.sealer.partition import PartitionChain
from tallystick.witness.sealer.sealing import make_seal

from ..trust.helpers import DECISIONS, GOVERNANCE, NOW_MS, encoded_public, log_policy, trust_toml

SEALS = "tallystick.example/test/seals"
KEYS: Mapping[int, KeyedHash] = {0: keyed_hash(b"k" * 32), 1: keyed_hash(b"l" * 32)}
PARTITIONS = 4


class Record(NamedTuple):
    """A Kafka record."""

    offset: int
    value: bytes | None = b"paid"
    key: bytes | None = b"customer"
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int = NOW_MS


def records(count: int, first: int = 0) -> list[Record]:
    """Return records that differ from each other."""
    return [Record(offset, b"paid %d" % offset) for offset in range(first, first + count)]


def key_of(name: str) -> Ed25519PrivateKey:
    """Return a sealer's private key; the same each time."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"key of {name}".encode()).digest())


def policy_files(*names: str) -> tuple[bytes, bytes]:
    """Return the files of a trust policy with these sealers."""
    sealers = "".join(f'[[sealers]]\nname = "{name}"\npublic_key = "{encoded_public(name)}"\n' for name in names)
    toml = trust_toml().replace(b"governance =", f'seals = "{SEALS}"\ngovernance ='.encode()) + sealers.encode()
    return log_policy(logs=(DECISIONS, SEALS, GOVERNANCE)), toml


POLICY_FILES = policy_files("s1")
POLICY = TrustPolicy.parse(*policy_files("s1", "s2"))


@dataclass
class Sealing:
    """A sealer of one topic, without Kafka: told what is read, asked for seals."""

    name: str = "s1"
    partitions: list[PartitionChain] = field(default_factory=lambda: [PartitionChain(number) for number in range(PARTITIONS)])
    last: Seal | None = None
    now_ms: int = NOW_MS

    def read(self, *some: Record, partition: int = 0) -> None:
        """Take records of a partition."""
        self.partitions[partition].take(some, KEYS)

    def seal(self, change: Callable[[SealStatement], object] = lambda _: None) -> Seal:
        """Return the next seal, a second later; `change` is made before it is signed."""
        self.now_ms += 1_000
        self.last = make_seal(
            self.name,
            key_of(self.name),
            topic="transactions",
            cluster_id="cluster",
            partitions=self.partitions,
            sources=(),
            now_ms=self.now_ms,
            last=self.last,
        )
        for partition in self.partitions:
            partition.was_sealed()
        statement = SealStatement.FromString(self.last.statement)
        change(statement)
        self.last = resigned(statement, self.name)
        return self.last

    def signed(self) -> SignedSeal:
        """Return the next seal, opened."""
        return open_seal(self.seal().SerializeToString(), POLICY)


def resigned(statement: SealStatement, name: str = "s1") -> Seal:
    """Return a seal of any statement, well signed."""
    return signed(statement.SerializeToString(), name)


def signed(data: bytes, name: str = "s1") -> Seal:
    """Return a seal of any bytes, well signed."""
    return Seal(statement=data, sealer=name, signature=key_of(name).sign(b"tallystick/v1/SealStatement\n" + data))


def decided(some: Iterable[Record], partition: int = 0) -> list[Decision]:
    """Return the decisions on these records, as scoring makes them."""
    made, chain = [], CHAIN_START
    for sequence, record in enumerate(some):
        digest = record_digest(record.offset, record.timestamp, record.key, record.headers, record.value)
        chain = KEYS[0](chain + digest)
        made.append(
            Decision(
                source_topic="transactions",
                source_partition=partition,
                source_offset=record.offset,
                sequence=sequence,
                chain=chain,
                decided_at_ms=record.timestamp,
                outcome=Outcome.OUTCOME_REJECTED,
            )
        )
    return made
