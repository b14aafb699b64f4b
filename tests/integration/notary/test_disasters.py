"""What may befall a notary's disk, database, keys, clock and backups, over real ones; everything verified after each life.

In each row the notary recovers by itself, or ends and says what a person must do.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from tallystick.cli.main import main
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.notary.pipeline import Pipeline

from ..proxy import CuttableProxy
from .ground import DONE, ENDED, KILLED, PLACES, Ground, lived, vault_client, verify, verify_complete
from .mortal import TROUBLES, Life, first_line_of

BATCH = 2  # the phase that fills tiles
MOMENTS = {
    "before the commit": first_line_of(Pipeline._append, BATCH),
    "after the commit": first_line_of(Pipeline._copy, BATCH),
    "before the signature": first_line_of(Pipeline._publish, BATCH),
}
# A sequence does not go back with its transaction, so it counts the attempts.
FAILING_COMMITS = """
    CREATE SEQUENCE {log}_commits;
    CREATE FUNCTION {log}_fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('{log}_commits') = ANY (ARRAY[2, 3]) THEN {action}; END IF;
      RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER {log}_fail AFTER UPDATE ON notary.logs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
      WHEN (NEW.log = '{name}' AND NEW.size > OLD.size) EXECUTE FUNCTION {log}_fail();
