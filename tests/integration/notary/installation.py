"""An installation with a notary process, the decisions sent to it, and a reader who verifies everything."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.provision import Provisioned
from tallystick.contracts import Decision, EntryKind, Incident, IncidentStatement, LogEntry, Outcome, Signature
from tallystick.embedded import EmbeddedStack, ServiceProcess, Tansu, free_port
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.notes import Note
from tallystick.runtime.log_reader import LogNotFoundError, LogReader
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.statements import signing_input

from ..s3 import BUCKET, S3Server

PARTITIONS = 4
DEADLINE_S = 60.0


def decision(partition: int, sequence: int) -> bytes:
    """Return a decision as large as real ones are."""
    digest = hashlib.sha256(f"{partition}/{sequence}".encode()).digest()
    return Decision(
        source_topic="transactions",
        source_partition=partition,
        source_offset=sequence * 2,
        sequence=sequence,
        chain=digest,
        decided_at_ms=int(time.time() * 1000),
        outcome=Outcome.OUTCOME_APPROVE,
        margin_bits=sequence,
        model_digest=digest,
        policy_digest=digest,
        feature_schema_digest=digest,
        activation_index=2,
        evidence_digest=digest,
    ).SerializeToString()


def person(name: str) -> Ed25519PrivateKey:
    """Return somebody's key, made from the name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@dataclass
