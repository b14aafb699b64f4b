"""The state in a SQLite file."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tallystick.merkle.keys import VerifierKey
from tallystick.witness.decision import Head
from tallystick.witness.files import sync_directory
from tallystick.witness.store import StateError, StateUnavailableError, no_state, other_key

BUSY_TIMEOUT_S = 5.0
_SCHEMA = """
    PRAGMA journal_mode = WAL;  -- stays with the file: readers do not wait for the writer, and a commit costs one fsync
    CREATE TABLE witness (vkey TEXT NOT NULL);
    CREATE TABLE heads (
        log_id TEXT PRIMARY KEY,
        origin TEXT NOT NULL,
        size INTEGER NOT NULL CHECK (size >= 0),
        root BLOB NOT NULL,
        time_s INTEGER NOT NULL CHECK (time_s > 0),
        note BLOB NOT NULL
    );
"""
_READ = "SELECT origin, size, root, time_s, note FROM heads WHERE log_id = ?"
_INSERT = (
    "INSERT INTO heads (log_id, origin, size, root, time_s, note) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (log_id) DO NOTHING"
)
# The note holds all that the other columns say, so the row with the old note is the row that was read.
_UPDATE = "UPDATE heads SET size = ?, root = ?, time_s = ?, note = ? WHERE log_id = ? AND note = ?"

Result = TypeVar("Result")


class SqliteStore:
    """A state in one file, as `store.Store` says: one thread, one connection, each statement a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    async def create(self, witness: VerifierKey) -> None:
        """Make the file, readable by its owner alone."""
        await self._run(lambda: self._create(witness))

    async def check(self, witness: VerifierKey) -> None:
        """Look whose state it is, and that the file is still the one that was opened."""
        await self._run(lambda: self._check(witness))

    async def read(self, log_id: str) -> Head | None:
        """Return what was cosigned last for a log."""
        row = await self._run(lambda: self._open().execute(_READ, (log_id,)).fetchone())
        return Head(*row) if row else None

    async def replace(self, old: Head | None, new: Head) -> bool:
        """Replace a head, durably."""
        if old is None:
            values = (new.log_id, new.origin, new.size, new.root, new.time_s, new.note)
            return await self._run(lambda: self._open().execute(_INSERT, values).rowcount == 1)
        changes = (new.size, new.root, new.time_s, new.note, new.log_id, old.note)
        return await self._run(lambda: self._open().execute(_UPDATE, changes).rowcount == 1)

    async def close(self) -> None:
        """Close the file, after what is under way."""
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise StateUnavailableError(f"{self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._opened = self._identity()
            self._connection = _connect(self._path)
        return self._connection

    def _identity(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError as error:
            raise no_state(str(self._path)) from error
        return found.st_dev, found.st_ino

    def _check(self, witness: VerifierKey) -> None:
        (owner,) = self._open().execute("SELECT vkey FROM witness").fetchone()
        if owner != str(witness):
            raise other_key(str(self._path), owner)
        if self._identity() != self._opened:
            raise StateError(f"the file {self._path} was replaced while this process used it")

    def _create(self, witness: VerifierKey) -> None:
        new = self._path.with_name(self._path.name + ".new")  # half a state must never stand under the state's name
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(_connect(new)) as connection:
            connection.executescript(_SCHEMA)
            connection.execute("INSERT INTO witness (vkey) VALUES (?)", (str(witness),))
        try:
            os.link(new, self._path)
        except FileExistsError as error:
            raise StateError(f"there is a state in {self._path} already; it is never made anew") from error
        finally:
            new.unlink()
            sync_directory(self._path.parent)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns, in WAL mode too
    return connection
