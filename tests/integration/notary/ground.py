"""Where mortal notaries live, and what checks everything after each life with code that shares nothing with the product's."""

import base64
import multiprocessing
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
import hvac
import pytest

from tallystick.contracts import Decision, EntryKind, LogEntry
from tallystick.embedded import EmbeddedStack

from ..s3 import BUCKET, S3Server
from . import naive
from .mortal import ERROR, Life, live
from .overseers import Overseer, Trusted
from .recorder import SigningRecorder

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([live.__module__])
DONE, ENDED, KILLED = 0, 1, -9
UNKNOWN = 255  # what the fork server answers when it lost the child's exit code
LIFE_S = 60
PLACES = ("directory", "bucket")
OVERSEEN = "overseen"
"""A directory, with a witness and a governance log: see `overseers`."""
BEFORE_THE_KEY = 3
"""The size up to which an overseen log is signed by the first version of its key alone."""


@dataclass
class Ground:
    """Servers on which many logs live, each with a key, a topic and a place of its own."""

    stack: EmbeddedStack
    vault: SigningRecorder
    s3: S3Server
    home: Path
    overseer: Overseer
    made: int = 0

    def life(self, place: str) -> Life:
        """Return a life in a new log; overseen by a witness and a governance log if the place is `OVERSEEN`."""
        self.made += 1
        name = f"{place}-{self.made}"
        with vault_client(self.stack) as vault:
            for key in (f"notary-{name}", f"receipts-{name}"):
                vault.secrets.transit.create_key(name=key, key_type="ed25519")
        (self.home / name).mkdir()
        origin = f"tallystick.example/{name}"
        trust = self._overseen(name, origin) if place == OVERSEEN else None
        return Life(
            log=name,
            origin=origin,
            trust=trust,
            database_url=f"postgresql://postgres@{self.stack.database.address}/postgres",
            password_file=self.stack.database.password_file,
            vault_addr=self.vault.address,
            token_file=self.stack.vault.root_token_file,
            public=self.home / name / "public",
            staging=self.home / name / "staging",
            words_file=self.home / name / "words",
            bucket_url=f"s3://{BUCKET}/{name}" if place == "bucket" else None,
            s3=self.s3.settings() if place == "bucket" else None,
        )

    def _overseen(self, name: str, origin: str) -> Path:
        with vault_client(self.stack) as vault:
            vault.secrets.transit.rotate_key(name=f"notary-{name}")
        first, second = self.keys(f"notary-{name}")
        folder = self.home / name / "trust"
        self.overseer.oversee(Trusted(origin, (first, second), folder))
        return folder

    def keys(self, name: str) -> list[bytes]:
        """Return the public key of each version of a key in Vault, the oldest first."""
        with vault_client(self.stack) as vault:
            versions = vault.secrets.transit.read_key(name=name)["data"]["keys"]
        return [base64.b64decode(versions[number]["public_key"]) for number in sorted(versions, key=int)]

    def files(self, life: Life) -> dict[str, bytes]:
        """Return a log's public files, by their paths."""
        if life.bucket_url is not None:
            found = self.s3.objects(f"{life.log}/")
        else:
            paths = [path for path in life.public.rglob("*") if path.is_file()]
            found = {str(path.relative_to(life.public)): path.read_bytes() for path in paths}
        return {name: data for name, data in found.items() if not name.startswith(".")}

    def copy_files(self, life: Life) -> dict[str, bytes]:
        """Return a copy of all of a log's files, staging objects included."""
        if life.bucket_url is not None:
            return self.s3.objects(f"{life.log}/")
        home = self.home / life.log
        return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    def restore_files(self, life: Life, files: Mapping[str, bytes]) -> None:
        """Put a copy in place of a log's files."""
        if life.bucket_url is not None:
            client = self.s3.client()
            for key in self.s3.objects(f"{life.log}/"):
                client.delete_object(Bucket=BUCKET, Key=f"{life.log}/{key}")
            for key, data in files.items():
                client.put_object(Bucket=BUCKET, Key=f"{life.log}/{key}", Body=data)
            return
        for directory in (life.public, life.staging):
            shutil.rmtree(directory)
        for name, data in files.items():
            target = self.home / life.log / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

    @asynccontextmanager
    async def own_database(self, life: Life) -> AsyncIterator[tuple[Life, "Copies"]]:
        """Give a log a database of its own, that can be copied and restored while no notary lives."""
        copies = Copies(self.stack.database.admin_url, life.log.replace("-", "_"))
        await copies.execute(f"CREATE DATABASE {copies.name}")
        try:
            yield replace(life, database_url=life.database_url.rpartition("/")[0] + f"/{copies.name}"), copies
        finally:
            for name in (copies.name, *copies.kept):
                await copies.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def staged(self, life: Life) -> list[str]:
        """Return the names of a log's staging objects."""
        if life.bucket_url is not None:
            return list(self.s3.objects(f"{life.log}/.staging/"))
        return [path.name for path in life.staging.iterdir()]