class Installation:
    """Servers, what was provisioned in them, and the notaries started. `kafka` is this test's own broker."""

    stack: EmbeddedStack
    kafka: Tansu
    provisioned: Provisioned
    home: Path
    notaries: list[ServiceProcess] = field(default_factory=list)
    s3: S3Server | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    roots: dict[tuple[str, int], bytes] = field(default_factory=dict)

    @property
    def log_dir(self) -> Path:
        """The public directory of the logs."""
        return self.home / "logs"

    def place(self) -> dict[str, str]:
        """Return the settings that say where the notary keeps the logs."""
        if self.s3 is not None:
            return self.s3.environment() | {"TALLYSTICK_LOG_STORE": self.store}
        return {"TALLYSTICK_LOG_DIR": str(self.log_dir), "TALLYSTICK_STAGING_DIR": str(self.home / "staging")}

    @property
    def store(self) -> str:
        """The prefix of the logs in the bucket."""
        return f"s3://{BUCKET}/{self.home.name}"

    def reader(self, log: str) -> LogReader:
        """Return a reader of a log's public files."""
        if self.s3 is not None:
            return LogReader(f"{self.store}/{log}", self.s3.settings())
        return LogReader((self.log_dir / log).as_uri())

    @property
    def policy(self) -> TrustPolicy:
        """What a reader goes by."""
        return TrustPolicy.load(self.provisioned.policy)

    def notary(self, **settings: str) -> ServiceProcess:
        """Return a notary process that is not started."""
        environment = self.provisioned.environment("notary") | {
            "TALLYSTICK_HTTP_PORT": str(free_port()),
            "TALLYSTICK_TRUST_POLICY": str(self.provisioned.policy),
            **self.place(),
        }
        log_file = self.home / f"notary-{len(self.notaries)}.log"
        process = ServiceProcess("notary", ["tallystick-notary"], environment | settings, log_file)
        self.notaries.append(process)
        return process

    async def started(self, **settings: str) -> ServiceProcess:
        """Return a notary that is ready."""
        process = self.notary(**settings)
        process.start()
        await asyncio.to_thread(process.wait_ready)
        return process

    async def connect(self) -> asyncpg.Connection:
        """Return a connection to the notary's tables."""
        password = self.provisioned.password_file("notary").read_text()
        return await asyncpg.connect(self.provisioned.database_url("notary"), password=password)

    def stop(self) -> None:
        """Kill what still runs."""
        for process in self.notaries:
            process.kill()

    async def send(
        self, records: Iterable[tuple[int, bytes | None]], topic: str = "decisions", key: bytes | None = None
    ) -> None:
        """Send values to partitions, in order."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.address, acks="all")
        await producer.start()
        try:
            sent = [await producer.send(topic, value, key=key, partition=partition) for partition, value in records]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def send_decisions(self, sequences: range) -> None:
        """Send decisions with these sequence numbers to every partition."""
        await self.send((partition, decision(partition, at)) for at in sequences for partition in range(PARTITIONS))

    async def send_incident(
        self, partition: int, from_sequence: int, to_sequence: int, record_offset: int, *signers: str
    ) -> None:
        """Send an incident, signed by ada and bob unless told otherwise."""
        statement = IncidentStatement(
            topic="transactions",
            partition=partition,
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            record_offset=record_offset,
            log=self.policy.decisions_origin("transactions", partition),
            explanation="a test lost them",
        ).SerializeToString()
        message = signing_input("IncidentStatement", statement)
        signatures = [Signature(signer=name, signature=person(name).sign(message)) for name in signers or ("ada", "bob")]
        value = Incident(statement=statement, signatures=signatures).SerializeToString()
        await self.send([(0, value)], "governance", b"incident/test")

    async def stops(self, process: ServiceProcess, count: int, words: str, log: str = "decisions") -> None:
        """Wait until so many of a log's partitions are stopped, with these words."""

        async def stopped() -> list[str]:
            return list((await self.health(process))["logs"][log]["stopped_partitions"].values())

        async with asyncio.timeout(DEADLINE_S):
            while len(reasons := await stopped()) != count or not all(words in reason for reason in reasons):  # noqa: ASYNC110  as below
                await asyncio.sleep(0.05)

    async def verify(self, log: str = "decisions") -> tuple[Checkpoint, list[LogEntry]]:
        """Check the whole public log as a stranger would, and that it continues what was seen of it before."""
        reader = self.reader(log)
        origin = self.policy.origins[log]
        checkpoint = self.policy.log_policy.verify_checkpoint(await reader.checkpoint(), origin).checkpoint
        entries = await reader.entries(0, checkpoint.size) if checkpoint.size else []
        frontier = Frontier()
        frontier.append(leaf_hashes(entries))
        assert frontier.root() == checkpoint.root
        assert checkpoint.size >= self.sizes.get(log, 0), "a smaller checkpoint was published"
        assert self.roots.setdefault((log, checkpoint.size), checkpoint.root) == checkpoint.root, "two roots for one size"
        self.sizes[log] = checkpoint.size
        return checkpoint, [LogEntry.FromString(entry) for entry in entries]

    async def published_size(self, log: str = "decisions") -> int:
        """Return the size of the public checkpoint, -1 if there is none."""
        try:
            note = await self.reader(log).checkpoint()
        except LogNotFoundError:
            return -1
        return Checkpoint.parse(Note.parse(note).text).size

    async def wait_for(self, size: int, log: str = "decisions") -> tuple[Checkpoint, list[LogEntry]]:
        """Wait until a checkpoint of at least this size is public; verify the log."""
        async with asyncio.timeout(DEADLINE_S):
            while await self.published_size(log) < size:  # noqa: ASYNC110  as below
                await asyncio.sleep(0.02)
        return await self.verify(log)

    async def says(self, process: ServiceProcess, component: str, words: str) -> None:
        """Wait until a notary's health says something of a component."""
        async with asyncio.timeout(DEADLINE_S):
            while words not in (await self.health(process))["components"][component]:  # noqa: ASYNC110  as below
                await asyncio.sleep(0.05)

    async def says_receipts(self, process: ServiceProcess, words: str) -> None:
        """Wait until a notary's health says something of the decisions' receipts."""
        async with asyncio.timeout(DEADLINE_S):
            while words not in (await self.health(process))["receipts"]["decisions"]:  # noqa: ASYNC110  as below
                await asyncio.sleep(0.05)

    async def health(self, process: ServiceProcess) -> dict[str, Any]:
        """Return what a notary says of itself."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(process.health_url)
            body: dict[str, Any] = answer.json()
            return body


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  what is waited for happens in another process
            await asyncio.sleep(0.02)


def logged_sequences(entries: Iterable[LogEntry]) -> dict[int, list[int]]:
    """Return the sequence numbers in a log's decisions, by partition, in the log's order."""
    found: dict[int, list[int]] = {}
    for entry in entries:
        if entry.kind == EntryKind.ENTRY_KIND_DECISION:
            found.setdefault(entry.partition, []).append(Decision.FromString(entry.value).sequence)
    return found


def every_partition(sequences: range) -> dict[int, list[int]]:
    """Return what `logged_sequences` should say."""
    return {partition: list(sequences) for partition in range(PARTITIONS)}
