"""The notary as a process, when it or its servers are killed, stopped, replaced or full."""

import asyncio
import resource
import shutil
import signal

import asyncpg
import pytest

from tallystick.cli.provision import provision
from tallystick.contracts import EntryKind

from ..hanging import suspend_database
from .installation import PARTITIONS, Installation, decision, eventually, every_partition, logged_sequences


async def test_kill_9_in_mid_stream_loses_and_doubles_nothing(installation: Installation) -> None:
    """Killed again and again while decisions stream in, the notary logs each once, and forks or shrinks the log never."""
    rounds, each = 5, 600
    streaming = asyncio.create_task(stream(installation, rounds * each))
    for at in range(rounds):
        notary = await installation.started()
        before = await installation.published_size()
        await asyncio.sleep(0.15 + 0.07 * at)  # anywhere in a batch
        notary.kill()
        await installation.verify()
        assert await installation.published_size() >= before
    await streaming
    await installation.started()

    _, entries = await installation.wait_for(rounds * each * PARTITIONS)

    assert logged_sequences(entries) == every_partition(range(rounds * each))


async def stream(installation: Installation, total: int) -> None:
    """Send decisions in small portions, some of them twice."""
    for start in range(0, total, 50):
        await installation.send_decisions(range(max(0, start - 5), start + 50))
        await asyncio.sleep(0.05)


async def test_a_second_notary_fences_the_first(installation: Installation) -> None:
    """Started by mistake, a second notary takes over; the first ends with a message that says so; the log stays one."""
    first = await installation.started()
    await installation.send_decisions(range(100))
    await installation.wait_for(400)

    second = await installation.started()
    await installation.send_decisions(range(100, 200))
    await eventually(lambda: first.exit_code is not None)
    _, entries = await installation.wait_for(800)

    assert first.exit_code == 1
    assert "another notary has taken this log over" in first.child.log_tail()
    assert second.is_alive
    assert logged_sequences(entries) == every_partition(range(200))


async def test_a_notary_that_slept_through_its_succession_does_no_harm(installation: Installation) -> None:
    """Stopped in mid-stream, replaced, and woken up again, the first notary ends without touching the log."""
    first = await installation.started()
    await installation.send_decisions(range(200))
    first.send(signal.SIGSTOP)
    await installation.started()
    await installation.send_decisions(range(200, 400))
    await installation.wait_for(1600)

    first.send(signal.SIGCONT)
    await eventually(lambda: first.exit_code is not None)
    _, entries = await installation.verify()

    assert first.exit_code == 1
    assert logged_sequences(entries) == every_partition(range(400))


async def test_a_predecessor_that_stands_still_in_a_transaction_holds_nobody_up(installation: Installation) -> None:
    """Whoever takes a log over ends the session that holds its row, as a notary does that is stopped in mid-commit.

    Fails without that: the successor would wait for as long as the stopped one's connection lasts.
    """
    first = await installation.started()
    await installation.send_decisions(range(10))
    await installation.wait_for(40)
    first.kill()
    stopped = await installation.connect()
    await stopped.execute("BEGIN")
    await stopped.execute("UPDATE notary.logs SET size = size")

    await installation.started()

    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)):
        await stopped.execute("COMMIT")
    await installation.send_decisions(range(10, 20))
    _, entries = await installation.wait_for(80)
    assert logged_sequences(entries) == every_partition(range(20))


@pytest.mark.parametrize("server", ["vault", "kafka"])
async def test_a_server_that_hangs_is_waited_for(installation: Installation, server: str) -> None:
    """While Vault or Kafka hangs, nothing is published and health says who; then everything is logged."""
    notary = await installation.started(TALLYSTICK_VAULT_TIMEOUT_S="1", TALLYSTICK_REFRESH_S="0.5")
    await installation.send_decisions(range(100))
    await installation.wait_for(400)
    child = installation.kafka.child if server == "kafka" else installation.stack.vault.child
    await installation.send_decisions(range(100, 110))
    child.send(signal.SIGSTOP)
    try:
        await installation.says(notary, server, "not answering")
    finally:
        child.send(signal.SIGCONT)
    await installation.send_decisions(range(110, 200))

    _, entries = await installation.wait_for(800)

    assert logged_sequences(entries) == every_partition(range(200))
    await installation.says(notary, server, "ok")


async def test_a_database_that_hangs_is_said_in_time(installation: Installation) -> None:
    """Some 8 s after PostgreSQL's last sign of life health says so, with or without anything to log; then all goes on.

    A busy machine may take longer; without its own limits the notary would never say it.
    """
    notary = await installation.started()
    wake = suspend_database(installation.stack.database)
    try:
        async with asyncio.timeout(30):
            await installation.says(notary, "database", "not answering")
        await installation.send_decisions(range(10))
    finally:
        wake()

    _, entries = await installation.wait_for(40)
    assert logged_sequences(entries) == every_partition(range(10))
    await installation.says(notary, "database", "ok")


