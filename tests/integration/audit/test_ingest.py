"""Evidence from Kafka into PostgreSQL: each record once, whatever happens to the process or the servers."""

import asyncio
import hashlib
import os
import random
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tallystick.contracts import Evidence
from tallystick.embedded import ServiceProcess

from ..stack import PARTITIONS, ProvisionedStack
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


@pytest.fixture
def ingest(fresh_stack: ProvisionedStack, tmp_path: Path) -> Iterator[ServiceProcess]:
    """Give an ingest process that is not started yet."""
    process = ingest_process(fresh_stack, tmp_path)
    yield process
    process.stop()


def kept(stack: ProvisionedStack, table: str = "evidence") -> int:
    """Count rows."""
    return asyncio.run(count_evidence(stack, table))


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
    return httpx.get(f"{process.health_url}{path}", timeout=10)


def test_killed_and_restarted(fresh_stack: ProvisionedStack, ingest: ServiceProcess) -> None:
    """Killed with SIGKILL again and again while records arrive, it loses none and doubles none."""
    sent = records(12_000)
    for start in range(0, len(sent), 2_000):
        ingest.start()
        asyncio.run(send_evidence(fresh_stack, sent[start : start + 2_000]))
        time.sleep(random.random() * 0.4)
        ingest.kill()
    ingest.start()
    eventually("all are kept", lambda: kept(fresh_stack) >= len(sent))
    assert asyncio.run(rows(fresh_stack)) == expected(sent)


def test_what_is_no_evidence(fresh_stack: ProvisionedStack, ingest: ServiceProcess) -> None:
    """What cannot be evidence is kept aside with a reason, counted, and stops nothing."""
    good = [(0, evidence(0, 0)), (0, evidence(0, 1))]
    bad: list[tuple[int, bytes | None]] = [(0, b"\xff\xff"), (0, None), (0, evidence(1, 5)), (0, b"")]
    asyncio.run(send_evidence(fresh_stack, [good[0], *bad, good[1]]))
    ingest.start()
    eventually("all are kept", lambda: kept(fresh_stack) == 2 and kept(fresh_stack, "malformed_evidence") == 4)
    eventually("counted", lambda: "tallystick_evidence_malformed_total 4.0" in metrics(ingest))


def metrics(process: ServiceProcess) -> str:
    """Ask for metrics."""
    return httpx.get(process.health_url.removesuffix("/health") + "/metrics", timeout=10).text


def test_servers_that_hang(fresh_stack: ProvisionedStack, ingest: ServiceProcess) -> None:
    """PostgreSQL restarted and Kafka stopped for a while: nothing is lost, nothing doubled, and health says what happened."""
    sent = records(400)
    ingest.start()
    ingest.wait_ready()
    asyncio.run(send_evidence(fresh_stack, sent[:200]))
    eventually("the first are kept", lambda: kept(fresh_stack) == 200)
    fresh_stack.servers.database.stop()
    asyncio.run(send_evidence(fresh_stack, sent[200:]))
    eventually("said in health", lambda: "not answering" in health(ingest).json()["components"]["database"])
    fresh_stack.servers.database.start()
    eventually("the rest are kept", lambda: kept(fresh_stack) == 400)
    os.kill(fresh_stack.servers.kafka.pid, signal.SIGSTOP)
    eventually("said in health", lambda: "not answering" in health(ingest).json()["components"]["kafka"])
    os.kill(fresh_stack.servers.kafka.pid, signal.SIGCONT)
    eventually("ready again", lambda: health(ingest, "/ready").status_code == 200)
    more = records(40, first=100)
    asyncio.run(send_evidence(fresh_stack, more))
    eventually("those after it are kept", lambda: kept(fresh_stack) == 440)
    assert asyncio.run(rows(fresh_stack)) == expected(sent + more)


def test_one_writer(fresh_stack: ProvisionedStack, ingest: ServiceProcess, tmp_path: Path) -> None:
    """A second ingest stands by and takes over when the first is gone."""
    ingest.start()
    ingest.wait_ready()
    second = ingest_process(fresh_stack, tmp_path)
    second.start()
    try:
        second.wait_ready(url=f"{second.health_url}/live")
        eventually("standing by", lambda: "standing by" in health(second).json()["components"]["database"])
        asyncio.run(send_evidence(fresh_stack, records(100)))
        eventually("kept once", lambda: kept(fresh_stack) == 100)
        ingest.kill()
        second.wait_ready()
        asyncio.run(send_evidence(fresh_stack, records(100, first=25)))
        eventually("kept by the second", lambda: kept(fresh_stack) == 200)
    finally:
        assert second.stop() == 0


def test_topic_made_anew(fresh_stack: ProvisionedStack, ingest: ServiceProcess) -> None:
    """If the topic is suddenly shorter than what was read of it, the ingest stops with a reason rather than mix the two."""
    asyncio.run(send_evidence(fresh_stack, records(40)))
    ingest.start()
    eventually("kept", lambda: kept(fresh_stack) == 40)
    assert ingest.stop() == 0
    asyncio.run(move_position(fresh_stack))
    ingest.start()
    eventually("ended", lambda: not ingest.is_alive)
    assert ingest.exit_code == 1
    assert "made anew" in ingest.child.log_file.read_text()


async def move_position(stack: ProvisionedStack) -> None:
    """Make the stored position of one partition later than the topic's end."""
    async with database(stack, "audit") as connection:
        await connection.execute("UPDATE audit.positions SET next_offset = 1000 WHERE partition = 2")
