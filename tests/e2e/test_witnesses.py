"""P6: nobody rewrites or forks the log unseen, the bank included. P8: without a quorum of witnesses nothing is decided."""

import asyncio
import json
import shutil
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import numpy as np
import pytest

from tallystick.cli.demo.figures import read_logs
from tallystick.cli.demo.platform import WITNESSES, Platform
from tallystick.cli.demo.proof import fetch, offline
from tallystick.cli.demo.steps import wait_until
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import Note
from tallystick.merkle.tiles import TileBuilder, TilePath, consistency_proof, inclusion_proof
from tallystick.notary.witness_messages import add_checkpoint, head_path
from tallystick.runtime.log_reader import LogReader

from .bank import stream, transactions
from .forging import COLLUDING, forged, origin_of
from .governing import Release
from .processes import stopped
from .reading import emitted, published, read_run
from .starting import running

LIMIT, AGE_S, RATE = 400, 2.0, 400
DEADLINE_S = 3.0
TABLES = ("offsets", "positions", "decisions", "checkpoints")


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Platform]:
    """Run a chain that lets few decisions run ahead of the log."""
    extra = {
        "scoring": {"TALLYSTICK_COVERAGE_DECISIONS": str(LIMIT), "TALLYSTICK_COVERAGE_AGE_S": str(AGE_S)},
        "notary": {"TALLYSTICK_WITNESS_DEADLINE_S": str(DEADLINE_S)},
    }
    with running(tmp_path_factory.mktemp("witnessed"), release, extra) as platform:
        yield platform


class Tree:
    """The decisions' log as it is, or as the bank would rather have it, with its proofs."""

    def __init__(self, entries: list[bytes]) -> None:
        self.entries, self.builder = entries, TileBuilder()
        self.tiles = dict(self.builder.append([leaf_hash(entry) for entry in entries]))

    @property
    def root(self) -> bytes:
        """The root."""
        return self.builder.root()

    def read(self, path: TilePath) -> bytes:
        """Return a tile of this very size."""
        return self.tiles[path]


def entries(platform: Platform) -> list[bytes]:
    """Return the log's entries."""

    async def read() -> list[bytes]:
        async with LogReader(f"{platform.log_url}/decisions") as log:
            size = Checkpoint.parse(Note.parse(await log.checkpoint()).text).size
            return await log.entries(0, size)

    return asyncio.run(read())


def asked(platform: Platform, witness: str, old: int, proof: list[bytes], note: bytes) -> httpx.Response:
    """Ask a witness to cosign."""
    url = platform.services[witness].health_url.removesuffix("/health")
    return httpx.post(f"{url}/add-checkpoint", content=add_checkpoint(old, proof, note))


def latest(platform: Platform, witness: str) -> Checkpoint:
    """Return the head of the decisions' log that a witness shows."""
    url = platform.services[witness].health_url.removesuffix("/health")
    answer = httpx.get(f"{url}/{head_path(origin_of(platform, 'decisions'))}")
    return Checkpoint.parse(Note.parse(answer.content).text)


def test_a_rewritten_log_is_refused_by_witnesses_and_by_whoever_verifies(witnessed: Platform, tmp_path: Path) -> None:
    """The bank changes one decision after the fact, makes the whole tree anew and signs it: the same size, and a larger one.

    No witness cosigns either. A bundle from that log verifies nowhere; it would, had two witnesses colluded: nothing else is
    wrong with it. Fails without the quorum in the policy.
    """
    asyncio.run(stream(witnessed.kafka, transactions(300, "rewritten")))
    read_run(witnessed)
    true = entries(witnessed)
    bundle, policy = tmp_path / "bundle.json", ["--policy", str(witnessed.policy)]
    fetch(witnessed, "rewritten-7", bundle)
    document = json.loads(bundle.read_bytes())
    at = document["decision"]["index"]
    rewritten = Tree([entry if index != 0 else _one_bit_flipped(entry) for index, entry in enumerate(true)])
    longer = Tree([*rewritten.entries, true[0]])

    size = len(true)
    true_head = Checkpoint(origin_of(witnessed, "decisions"), size, Tree(true).root)
    wait_until(lambda: {latest(witnessed, name) for name in WITNESSES} == {true_head}, "all witnesses to know the true head")
    same = forged(witnessed, "decisions", size, rewritten.root)
    more = forged(witnessed, "decisions", size + 1, longer.root)
    for witness in WITNESSES:
        assert asked(witnessed, witness, size, [], same).status_code in (409, 422)
        proof = consistency_proof(size, size + 1, longer.read)
        assert asked(witnessed, witness, size, proof, more).status_code == 422
        assert latest(witnessed, witness).size == size

    for cosigners, code in ((("w3",), 1), (COLLUDING, 0)):
        document["decision"]["proof"] = [b64encode(node).decode() for node in inclusion_proof(at, size, rewritten.read)]
        document["decision"]["checkpoint"] = forged(witnessed, "decisions", size, rewritten.root, cosigners).decode()
        bundle.write_text(json.dumps(document))
        verdict = offline(["verify", str(bundle), *policy])
        assert verdict.code == code, verdict.said
        if code:
            assert "lacks cosignatures that the policy's quorum witnesses asks for" in verdict.said["reason"]


