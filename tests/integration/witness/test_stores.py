"""What every store must keep to: one suite over SQLite and PostgreSQL."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from tallystick.embedded.postgres import Postgres
from tallystick.witness.decision import Accepted, Head, Submission, admit
from tallystick.witness.postgresql_store import PostgresqlStore
from tallystick.witness.sqlite_store import SqliteStore
from tallystick.witness.store import StateError, StateUnavailableError, Store

from ...unit.witness.logs import NOW_S, Log, witness_key

LOG, KEY = Log(), witness_key()
DURABLE = {"synchronous": 2, "journal_mode": "wal"}
OTHER = Log("other.example/log")
OpenStore = Callable[[], Store]


def head(size: int, history: str = "true", time_s: int = NOW_S, log: Log = LOG) -> Head:
    """Return what is kept when a checkpoint has been cosigned."""
    submission = admit(log.request(0, size, history), {log.origin: (log.key,)}, KEY.verifier)
    assert isinstance(submission, Submission)
    return KEY.cosign(Accepted(submission, time_s))[0]


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    """Return a state of `KEY`, new."""
    made = open_store()
    await made.create(KEY.verifier)
    return made


async def test_a_new_state_is_empty(store: Store) -> None:
    """It is ours, and knows nothing."""
    await store.check(KEY.verifier)
    assert await store.read(LOG_ID) is None


async def test_what_is_kept_is_read(store: Store, open_store: OpenStore) -> None:
    """Field by field, by this process and by others, also when it began anew."""
    first, second = head(5), head(8, time_s=NOW_S + 1)
    assert await store.replace(None, first)
    assert await store.read(LOG_ID) == first
    assert await store.replace(first, second)
    assert await store.read(LOG_ID) == second
    assert await open_store().read(LOG_ID) == second


async def test_the_largest_values_fit(store: Store) -> None:
    """Sizes and times up to 2^63 - 1."""
    largest = Head(LOG.origin, 2**63 - 1, bytes(32), 2**63 - 1, b"n" * 100_000)
    assert await store.replace(None, largest)
    assert await store.read(LOG_ID) == largest


async def test_logs_do_not_mix(store: Store) -> None:
    """Each log has its own."""
    assert await store.replace(None, head(5))
    assert await store.replace(None, head(3, log=OTHER))
    assert await store.read(LOG_ID) == head(5)
    assert await store.read(head(3, log=OTHER).log_id) == head(3, log=OTHER)


@pytest.mark.parametrize("old", [None, head(4), head(5, "false"), head(5, time_s=NOW_S - 1)])
async def test_only_what_stands_there_is_replaced(store: Store, old: Head | None) -> None:
    """Another size, another root, another time or nothing in its place: refused, and nothing changes."""
    assert await store.replace(None, head(5))
    assert not await store.replace(old, head(8, time_s=NOW_S + 1))
    assert await store.read(LOG_ID) == head(5)


async def test_nothing_is_replaced_where_nothing_stands(store: Store) -> None:
    """An `old` that was never kept."""
    assert not await store.replace(head(5), head(8))
    assert await store.read(LOG_ID) is None


async def test_one_of_many_wins(store: Store, open_store: OpenStore) -> None:
    """Of many that replace the same head at a time, over several connections, exactly one does; at the beginning as later."""
    stores = [store, *(open_store() for _ in range(3))]
    old: Head | None = None
    for size in range(1, 8):
        rivals = [head(size, f"history {number}", NOW_S + size) for number in range(12)]
        won = await asyncio.gather(*[stores[n % 4].replace(old, rival) for n, rival in enumerate(rivals)])
        assert sum(won) == 1
        old = rivals[won.index(True)]
        assert [await one.read(LOG_ID) for one in stores] == [old] * 4


async def test_a_state_is_made_once(store: Store, open_store: OpenStore) -> None:
    """`create` never makes it anew, for whatever key."""
    assert await store.replace(None, head(5))
    for key in (KEY, witness_key("witness.example/w2")):
        with pytest.raises(StateError, match="already; it is never made anew"):
            await open_store().create(key.verifier)
    assert await store.read(LOG_ID) == head(5)


async def test_a_state_that_is_not_there_is_not_made(open_store: OpenStore) -> None:
    """Only `create` does, and the error says how."""
    store = open_store()
    for attempt in (store.check(KEY.verifier), store.read(LOG_ID), store.replace(None, head(5))):
        with pytest.raises(StateError, match="tallystick-witness --init"):
            await attempt


async def test_a_state_is_of_one_key(store: Store, open_store: OpenStore) -> None:
    """Another key, or the same under another name, is refused, and the owner named."""
    await store.check(KEY.verifier)
    with pytest.raises(StateError, match=r"is of another key, witness\.example/w1\+"):
        await open_store().check(witness_key("witness.example/w2").verifier)


async def test_a_path_that_cannot_be_is_said(tmp_path: Path) -> None:
    """A folder that is not there: no state, none made, and `create` says why."""
    store = SqliteStore(tmp_path / "missing/state")
    with pytest.raises(StateError, match="there is no state"):
        await store.check(KEY.verifier)
    with pytest.raises(StateUnavailableError, match="No such file"):
        await store.create(KEY.verifier)
    await store.close()


async def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """Write-ahead log, and an fsync of it at every commit: what no test can show without cutting the power."""
    store = SqliteStore(tmp_path / "state")
    await store.create(KEY.verifier)
    pragmas = await store._run(lambda: [store._open().execute(f"PRAGMA {name}").fetchone()[0] for name in DURABLE])
    assert dict(zip(DURABLE, pragmas, strict=True)) == DURABLE
    await store.close()


async def test_half_a_state_is_none(tmp_path: Path) -> None:
    """What a `create` that was cut short leaves behind is not the state, and does not stop the next one."""
    (tmp_path / "state.new").write_bytes(b"half")
    store = SqliteStore(tmp_path / "state")
    with pytest.raises(StateError, match="there is no state"):
        await store.check(KEY.verifier)
    await store.create(KEY.verifier)
    await store.check(KEY.verifier)
    await store.close()
    assert os.listdir(tmp_path) == ["state"]  # noqa: PTH208  a look, not work


async def test_a_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    """It is neither read nor overwritten."""
    (tmp_path / "state").write_bytes(b"somebody's diary" * 100)
    store = SqliteStore(tmp_path / "state")
    with pytest.raises(StateUnavailableError, match="not a database"):
        await store.check(KEY.verifier)
    with pytest.raises(StateError, match="already"):
        await store.create(KEY.verifier)
    await store.close()
    assert (tmp_path / "state").read_bytes().startswith(b"somebody's diary")


@pytest.mark.parametrize("what", ["deleted", "replaced"])
async def test_a_file_that_goes_away_is_noticed(tmp_path: Path, what: str) -> None:
    """Deleted or replaced under a running witness: the next look says so."""
    store, other = SqliteStore(tmp_path / "state"), SqliteStore(tmp_path / "other")
    await store.create(KEY.verifier)
    await other.create(KEY.verifier)
    await other.close()
    await store.check(KEY.verifier)
    (tmp_path / "other").replace(tmp_path / "state") if what == "replaced" else (tmp_path / "state").unlink()
    with pytest.raises(StateError, match="was replaced while" if what == "replaced" else "there is no state"):
        await store.check(KEY.verifier)
    await store.close()


async def test_a_database_that_forgets_is_refused(postgres: Postgres, database_url: str) -> None:
    """A server whose commits need not be on its disk: session settings are put right, `fsync = off` is refused."""
    store = PostgresqlStore(database_url, postgres.password_file.read_text)
    await store.create(KEY.verifier)
    admin = await asyncpg.connect(postgres.admin_url)
    try:
        await admin.execute("ALTER DATABASE postgres SET synchronous_commit = off")
        other = PostgresqlStore(database_url, postgres.password_file.read_text)
        async with other._connection() as connection:
            assert await connection.fetchval("SHOW synchronous_commit") == "on"
        await other.close()
        await admin.execute("ALTER SYSTEM SET fsync = off")
        await admin.execute("SELECT pg_reload_conf()")
        with pytest.raises(StateError, match="fsync = off"):
            await _check_for_long(store)
    finally:
        await admin.execute("ALTER DATABASE postgres RESET synchronous_commit")
        await admin.execute("ALTER SYSTEM RESET fsync")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        await store.close()


async def test_a_database_that_is_away_is_waited_for(postgres: Postgres) -> None:
    """No server, no such database, a wrong password: unavailable, and the password is nowhere in the message."""
    for url, password in (
        ("postgresql://postgres@127.0.0.1:1/postgres", "secret"),
        (f"postgresql://postgres@{postgres.address}/missing", postgres.password_file.read_text()),
        (f"postgresql://postgres@{postgres.address}/postgres", "secret"),
    ):
        store = PostgresqlStore(url, partial(str, password))
        with pytest.raises(StateUnavailableError) as away:
            await store.check(KEY.verifier)
        assert password not in str(away.value)
        await store.close()


async def _check_for_long(store: Store) -> None:
    for _ in range(100):
        await store.check(KEY.verifier)
        await asyncio.sleep(0.05)


LOG_ID = head(1).log_id