"""


async def survives(ground: Ground, life: Life, component: str) -> None:
    """Assert that the notary waited for a component, and then logged all."""
    assert await asyncio.to_thread(lived, life) == DONE, life.words_file.read_text()
    assert f"{component}: " in life.words_file.read_text(), "nothing happened to it"
    await verify_complete(ground, life)


@asynccontextmanager
async def administrator(ground: Ground) -> AsyncIterator[asyncpg.Connection]:
    """Provide a connection with every right."""
    connection = await asyncpg.connect(ground.stack.database.admin_url)
    try:
        yield connection
    finally:
        await connection.close()


# The disk.


CHECKPOINT_TOO = ("public directory read-only", "no room at all", "room for no checkpoint", "no file can be opened")
AND_THEN = [
    (trouble, moment) for moment in MOMENTS for trouble in TROUBLES if "signature" not in moment or trouble in CHECKPOINT_TOO
]


@pytest.mark.parametrize(("trouble", "moment"), AND_THEN)
async def test_a_directory_that_cannot_be_written_is_waited_for(ground: Ground, trouble: str, moment: str) -> None:
    """Full, read-only, or no file to be had: nothing is lost, and it goes on as soon as there is room."""
    life = ground.life("directory")
    await survives(ground, replace(life, trouble=trouble, trouble_at=MOMENTS[moment]), "disk")


@pytest.mark.parametrize("damage", ["gone", "a bit"])
async def test_damaged_hash_tiles_are_repaired_from_the_entries(ground: Ground, damage: str) -> None:
    """The notary ends rather than go on from wrong tiles; `tallystick repair` makes them anew, and it goes on."""
    life = ground.life("directory")
    assert await asyncio.to_thread(lived, replace(life, kill_at=first_line_of(Pipeline._append, BATCH + 1))) == KILLED
    sound = ground.files(life)
    for tile in (path for path in (life.public / "tile").rglob("*") if path.is_file() and "entries" not in path.parts):
        tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:]) if damage == "a bit" else tile.unlink()
    assert await asyncio.to_thread(lived, life) == ENDED
    assert "CorruptLogError" in life.words_file.read_text()
    policy = ground.home / life.log / "policy"
    policy.write_text(f"log {VerifierKey.make(life.origin, ED25519, ground.keys(life.key)[0])}\nquorum none\n")
    assert await asyncio.to_thread(main, ["repair", str(life.public), "--policy", str(policy)]) == 0
    assert ground.files(life) == sound
    assert await asyncio.to_thread(lived, life) == DONE, life.words_file.read_text()
    await verify_complete(ground, life)


# The database.


@pytest.mark.parametrize("code", ["53100", "57P01", "40001", "25006"])
async def test_a_commit_that_fails_for_a_while_is_repeated(ground: Ground, code: str) -> None:
    """Disk full, shutting down, serialisation failure, standby: said by the server while it commits, twice, then no more."""
    life = ground.life("directory")
    assert await asyncio.to_thread(lived, replace(life, kill_at=MOMENTS["before the commit"])) == KILLED
    async with administrator(ground) as connection:
        await connection.execute(failing_commits(life, f"RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'"))
    await survives(ground, life, "database")


async def test_a_commit_that_will_never_do_ends_the_notary(ground: Ground) -> None:
    """What waiting does not mend is not waited for; nothing was published, and once it is mended all is logged."""
    life = ground.life("directory")
    assert await asyncio.to_thread(lived, replace(life, kill_at=MOMENTS["before the commit"])) == KILLED
    async with administrator(ground) as connection:
        await connection.execute(failing_commits(life, "RAISE EXCEPTION 'it is wrong' USING ERRCODE = '23514'"))
    for _ in range(2):
        assert await asyncio.to_thread(lived, life) == ENDED
        assert "it is wrong" in life.words_file.read_text()
        await verify(ground, life)
    assert await asyncio.to_thread(lived, life) == DONE  # the third failure is none any more
    await verify_complete(ground, life)


async def test_a_connection_that_is_terminated_while_it_commits(ground: Ground) -> None:
    """The server ends the connection in the very commit, twice: whether it was done is found out, not guessed."""
    life = ground.life("directory")
    assert await asyncio.to_thread(lived, replace(life, kill_at=MOMENTS["before the commit"])) == KILLED
    async with administrator(ground) as connection:
        await connection.execute(failing_commits(life, "PERFORM pg_terminate_backend(pg_backend_pid())"))
    await survives(ground, life, "database")


TRANSACTIONS = {
    "open": b"epoch = epoch + 1",
    "commit": b"UPDATE notary.logs SET size",
    "record": b"INSERT INTO notary.checkpoints",
}


@pytest.mark.parametrize("transaction", TRANSACTIONS)
@pytest.mark.parametrize("done", [False, True], ids=["lost", "done"])
async def test_a_connection_that_breaks_around_a_commit(ground: Ground, transaction: str, *, done: bool) -> None:
    """Cut before COMMIT reaches the server, or when it is done and only the answer is missing: every entry is logged once."""
    life, seen = ground.life("directory"), threading.Event()

    def change(data: bytes) -> bytes:
        if TRANSACTIONS[transaction] in data:
            seen.set()
        if seen.is_set() and b"COMMIT" in data and not struck:
            struck.append(transaction)
            threading.Timer(0.2, proxy.restore).start()
            if done:
                proxy.drop_answer()
            else:
                proxy.cut()
        return data

    struck: list[str] = []
    with CuttableProxy(ground.stack.database.port, change) as proxy:
        url = life.database_url.replace(f":{ground.stack.database.port}/", f":{proxy.port}/")
        await survives(ground, replace(life, database_url=url), "database")
    assert struck == [transaction]


async def test_a_server_that_is_stopped_before_the_signature_is_recorded(ground: Ground) -> None:
    """PostgreSQL is stopped while Vault signs, and started again."""
    life, database = ground.life("directory"), ground.stack.database

    def stop() -> None:
        database.stop()
        threading.Timer(0.5, database.start).start()

    with ground.vault.at_signature(life.key, 2, stop):
        await survives(ground, life, "database")


# The keys.


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_vault_that_is_sealed_is_waited_for(ground: Ground, number: int) -> None:
    """Sealed right before a signature: nothing is published meanwhile, and all of it when it is unsealed."""
    life = ground.life("directory")
    with vault_client(ground.stack) as vault:

        def seal() -> None:
            vault.sys.seal()
            threading.Timer(0.5, lambda: vault.sys.submit_unseal_key(ground.stack.vault.unseal_key_file.read_text())).start()

        with ground.vault.at_signature(life.key, number, seal):
            await survives(ground, life, "vault")


async def test_a_signature_that_comes_too_late_was_made_all_the_same(ground: Ground) -> None:
    """Vault signs, and its answer is late, again and again: it is the same signature that is published in the end."""
    life = ground.life("directory")

    def be_slow() -> None:
        ground.vault.delay_s = 1.0
        threading.Timer(3.0, be_quick).start()

    def be_quick() -> None:
        ground.vault.delay_s = 0.0

    with ground.vault.at_signature(life.key, 2, be_slow):
        await survives(ground, replace(life, vault_timeout_s=0.5), "vault")
    assert len(ground.vault.signed[life.key]) > len(ground.vault.roots(life.key)), "none was late"


# The clock.


@pytest.mark.parametrize("jump_s", [-3600, 3600])
async def test_a_clock_that_jumps_stops_nothing(ground: Ground, jump_s: int) -> None:
    """It shows in the cosignature's time alone: no pause is counted by it, and no tree."""
    life = ground.life("directory")
    started = asyncio.get_running_loop().time()
    assert await asyncio.to_thread(lived, replace(life, clock_jumps_s=jump_s)) == DONE, life.words_file.read_text()
    assert asyncio.get_running_loop().time() - started < 60
    await verify_complete(ground, life)


