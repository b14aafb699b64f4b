"""Evidence from Kafka into PostgreSQL: each record once, whatever happens to the process or the servers."""

import asyncio
import hashlib
import os
import random
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tallystick.contracts import Evidence
from tallystick.embedded import ServiceProcess

from ..hanging import suspend_database
from ..stack import PARTITIONS, ProvisionedStack, provisioned_stack
from .test_api_outages import eventually
from .world import count_evidence, database, ingest_process, send_evidence


def evidence(partition: int, sequence: int) -> bytes:
    """Make one record; what is inside is nobody's business here."""
    return Evidence(
        key_id=secrets.token_bytes(16),
        lookup=secrets.token_bytes(32),
        partition=partition,
        sequence=sequence,
        nonce=secrets.token_bytes(12),
        ciphertext=secrets.token_bytes(300),
    ).SerializeToString()


def records(count: int, first: int = 0) -> list[tuple[int, bytes | None]]:
    """Make `count` records over all partitions, sequences from `first` on."""
    return [(n % PARTITIONS, evidence(n % PARTITIONS, first + n // PARTITIONS)) for n in range(count)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvisionedStack]:
    """Run servers that these tests may suspend and restart, as long as they wake them again."""
    with provisioned_stack(tmp_path_factory.mktemp("ingest")) as own:
        yield own


@dataclass(frozen=True)
class Copying:
    """An ingest process that is not started yet, and the topic, empty before, that it copies into empty tables."""

    servers: ProvisionedStack
    topic: str
    process: ServiceProcess

    def send(self, sent: list[tuple[int, bytes | None]]) -> None:
        """Put records into the topic."""
        asyncio.run(send_evidence(self.servers, sent, self.topic))

    def kept(self, table: str = "evidence") -> int:
        """Count rows."""
        return asyncio.run(count_evidence(self.servers, table))

    def rows(self) -> set[tuple[int, int, bytes, bytes]]:
        """Return (partition, offset, value, digest) of all evidence kept."""
        return asyncio.run(rows(self.servers))


@pytest.fixture
def copying(servers: ProvisionedStack, tmp_path: Path) -> Iterator[Copying]:
    """Make a topic of the test's own, and empty the tables afterwards."""
    topic = f"evidence-{secrets.token_hex(4)}"
    asyncio.run(make_topic(servers, topic))
    made = Copying(servers, topic, ingest_process(servers, tmp_path, topic))
    yield made
    made.process.stop()
    asyncio.run(empty_tables(servers))


async def make_topic(servers: ProvisionedStack, topic: str) -> None:
    """Make a topic like `evidence`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.servers.kafka.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        await admin.close()


async def empty_tables(servers: ProvisionedStack) -> None:
    """Forget what was kept."""
    async with database(servers, "audit") as connection:
        await connection.execute("TRUNCATE audit.evidence, audit.malformed_evidence, audit.positions, audit.evidence_gaps")


async def rows(stack: ProvisionedStack) -> set[tuple[int, int, bytes, bytes]]:
    """Return (partition, offset, value, digest) of all evidence kept."""
    async with database(stack, "audit") as connection:
        found = await connection.fetch("SELECT partition, record_offset, value, digest FROM audit.evidence")
        return {(row[0], row[1], row[2], row[3]) for row in found}


def expected(sent: list[tuple[int, bytes | None]]) -> set[tuple[int, int, bytes, bytes]]:
    """Return what `rows` must give for records sent in this order to an empty topic."""
    offsets = dict.fromkeys(range(PARTITIONS), 0)
    made = set()
    for partition, value in sent:
        assert value is not None
        made.add((partition, offsets[partition], value, hashlib.sha256(value).digest()))
        offsets[partition] += 1
    return made


def health(process: ServiceProcess, path: str = "") -> httpx.Response:
    """Ask for health."""
    return httpx.get(f"{process.health_url}{path}", timeout=30)


def test_killed_and_restarted(copying: Copying) -> None:
    """Killed with SIGKILL in the middle of copying, again and again, it loses no record and doubles none."""
    copying.process.env["TALLYSTICK_BATCH_RECORDS"] = "50"  # many transactions, so that a kill falls among them
    sent = records(12_000)
    interrupted = 0
    for start in range(0, len(sent), 3_000):
        copying.process.start()
        copying.process.wait_ready()
        copying.send(sent[start : start + 3_000])
        time.sleep(random.random() * 0.05)
        copying.process.kill()
        interrupted += 0 < copying.kept() < start + 3_000
    assert interrupted, "no kill came in the middle: this test has tested nothing"
    copying.process.start()
    eventually("all are kept", lambda: copying.kept() >= len(sent))
    assert copying.rows() == expected(sent)


def test_what_is_no_evidence(copying: Copying) -> None:
    """What cannot be evidence is kept aside with a reason, counted, and stops nothing."""
    good = [(0, evidence(0, 0)), (0, evidence(0, 1))]
    bad: list[tuple[int, bytes | None]] = [(0, b"\xff\xff"), (0, None), (0, evidence(1, 5)), (0, b"")]
    copying.send([good[0], *bad, good[1]])
    copying.process.start()
    eventually("all are kept", lambda: copying.kept() == 2 and copying.kept("malformed_evidence") == 4)
    eventually("counted", lambda: "tallystick_evidence_malformed_total 4.0" in metrics(copying.process))


def metrics(process: ServiceProcess) -> str:
    """Ask for metrics."""
    return httpx.get(process.health_url.removesuffix("/health") + "/metrics", timeout=30).text


def test_servers_that_stop(copying: Copying) -> None:
    """PostgreSQL restarted and Kafka stopped for a while: nothing is lost, nothing doubled, and health says what happened."""
    sent = records(400)
    copying.process.start()
    copying.process.wait_ready()
    copying.send(sent[:200])
    eventually("the first are kept", lambda: copying.kept() == 200)
    copying.servers.servers.database.stop()
    # Before anything is sent: the ingest finds out though it has nothing to write.
    eventually("said in health", lambda: "not answering" in health(copying.process).json()["components"]["database"])
    copying.send(sent[200:])
    copying.servers.servers.database.start()
    eventually("the rest are kept", lambda: copying.kept() == 400)
    os.kill(copying.servers.servers.kafka.pid, signal.SIGSTOP)
    eventually("said in health", lambda: "not answering" in health(copying.process).json()["components"]["kafka"])
    os.kill(copying.servers.servers.kafka.pid, signal.SIGCONT)
    eventually("ready again", lambda: health(copying.process, "/ready").status_code == 200)
    more = records(40, first=100)
    copying.send(more)
    eventually("those after it are kept", lambda: copying.kept() == 440)
    assert copying.rows() == expected(sent + more)


def test_database_that_hangs(copying: Copying) -> None:
    """PostgreSQL that hangs is said so in health and written to once it wakes: each record once."""
    sent = records(5_000)
    copying.process.start()
    copying.process.wait_ready()
    copying.send(sent[:2_500])
    wake = suspend_database(copying.servers.servers.database)
    try:
        copying.send(sent[2_500:])
        eventually("said in health", lambda: "not answering" in health(copying.process).json()["components"]["database"])
        assert health(copying.process, "/live").status_code == 200
    finally:
        wake()
    eventually("all are kept", lambda: copying.kept() >= len(sent))
    assert copying.rows() == expected(sent)


def test_one_writer(copying: Copying, tmp_path: Path) -> None:
    """A second ingest stands by and takes over when the first is gone."""
    copying.process.start()
    copying.process.wait_ready()
    second = ingest_process(copying.servers, tmp_path, copying.topic)
    second.start()
    try:
        second.wait_ready(url=f"{second.health_url}/live")
        eventually("standing by", lambda: "standing by" in health(second).json()["components"]["database"])
        copying.send(records(100))
        eventually("kept once", lambda: copying.kept() == 100)
        copying.process.kill()
        second.wait_ready()
        copying.send(records(100, first=25))
        eventually("kept by the second", lambda: copying.kept() == 200)
    finally:
        assert second.stop() == 0


def test_topic_made_anew(copying: Copying) -> None:
    """If the topic is suddenly shorter than what was read of it, the ingest stops with a reason rather than mix the two."""
    copying.send(records(40))
    copying.process.start()
    eventually("kept", lambda: copying.kept() == 40)
    assert copying.process.stop() == 0
    asyncio.run(move_position(copying.servers))
    copying.process.start()
    eventually("ended", lambda: not copying.process.is_alive)
    assert copying.process.exit_code == 1
    assert "made anew" in copying.process.child.log_file.read_text()


async def move_position(stack: ProvisionedStack) -> None:
    """Make the stored position of one partition later than the topic's end."""
    async with database(stack, "audit") as connection:
        await connection.execute("UPDATE audit.positions SET next_offset = 1000 WHERE partition = 2")
