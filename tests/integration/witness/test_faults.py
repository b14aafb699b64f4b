"""What a witness must not do whatever happens to it: cosign two trees of one size, or forget what it has cosigned."""

import contextlib
import random
import resource
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tallystick.embedded.postgres import Postgres
from tallystick.embedded.service_process import ServiceProcess
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note
from tallystick.witness.decision import log_id

from ...unit.witness.logs import Log
from ..proxy import CuttableProxy
from .processes import Installation, ask, url

LOG = Log()
LATEST = f"/{log_id(LOG.origin)}/checkpoint"
ROUNDS = 60
RIVALS = 6


def on_record(process: ServiceProcess) -> Checkpoint:
    """Return the checkpoint that a witness has on record."""
    return Checkpoint.parse(Note.parse(httpx.get(url(process) + LATEST, timeout=30).content).text)


def test_two_processes_race(installation: Installation) -> None:
    """Two processes on one state, rivals that each ask for a tree of their own at every size: one tree a size is cosigned."""
    processes = [installation.start(), installation.start()]
    won = "true"
    with ThreadPoolExecutor(RIVALS) as pool, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=url(processes[n % 2]), timeout=30)) for n in range(RIVALS)]
        for size in range(1, ROUNDS + 1):
            histories = [f"{won}/{size}{n}@{size - 1}" for n in range(RIVALS)]
            answers = list(pool.map(_submit, clients, [LOG.request(size - 1, size, history) for history in histories]))
            assert {answer.status_code for answer in answers} <= {200, 409, 503}
            (won,) = [history for history, answer in zip(histories, answers, strict=True) if answer.status_code == 200]
    assert on_record(processes[0]) == on_record(processes[1]) == Checkpoint.parse(LOG.text(ROUNDS, won))


def _submit(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/add-checkpoint", content=body)


def test_killed_at_any_moment(installation: Installation) -> None:
    """Killed (-9) at random moments under load and started again: it still knows every checkpoint that it has cosigned."""
    chance = random.Random(7)
    size = 0
    for _ in range(8):
        witness = installation.start()
        recorded = on_record(witness).size if size else 0
        assert recorded >= size
        threading.Timer(chance.uniform(0.02, 0.4), witness.kill).start()
        size = recorded
        with contextlib.suppress(httpx.TransportError), httpx.Client(base_url=url(witness), timeout=30) as client:
            while True:
                assert _submit(client, LOG.request(size, size + 1)).status_code == 200
                size += 1
        while witness.is_alive:
            time.sleep(0.01)
    assert on_record(installation.start()).size - size in {0, 1}
    assert size > 8


def test_a_full_disk(on_sqlite: Installation) -> None:
    """While the file cannot grow nothing is cosigned, and it says so; afterwards it goes on where it was."""
    witness = on_sqlite.start()
    assert ask(witness, LOG.request(0, 3)).status_code == 200
    unlimited = resource.prlimit(witness.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    refused = ask(witness, LOG.request(3, 5))
    assert (refused.status_code, refused.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    assert "cosigned nothing" in refused.text
    assert on_record(witness).size == 3
    resource.prlimit(witness.pid, resource.RLIMIT_FSIZE, unlimited)
    assert ask(witness, LOG.request(3, 5)).status_code == 200


def test_a_locked_file(on_sqlite: Installation, tmp_path: Path) -> None:
    """While somebody else holds the file, requests are put off; it is served and goes on as before."""
    witness = on_sqlite.start()
    ask(witness, LOG.request(0, 3))
    with contextlib.closing(sqlite3.connect(tmp_path / "state", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert ask(witness, LOG.request(3, 5)).status_code == 503
        other.execute("ROLLBACK")
    assert ask(witness, LOG.request(3, 5)).status_code == 200


def test_a_state_that_may_only_be_read(postgres: Postgres, database_url: str, tmp_path: Path) -> None:
    """Nothing is cosigned, what is on record is served; health says what is the matter."""
    url_of_readers = f"{database_url}&default_transaction_read_only=on"
    installation = Installation(tmp_path, database_url, postgres.password_file)
    try:
        installation.init()
        witness = installation.start()
        ask(witness, LOG.request(0, 3))
        reader = installation.start(STATE=url_of_readers)
        assert ask(reader, LOG.request(3, 5)).status_code == 503
        assert on_record(reader).size == 3
        assert "read-only transaction" in reader.child.log_tail()
    finally:
        installation.kill()


def test_a_database_that_goes_away(postgres: Postgres, database_url: str, tmp_path: Path) -> None:
    """Cut off, it cosigns nothing, is not ready and says why; connected again, it goes on by itself. It also starts without."""
    with CuttableProxy(postgres.port) as proxy:
        through = database_url.replace(f":{postgres.port}/", f":{proxy.port}/")
        installation = Installation(tmp_path, through, postgres.password_file)
        try:
            installation.init()
            proxy.cut()
            witness = installation.start(wait=False)
            witness.wait_ready(url=f"{url(witness)}/health/live")
            assert ask(witness, LOG.request(0, 3)).status_code == 503
            assert httpx.get(url(witness) + LATEST).status_code == 503
            ready = httpx.get(f"{url(witness)}/health/ready")
            assert ready.status_code == 503
            assert ready.json()["state"].startswith("not answering: the database ")
            proxy.restore()
            witness.wait_ready()
            assert ask(witness, LOG.request(0, 3)).status_code == 200
            proxy.cut()
            assert ask(witness, LOG.request(3, 5)).status_code == 503
            proxy.restore()
            witness.wait_ready()
            # Cut off in the middle, nobody knows whether the last one was kept; the protocol finds out.
            answer = ask(witness, LOG.request(3, 5))
            assert answer.status_code == 200 or ask(witness, LOG.request(5, 5)).status_code == 200
        finally:
            installation.kill()


@pytest.mark.parametrize("first", ["sqlite", "postgresql"])
def test_keys_and_states_are_not_mixed_up(first: str, postgres: Postgres, database_url: str, tmp_path: Path) -> None:
    """Another key's state, or none: the process ends with code 2, names the owner or says what to do; nothing is made anew."""
    state = f"sqlite://{tmp_path}/state" if first == "sqlite" else database_url
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    owner = Installation(tmp_path / "one", state, postgres.password_file)
    assert "there is no state in" in (lost := owner.run(HTTP_PORT="0")).stderr
    assert (lost.returncode, lost.stderr.splitlines()[-1][:18]) == (2, "TALLYSTICK_STATE: ")
    assert "tallystick-witness --init" in lost.stderr
    assert owner.run("--init").returncode == 0
    again = owner.run("--init")
    assert (again.returncode, "never made anew" in again.stderr) == (2, True)
    other = Installation(tmp_path / "two", state, postgres.password_file).run(HTTP_PORT="0")
    assert (other.returncode, f"is of another key, {owner.verifier}" in other.stderr) == (2, True)
    renamed = owner.run(NAME="witness.example/another", HTTP_PORT="0")
    assert (renamed.returncode, "is of another key" in renamed.stderr) == (2, True)
