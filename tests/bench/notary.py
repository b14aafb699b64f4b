"""The notary alone: decisions out of Kafka into a published log, with tiles, fsync, the index in PostgreSQL, and signatures.

The decisions are in Kafka before it goes on, so that it works as fast as it can; broker, Vault and PostgreSQL share the cores.
"""

import asyncio
import hashlib
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaProducer

from tallystick.cli.provision import Provisioned, ProvisionPlan, provision
from tallystick.contracts import Decision, Outcome
from tallystick.embedded import EmbeddedStack, ServiceProcess, free_port
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note

from .figures import Row, row

REQUIRED_PER_S = 30_000.0
PARTITIONS = 4
BATCH_BYTES = 900_000
_TIMEOUT_S = 300.0


def run(entries: int, runs: int) -> list[Row]:
    """Let fresh notaries log so many decisions."""
    return [row("notary alone, to published", "entries/s", [_once(entries) for _ in range(runs)], "required", [REQUIRED_PER_S])]


def _once(entries: int) -> float:
    with TemporaryDirectory(prefix="tallystick-bench-") as name:
        home = Path(name)
        home.chmod(0o755)  # PostgreSQL runs as another user when this is root
        with EmbeddedStack(home / "stack") as stack:
            plan = ProvisionPlan(
                kafka={"bootstrap_servers": stack.kafka.address},
                vault_addr=stack.vault.address,
                vault_token=stack.vault.root_token,
                database_url=stack.database.admin_url,
                output=home / "provisioned",
                partitions=PARTITIONS,
            )
            notary = _notary(asyncio.run(provision(plan)), home)
            notary.start()
            try:
                notary.wait_ready()
                notary.send(signal.SIGSTOP)
                asyncio.run(_send(stack.kafka.address, entries))
                started = time.perf_counter()
                notary.send(signal.SIGCONT)
                _wait_published(home / "logs" / "decisions" / "checkpoint", entries)
                return entries / (time.perf_counter() - started)
            finally:
                notary.kill()


def _notary(provisioned: Provisioned, home: Path) -> ServiceProcess:
    settings = provisioned.environment("notary") | {
        "TALLYSTICK_HTTP_PORT": str(free_port()),
        "TALLYSTICK_TRUST_POLICY": str(provisioned.policy),
        "TALLYSTICK_LOG_DIR": str(home / "logs"),
        "TALLYSTICK_STAGING_DIR": str(home / "staging"),
    }
    return ServiceProcess("notary", ["tallystick-notary"], settings, home / "notary.log")


async def _send(bootstrap: str, entries: int) -> None:
    """Send decisions as large as real ones are, in whole batches."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES) as producer:
        acknowledgements = []
        for partition in range(PARTITIONS):
            batch = producer.create_batch()
            for sequence in range(partition, entries, PARTITIONS):
                value = _decision(partition, sequence // PARTITIONS)
                while batch.append(timestamp=None, key=None, value=value) is None:
                    acknowledgements.append(await producer.send_batch(batch, "decisions", partition=partition))
                    batch = producer.create_batch()
            acknowledgements.append(await producer.send_batch(batch, "decisions", partition=partition))
        await asyncio.gather(*acknowledgements)


def _decision(partition: int, sequence: int) -> bytes:
    digest = hashlib.sha256(b"%d/%d" % (partition, sequence)).digest()
    return Decision(
        source_topic="transactions",
        source_partition=partition,
        source_offset=sequence,
        sequence=sequence,
        chain=digest,
        decided_at_ms=1_700_000_000_000 + sequence,
        outcome=Outcome.OUTCOME_APPROVE,
        margin_bits=sequence,
        model_digest=digest,
        policy_digest=digest,
        feature_schema_digest=digest,
        activation_index=2,
        evidence_digest=digest,
    ).SerializeToString()


def _wait_published(path: Path, entries: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while Checkpoint.parse(Note.parse(path.read_bytes()).text).size < entries:
        if time.monotonic() > deadline:
            raise TimeoutError("the notary did not finish")
        time.sleep(0.01)