# Another notary, and backups.


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("later_s", [0.0, 0.1, 0.2, 0.3])
async def test_a_second_notary_started_by_mistake(ground: Ground, place: str, later_s: float) -> None:
    """Of two at once, one logs everything, and the other ends, saying that there is another; or had ended before."""
    life = ground.life(place)

    async def one(after_s: float) -> tuple[int, str]:
        await asyncio.sleep(after_s)
        words = ground.home / life.log / f"after-{after_s}"
        code = await asyncio.to_thread(lived, replace(life, words_file=words))
        return code, words.read_text()

    outcomes = await asyncio.gather(one(0.0001), one(later_s))

    assert DONE in [code for code, _ in outcomes], outcomes
    for code, words in outcomes:
        assert code == DONE or "FencedError" in words
    assert await asyncio.to_thread(lived, life) == DONE  # what the one that was fenced had staged is cleared away
    await verify_complete(ground, life)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("older", ["database", "files"])
async def test_an_old_backup_is_never_continued(ground: Ground, place: str, older: str) -> None:
    """The one that is older than the other is named, nothing is signed; with both of one age it goes on."""
    life = ground.life(place)
    async with ground.own_database(life) as (life, copies):
        assert await asyncio.to_thread(lived, replace(life, kill_at=first_line_of(Pipeline._append, BATCH + 1))) == KILLED
        await copies.keep("old")
        old_files = ground.copy_files(life)
        assert await asyncio.to_thread(lived, life) == DONE
        await copies.keep("new")
        new_files, signed = ground.copy_files(life), len(ground.vault.signed[life.key])

        if older == "database":
            await copies.restore("old")
        else:
            ground.restore_files(life, old_files)
        for _ in range(2):
            assert await asyncio.to_thread(lived, life) == ENDED
        words = life.words_file.read_text()
        assert ("ForkError" if older == "database" else "CorruptLogError") in words
        assert ("restore one that is as new as the log" if older == "database" else "as new as the database") in words
        assert len(ground.vault.signed[life.key]) == signed, "something was signed"

        await copies.restore("new")
        ground.restore_files(life, new_files)
        assert await asyncio.to_thread(lived, life) == DONE
        await verify_complete(ground, life)


def failing_commits(life: Life, action: str) -> str:
    """Return the SQL by which the second and third commit that make a log longer fail in the commit itself."""
    return FAILING_COMMITS.format(log=life.log.replace("-", "_"), name=life.log, action=action)
