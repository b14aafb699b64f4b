"""What a sealer must never lose: every seal that it signed, and what it needs to recognise the last record of each partition.

One SQLite file, which belongs to one key, for good: made once, by `create`. A sealer that began anew would sign a second
history, which whoever compares takes for what it is.
"""

import contextlib
import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallystick.contracts import Seal, SealStatement
from tallystick.witness.files import sync_directory
from tallystick.witness.store import StateError, StateUnavailableError

BUSY_TIMEOUT_S = 5.0
_SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE sealer (key TEXT NOT NULL);
    CREATE TABLE seals (number INTEGER PRIMARY KEY CHECK (number >= 0), value BLOB NOT NULL);
    CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), kept TEXT NOT NULL, published INTEGER NOT NULL);
    INSERT INTO state VALUES (1, '{}', 0);
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """The newest seal, what was kept beside it, and the number of the first seal that is not known to be published."""

    seal: Seal | None
    state: dict[str, Any]
    published: int


class SealStore:
    """See above. Blocking, for one thread. Every method raises StateUnavailableError if the file cannot be read or written.

    Durability: when `append` has returned, the seal outlives the end of the process and of the machine.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def create(self, key: str) -> None:
        """Make the file, for the key that this text names. Raises StateError: there is one already."""
        new = self._path.with_name(self._path.name + ".new")
        with _unavailable(self._path):
            new.unlink(missing_ok=True)
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with contextlib.closing(_connect(new)) as connection:
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO sealer (key) VALUES (?)", (key,))
            try:
                os.link(new, self._path)
            except FileExistsError as error:
                raise StateError(f"there is a state in {self._path} already; it is never made anew") from error
            finally:
                new.unlink()
                sync_directory(self._path.parent)

    def open(self, key: str) -> None:
        """Open the file. Raises StateError: there is none, or it is another key's."""
        if not self._path.exists():
            raise StateError(
                f"there is no state in {self._path}. If this key has never sealed anything, make one: tallystick-witness --role"
                " sealer --init. If it has, its seals are lost: find them, or take a new key"
            )
        with _unavailable(self._path):
            self._connection = _connect(self._path)
            (owner,) = self._opened.execute("SELECT key FROM sealer").fetchone()
        if owner != key:
            raise StateError(f"the state in {self._path} is of another key, {owner}")

    def last(self) -> Kept:
        """Return where the sealer stands."""
        with _unavailable(self._path):
            row = self._opened.execute("SELECT value FROM seals ORDER BY number DESC LIMIT 1").fetchone()
            kept, published = self._opened.execute("SELECT kept, published FROM state").fetchone()
        return Kept(Seal.FromString(row[0]) if row else None, json.loads(kept), published)

    def append(self, seal: Seal, state: dict[str, Any], published: int) -> None:
        """Keep a seal and what goes with it, durably."""
        number = SealStatement.FromString(seal.statement).number
        with _unavailable(self._path), self._opened as transaction:
            transaction.execute("BEGIN")
            transaction.execute("INSERT INTO seals VALUES (?, ?)", (number, seal.SerializeToString()))
            transaction.execute("UPDATE state SET kept = ?, published = ?", (json.dumps(state), published))

    def seals(self, first: int, count: int) -> list[bytes]:
        """Return up to `count` seals from the number `first` on."""
        with _unavailable(self._path):
            rows = self._opened.execute(
                "SELECT value FROM seals WHERE number >= ? ORDER BY number LIMIT ?", (first, count)
            ).fetchall()
        return [value for (value,) in rows]

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateUnavailableError(f"{self._path} is not open")
        return self._connection


@contextlib.contextmanager
def _unavailable(path: Path) -> Any:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StateUnavailableError(f"{path}: {error}") from error


def _connect(path: Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns, in WAL mode too
    return connection
