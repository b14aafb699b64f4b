"""The state in PostgreSQL: for witnesses of several processes or machines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tallystick.merkle.keys import VerifierKey
from tallystick.witness.decision import Head
from tallystick.witness.store import StateError, StateUnavailableError, no_state, other_key

CONNECTIONS = 8
TIMEOUT_S = 5.0
_SCHEMA = """
    CREATE TABLE witness_key (vkey text NOT NULL);
    CREATE TABLE witness_heads (
        log_id text PRIMARY KEY,
        origin text NOT NULL,
        size bigint NOT NULL CHECK (size >= 0),
        root bytea NOT NULL,
        time_s bigint NOT NULL CHECK (time_s > 0),
        note bytea NOT NULL
    );
"""
_READ = "SELECT origin, size, root, time_s, note FROM witness_heads WHERE log_id = $1"
_INSERT = (
    "INSERT INTO witness_heads (log_id, origin, size, root, time_s, note) VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (log_id) DO NOTHING"
)
# The note holds all that the other columns say, so the row with the old note is the row that was read. A second UPDATE waits
# for the first to commit, looks again, and finds another note.
_UPDATE = "UPDATE witness_heads SET size = $1, root = $2, time_s = $3, note = $4 WHERE log_id = $5 AND note = $6"
_CHECK = "SELECT (SELECT vkey FROM witness_key), current_setting('fsync')"


class PostgresqlStore:
    """A state in two tables of a database, as `store.Store` says; each statement is a transaction of its own.

    Durable as far as the server is: `synchronous_commit` is switched on, a server with `fsync = off` is refused, and replicas
    that a failover may choose must be synchronous ones.
    """

    def __init__(self, url: str, password: Callable[[], str] | None = None) -> None:
        parts = urlsplit(url)
        self._where = (
            f"the database {parts.path.removeprefix('/') or '(default)'} at {parts.netloc.rpartition('@')[2] or '(default)'}"
        )
        self._options: dict[str, Any] = {
            "dsn": url,
            "timeout": TIMEOUT_S,
            "command_timeout": TIMEOUT_S,
            "server_settings": {"synchronous_commit": "on", "default_transaction_isolation": "read committed"},
        }
        if password is not None:
            self._options["password"] = password
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def create(self, witness: VerifierKey) -> None:
        """Make the tables, in the first schema of the role's search path."""
        async with self._connection() as connection:
            try:
                async with connection.transaction():
                    await connection.execute(_SCHEMA)
                    await connection.execute("INSERT INTO witness_key (vkey) VALUES ($1)", str(witness))
            except asyncpg.DuplicateTableError as error:
                raise StateError(f"there is a state in {self._where} already; it is never made anew") from error

    async def check(self, witness: VerifierKey) -> None:
        """Look whose state it is, and that the server writes to its disk before it says so."""
        async with self._connection() as connection:
            owner, fsync = await connection.fetchrow(_CHECK)
        if owner != str(witness):
            raise other_key(self._where, owner)
        if fsync != "on":
            raise StateError(f"{self._where} runs with fsync = off: it would forget what this witness cosigned")

    async def read(self, log_id: str) -> Head | None:
        """Return what was cosigned last for a log."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_READ, log_id)
        return Head(*row) if row else None

    async def replace(self, old: Head | None, new: Head) -> bool:
        """Replace a head, durably."""
        async with self._connection() as connection:
            if old is None:
                done = await connection.execute(_INSERT, new.log_id, new.origin, new.size, new.root, new.time_s, new.note)
            else:
                done = await connection.execute(_UPDATE, new.size, new.root, new.time_s, new.note, new.log_id, old.note)
        return bool(done.endswith(" 1"))

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            async with self._opening:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(**self._options, min_size=0, max_size=CONNECTIONS)
            async with self._pool.acquire(timeout=TIMEOUT_S) as connection:
                yield connection
        except asyncpg.UndefinedTableError as error:
            raise no_state(self._where) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StateUnavailableError(f"{self._where}: {error or 'no answer'}") from error