@dataclass
class Copies:
    """Copies of a database, made by the server."""

    admin_url: str
    name: str
    kept: list[str] = field(default_factory=list)

    async def keep(self, copy: str) -> None:
        """Copy the database."""
        self.kept.append(f"{self.name}_{copy}")
        await self.execute(f"CREATE DATABASE {self.kept[-1]} TEMPLATE {self.name}")

    async def restore(self, copy: str) -> None:
        """Put a copy in the database's place."""
        await self.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
        await self.execute(f"CREATE DATABASE {self.name} TEMPLATE {self.name}_{copy}")

    async def execute(self, command: str) -> None:
        """Run a command that no transaction may hold."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(command)
        finally:
            await connection.close()


@contextmanager
def vault_client(stack: EmbeddedStack) -> Iterator[hvac.Client]:
    """Provide Vault's client with every right."""
    client = hvac.Client(url=stack.vault.address, token=stack.vault.root_token)
    try:
        yield client
    finally:
        client.adapter.close()


def lived(life: Life) -> int:
    """Let a notary live; return how it ended."""
    life.words_file.unlink(missing_ok=True)
    process = FORKED.Process(target=live, args=(life,))
    process.start()
    process.join(LIFE_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        pytest.fail(f"{life.log} did not end")
    if process.exitcode != UNKNOWN:
        return int(process.exitcode)
    if not life.words_file.exists():
        return KILLED
    return ENDED if life.words_file.read_text().startswith(ERROR) else DONE


async def verify(ground: Ground, life: Life) -> naive.Published:
    """Check all that a log consists of, whatever has happened to it."""
    key = ground.keys(life.key)[0]
    files = ground.files(life)
    published = naive.verify(files, life.origin, key)
    leaves = [naive.leaf(entry) for entry in published.entries]

    signed = ground.vault.roots(life.key)
    for size, root in signed.items():
        if size <= len(leaves):
            assert naive.root(leaves[:size]) == root, f"what was signed for size {size} is not this log"
    assert not published.size or signed[published.size] == published.root
    if life.trust is not None:
        _verify_overseen(ground, life, files.get("checkpoint"), signed)

    password = ground.stack.database.password_file.read_text()
    connection = await asyncpg.connect(life.database_url, password=password)
    try:
        if await connection.fetchval("SELECT to_regclass('notary.logs') IS NULL"):
            assert not signed
            return published
        head = await connection.fetchrow("SELECT size, root FROM notary.logs WHERE log = $1", life.log)
        committed = head["size"] if head else 0
        assert published.size <= committed, "published before it was committed"
        assert max(signed, default=0) <= committed, "signed before it was committed"
        if committed <= len(leaves) and head:
            assert naive.root(leaves[:committed]) == head["root"]
        for row in await connection.fetch("SELECT size, root, note FROM notary.checkpoints WHERE log = $1", life.log):
            assert naive.open_note(row["note"], life.origin, key) == (row["size"], row["root"])
            assert row["root"] == signed[row["size"]]
        index = await connection.fetch(
            "SELECT source_partition, sequence, log_index FROM notary.decision_index WHERE source_topic = $1", life.topic
        )
        assert len(index) == len({row["log_index"] for row in index}), "two decisions at one place"
        for row in index:
            if row["log_index"] < len(published.entries):
                entry = LogEntry.FromString(published.entries[row["log_index"]])
                decision = Decision.FromString(entry.value)
                assert (entry.partition, decision.sequence) == (row["source_partition"], row["sequence"])
            assert row["log_index"] < committed
    finally:
        await connection.close()

    found = sequences(published)
    assert all(numbers == list(range(len(numbers))) for numbers in found.values()), "lost, doubled or out of order"
    return published


def _verify_overseen(ground: Ground, life: Life, note: bytes | None, signed: Mapping[int, bytes]) -> None:
    """Check that nothing is public that the witness does not stand by, and that it stands by nothing but this log."""
    witness, keys = ground.overseer, ground.keys(life.key)
    kept = witness.head(life.origin)
    size, root = naive.open_note(kept, life.origin, keys[0]) if kept else (-1, b"")
    assert not kept or signed[size] == root
    if note is None:
        return
    public, _ = naive.open_note(note, life.origin, keys[0])
    naive.check_cosigned(note, witness.key.name, witness.key.public_key)
    assert public <= size, "public before the witness had cosigned it"
    if public > BEFORE_THE_KEY:
        naive.open_note(note, life.origin, keys[1])


def sequences(published: naive.Published) -> dict[int, list[int]]:
    """Return the sequence numbers in a log's decisions, by partition, in the log's order."""
    found: dict[int, list[int]] = {}
    for entry in map(LogEntry.FromString, published.entries):
        if entry.kind == EntryKind.ENTRY_KIND_DECISION:
            found.setdefault(entry.partition, []).append(Decision.FromString(entry.value).sequence)
    return found


async def verify_complete(ground: Ground, life: Life) -> None:
    """Check that everything was logged, once, and that nothing is left over."""
    published = await verify(ground, life)
    assert sequences(published) == life.expected()
    assert published.size == len(published.entries) == 561
    assert ground.staged(life) == []