def test_a_rollback_is_refused_by_witnesses(witnessed: Platform) -> None:
    """A smaller head, though a true one, gets no cosignature: the witness answers with the size that it knows."""
    asyncio.run(stream(witnessed.kafka, transactions(100, "rolled")))
    read_run(witnessed)
    true = entries(witnessed)
    wait_until(lambda: latest(witnessed, "w2").size == len(true), "the witness to follow")
    half = Tree(true[: len(true) // 2])
    note = forged(witnessed, "decisions", len(half.entries), half.root)
    for old in (0, len(half.entries) - 1):
        answer = asked(witnessed, "w2", old, list(consistency_proof(old, len(half.entries), half.read)) if old else [], note)
        assert (answer.status_code, answer.text) == (409, f"{len(true)}\n")


def test_one_dead_witness_changes_nothing(witnessed: Platform) -> None:
    """While one witness of three is killed, stream and proofs go on; it is named in health, and follows once it is back."""
    platform = witnessed
    with _streaming(platform, "one", 4 * RATE):
        platform.services["w3"].kill()
        wait_until(lambda: _witness(platform, "w3")["error"] is not None, "the notary to say that w3 is dead")
        assert "not reached" in _witness(platform, "w3")["error"]
        size = published(platform).size
        wait_until(lambda: published(platform).size > size + RATE, "the log to go on")
        assert platform.health("notary")["ready"]
        assert platform.health("notary")["components"]["witnesses"] == "ok"
        assert platform.health("scoring")["ready"]
    platform.services["w3"].start()
    assert len(read_run(platform).of("one")) == 4 * RATE
    wait_until(lambda: _witness(platform, "w3")["error"] is None, "w3 to be well again")
    asyncio.run(stream(platform.kafka, transactions(10, "after-one")))
    wait_until(lambda: latest(platform, "w3").size == published(platform).size, "w3 to follow")


def test_without_a_quorum_nothing_is_decided_until_there_is_one_again(witnessed: Platform) -> None:
    """Two of three die in mid-stream: nothing is published, scoring stops and says so; one returns, and nothing is lost."""
    platform = witnessed
    with _streaming(platform, "two", 10 * RATE):
        for name in ("w1", "w3"):
            platform.services[name].kill()
        wait_until(lambda: "no quorum" in platform.health("notary")["components"]["witnesses"], "the notary to lack a quorum")
        state = platform.health("notary")["components"]["witnesses"]
        assert "decisions: w2 for the quorum witnesses; w1: not reached" in state
        assert not platform.health("notary")["ready"]
        size = published(platform).size
        wait_until(lambda: platform.health("scoring")["components"]["scoring"] != "ok", "scoring to stop")
        time.sleep(AGE_S)
        held = emitted(platform)
        assert held - size <= LIMIT
        time.sleep(2 * AGE_S + 1)
        assert emitted(platform) == held, "decisions went on without a quorum"
        assert published(platform).size == size, "something was published without a quorum"
        platform.services["w1"].start()
    assert len(read_run(platform).of("two")) == 10 * RATE
    wait_until(lambda: bool(platform.health("notary")["ready"]), "the notary to be well again")
    wait_until(lambda: bool(platform.health("scoring")["ready"]), "scoring to be well again")
    platform.services["w3"].start()


def test_a_witness_that_stands_still_delays_no_proof(witnessed: Platform) -> None:
    """One of three is stopped (it takes connections, and never answers): the time to a proof stays what it was.

    Fails without the grace: each head would wait for the deadline.
    """
    platform = witnessed
    wait_until(lambda: all(state["error"] is None for state in _witnesses(platform).values()), "all witnesses to be well")
    with stopped(platform.services["w2"].pid):
        asyncio.run(stream(platform.kafka, transactions(8 * RATE, "slow"), rate=RATE))
        wait_until(lambda: _witness(platform, "w2")["error"] is not None, "the notary to say that w2 does not answer")
        read_run(platform)
    decided = read_logs(platform)
    waited_ms = (decided.provable_ms - decided.logged_ms)[-8 * RATE :]
    assert np.median(waited_ms) < DEADLINE_S * 1000 / 2


def test_an_old_backup_restored_whole_is_refused_because_of_what_witnesses_know(witnessed: Platform, tmp_path: Path) -> None:
    """Database and log directory, restored together from one backup, look sound: only outside is it known that there was more.

    The notary signs nothing, ends, and says what to do; with the newer state put back it goes on. Last of this module's tests.
    """
    platform = witnessed
    notary, backup, newer = (
        platform.services["notary"],
        Backup(platform, tmp_path, "older"),
        Backup(platform, tmp_path, "newer"),
    )
    asyncio.run(stream(platform.kafka, transactions(50, "kept")))
    read_run(platform)
    notary.stop()
    backup.take()
    notary.start()
    asyncio.run(stream(platform.kafka, transactions(50, "since")))
    read_run(platform)
    notary.stop()
    size = published(platform).size
    newer.take()

    backup.restore()
    notary.start()
    wait_until(lambda: not notary.is_alive, "the notary to end")
    assert notary.exit_code == 1
    assert f"cosigned has {size} entries, the database only {size - 50}" in notary.child.log_tail(40)
    assert published(platform).size == size - 50

    # With two of three witnesses out of reach nobody can tell, so nothing is signed either.
    for name in ("w1", "w2"):
        platform.services[name].kill()
    notary.start()
    notary.wait_ready(url=f"{notary.health_url}/live")
    wait_until(lambda: "no quorum" in platform.health("notary")["components"]["witnesses"], "the notary to wait for witnesses")
    assert published(platform).size == size - 50
    for name in ("w1", "w2"):
        platform.services[name].start()
    wait_until(lambda: not notary.is_alive, "the notary to end again")

    newer.restore()
    notary.start()
    asyncio.run(stream(platform.kafka, transactions(50, "later")))
    assert len(read_run(platform).of("later")) == 50


@dataclass
class Backup:
    """The notary's tables and files as they were at some time. Taken and restored while no notary runs."""

    platform: Platform
    folder: Path
    name: str

    def take(self) -> None:
        """Copy everything."""
        shutil.copytree(self.platform.log_dir, self.folder / self.name)
        statements = [f"CREATE SCHEMA {self.name}", f"CREATE TABLE {self.name}.logs AS TABLE notary.logs"]
        self._run(*statements, *(f"CREATE TABLE {self.name}.{table} AS TABLE notary.{table}" for table in TABLES))

    def restore(self) -> None:
        """Put everything back."""
        shutil.rmtree(self.platform.log_dir)
        shutil.copytree(self.folder / self.name, self.platform.log_dir)
        self._run(
            *(f"DELETE FROM notary.{table}" for table in TABLES),  # noqa: S608  here and below: names of ours
            f"UPDATE notary.logs AS now SET (size, root, staged, epoch) = (old.size, old.root, old.staged, old.epoch)"  # noqa: S608
            f" FROM {self.name}.logs AS old WHERE now.log = old.log",
            *(f"INSERT INTO notary.{table} SELECT * FROM {self.name}.{table}" for table in TABLES),  # noqa: S608
        )

    def _run(self, *statements: str) -> None:
        async def run() -> None:
            url = urlsplit(self.platform.stack.database.admin_url)._replace(path="/tallystick").geturl()
            connection = await asyncpg.connect(url)
            try:
                async with connection.transaction():
                    for statement in statements:
                        await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


@contextmanager
def _streaming(platform: Platform, name: str, rows: int) -> Iterator[None]:
    """Stream in the background while the block runs, from when scoring is in mid-stream on; then to the end."""
    before = emitted(platform)
    streaming = threading.Thread(target=lambda: asyncio.run(stream(platform.kafka, transactions(rows, name), rate=RATE)))
    streaming.start()
    try:
        wait_until(lambda: emitted(platform) > before + RATE // 2, "scoring to be in mid-stream")
        yield
    finally:
        streaming.join()


def _witnesses(platform: Platform) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = platform.health("notary")["witnesses"]["decisions"]
    return found


def _witness(platform: Platform, name: str) -> dict[str, Any]:
    """Return what the notary says of a witness."""
    return _witnesses(platform)[name]


def _one_bit_flipped(entry: bytes) -> bytes:
    return bytes([entry[0] ^ 1]) + entry[1:]