async def test_nothing_is_signed_while_the_database_is_down(installation: Installation) -> None:
    """PostgreSQL is restarted in mid-stream: the notary waits and goes on with every decision logged once."""
    notary = await installation.started()
    await installation.send_decisions(range(100))
    await installation.wait_for(400)
    database = installation.stack.database

    await asyncio.to_thread(database.stop)
    try:
        await installation.send_decisions(range(100, 200))
        await installation.says(notary, "database", "not answering")
        assert await installation.published_size() == 400
    finally:
        await asyncio.to_thread(database.start)

    _, entries = await installation.wait_for(800)
    assert logged_sequences(entries) == every_partition(range(200))


async def test_a_topic_that_lost_its_records_is_not_read_as_if_nothing_had_happened(installation: Installation) -> None:
    """A broker that comes back empty is said in health, and nothing of the new topic is taken for the old one's.

    Two people who have looked let it go on.
    """
    notary = await installation.started()
    await installation.send_decisions(range(100))
    await installation.wait_for(400)

    installation.kafka.stop()
    await asyncio.to_thread(installation.kafka.start)
    await provision(installation.provisioned.plan)
    await installation.send_decisions(range(10))

    await installation.stops(notary, PARTITIONS, "read up to 100")
    checkpoint, _ = await installation.verify()
    assert checkpoint.size == 400

    await installation.send([(0, decision(0, 100))])
    await installation.send_incident(0, 100, 100, 0)
    _, entries = await installation.wait_for(402)
    assert [entry.kind for entry in entries[400:]] == [EntryKind.ENTRY_KIND_INCIDENT, EntryKind.ENTRY_KIND_DECISION]
    await installation.stops(notary, PARTITIONS - 1, "read up to 100")


async def test_a_full_disk_is_waited_out(installation: Installation) -> None:
    """While files cannot grow, nothing new is signed and health says so; when they can again, all is logged."""
    notary = await installation.started()
    await installation.send_decisions(range(10))
    await installation.wait_for(40)
    unlimited = resource.prlimit(notary.pid, resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))

    await installation.send_decisions(range(10, 100))
    await installation.says(notary, "disk", "not answering")
    assert await installation.published_size() == 40
    resource.prlimit(notary.pid, resource.RLIMIT_FSIZE, unlimited)

    _, entries = await installation.wait_for(400)
    assert logged_sequences(entries) == every_partition(range(100))


async def test_a_restored_old_backup_is_refused(installation: Installation) -> None:
    """With a database older than what the public has seen, the notary ends and says what to do, and changes nothing."""
    notary = await installation.started()
    await installation.send_decisions(range(10))
    await installation.wait_for(40)
    assert notary.stop() == 0
    backup = installation.home / "backup"
    await asyncio.to_thread(shutil.copytree, installation.log_dir, backup)
    await asyncio.to_thread(notary.start)
    await asyncio.to_thread(notary.wait_ready)
    await installation.send_decisions(range(10, 20))
    await installation.wait_for(80)
    notary.kill()

    # The directory older than the database: no tiles for what was committed.
    newer = installation.log_dir.rename(installation.home / "newer")
    await asyncio.to_thread(shutil.copytree, backup, installation.log_dir)
    other = installation.notary()
    other.start()
    await eventually(lambda: other.exit_code is not None)
    assert other.exit_code == 1
    assert "restore the log's files" in other.child.log_tail()

    # The database older than the directory.
    await asyncio.to_thread(shutil.rmtree, installation.log_dir)
    newer.rename(installation.log_dir)
    connection = await installation.connect()
    await connection.execute("UPDATE notary.logs SET size = 0, root = sha256(''), staged = NULL WHERE log = 'decisions'")
    await connection.close()
    third = installation.notary()
    third.start()
    await eventually(lambda: third.exit_code is not None)
    assert third.exit_code == 1
    assert "the public checkpoint has 80 entries, the database only 0" in third.child.log_tail()
    checkpoint, _ = await installation.verify()
    assert checkpoint.size == 80


async def test_a_wrong_setting_is_named_and_ends_the_notary(installation: Installation) -> None:
    """A log that the trust policy does not know, or one named twice: exit code 2 and the setting's name."""
    for logs in ("decisions-7", "governance,governance", ""):
        notary = installation.notary(TALLYSTICK_LOGS=logs)
        notary.start()
        await eventually(lambda notary=notary: notary.exit_code is not None)  # type: ignore[misc]  # the default binds
        assert notary.exit_code == 2
        assert "TALLYSTICK_LOGS: " in notary.child.log_tail(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TALLYSTICK_LOG_DIR", "/proc/tallystick"),
        ("TALLYSTICK_STAGING_DIR", "/proc"),
        ("TALLYSTICK_STAGING_DIR", "/dev/null"),
        ("TALLYSTICK_HTTP_HOST", "999.9.9.9"),
    ],
)
async def test_what_cannot_be_used_is_named_before_anything_is_done(installation: Installation, name: str, value: str) -> None:
    """A folder that cannot be made, an address not of this machine: exit code 2, and the running notary is not fenced."""
    running = await installation.started()
    notary = installation.notary(**{name: value})
    notary.start()
    await eventually(lambda: notary.exit_code is not None)
    assert notary.exit_code == 2
    (line,) = notary.child.log_file.read_text().splitlines()
    assert line.startswith(f"{name}: cannot ")

    await installation.send_decisions(range(2))
    await installation.wait_for(2 * PARTITIONS)
    assert running.is_alive
