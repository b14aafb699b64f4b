"""What PostgreSQL keeps of the logs: their heads, how far the topics were read, and where each decision is.

The database is the log's one arbiter: a log is as long as its row in `notary.logs` says, and the files follow.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.resources import files

import asyncpg

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.notary.effects import Opened
from tallystick.notary.errors import FencedError, NotaryError
from tallystick.notary.state import Commit, Head, Position, Progress
from tallystick.runtime import database
from tallystick.runtime.settings import DatabaseSettings

_log = logging.getLogger(__name__)
_SCHEMA = files("tallystick.notary").joinpath("schema.sql").read_text
_ROW = ("source_partition", "sequence", "log_index", "record_offset", "topic")
_READ_POSITION = (
    "SELECT origin, next_sequence, source_offset, chain, activation_index, record_offset, log_index"
    " FROM notary.partitions JOIN notary.topics ON id = topic JOIN notary.logs USING (log)"
    " LEFT JOIN notary.positions USING (topic, source_partition) WHERE name = $1 AND source_partition = $2"
)
_READ_POSITIONS = (
    "SELECT source_partition, next_sequence, source_offset, chain, activation_index, record_offset, log_index"
    " FROM notary.positions JOIN notary.partitions USING (topic, source_partition) WHERE log = $1 AND topic = $2"
)
_WRITE_POSITION = (
    "INSERT INTO notary.positions (topic, source_partition,"
    " next_sequence, source_offset, chain, activation_index, record_offset, log_index)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    " ON CONFLICT (topic, source_partition) DO UPDATE SET"
    " next_sequence = $3, source_offset = $4, chain = $5, activation_index = $6, record_offset = $7, log_index = $8"
)
_CLAIM = "INSERT INTO notary.partitions (topic, source_partition, log) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_CLAIMED = "SELECT source_partition FROM notary.partitions WHERE topic = $1 AND log = $2"
_OTHERS = (
    "SELECT origin, array_agg(source_partition) AS partitions FROM notary.partitions JOIN notary.logs USING (log)"
    " WHERE topic = $1 AND log <> $2 AND source_partition = ANY($3::int[]) GROUP BY origin ORDER BY origin"
)
_END_BLOCKING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid = ANY(pg_blocking_pids($1))"
)
ACQUIRE_TIMEOUT_S = 5.0
TAKE_OVER_AFTER_S = 2.0
"""For how long a notary that takes a log over lets its predecessor end a transaction; far less than the command timeout."""


class Database:
    """Connections to PostgreSQL, opened when first needed; with them, the tables."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection in a transaction, which is committed unless the block raises."""
        pool = await self._open()
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
            yield connection

    async def end_blocking(self, session: int, after_s: float) -> None:
        """Wait so long, then end those sessions of our user that hold up this one of ours (its process id in the server)."""
        await asyncio.sleep(after_s)
        async with self.transaction() as connection:
            ended = await connection.fetch(_END_BLOCKING, session)
        if ended:
            _log.warning("%d sessions ended whose notary stands still in a transaction on a log that is taken over", len(ended))

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            self._pool.terminate()

    async def position(self, source_topic: str, partition: int) -> tuple[str, Position | None] | None:
        """Return the origin of an input partition's log, and the last decision there; None if no log has the partition."""
        async with self.transaction() as connection:
            row = await connection.fetchrow(_READ_POSITION, source_topic, partition)
        if row is None:
            return None
        origin, next_sequence, *rest = row
        return origin, None if next_sequence is None else Position(next_sequence, *rest)

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                pool = await database.pool(self._settings, min_size=0)
                try:
                    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
                        await connection.execute(_SCHEMA())
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
            return self._pool


class Ledger:
    """One log's rows.

    Args:
        database: where they are.
        log: the log's name.
        origin: its name in checkpoints.
        source_topic: the input topic.
        partitions: those of its partitions whose decisions are in this log, for ever; none for the governance log.
    """

    def __init__(self, database: Database, log: str, origin: str, source_topic: str, partitions: frozenset[int]) -> None:
        self._database, self._log, self._origin = database, log, origin
        self._source_topic, self._partitions = source_topic, partitions
        self._topic: int | None = None

    async def open(self, epoch: int | None) -> Opened:
        """See `Effects.open`."""
        async with self._database.transaction() as connection:
            # Either way the row is locked: should an earlier commit of ours, reported as failed, still be under way in the
            # server, this waits for its end.
            if epoch is None:
                row = await self._take_over(connection)
            else:
                row = await connection.fetchrow("SELECT * FROM notary.logs WHERE log = $1 FOR UPDATE", self._log)
            if row is None or (epoch is not None and row["epoch"] != epoch):
                raise self._fenced()
            if row["origin"] != self._origin:
                raise NotaryError(
                    f"the database's log {self._log} is called {row['origin']}, the trust policy calls it {self._origin}: "
                    "a log keeps its origin; use the trust policy that names the former, or another database"
                )
            self._topic = await connection.fetchval("SELECT id FROM notary.topics WHERE name = $1", self._source_topic)
            await self._claim_partitions(connection)
            progress = await self._read_progress(connection)
        return Opened(row["epoch"], Head(row["size"], row["root"], row["staged"]), progress)

    async def commit(self, change: Commit, epoch: int) -> None:
        """See `Effects.commit`."""
        old, new = change.old, change.new
        async with self._database.transaction() as connection:
            swapped = await connection.fetchval(
                "UPDATE notary.logs SET size = $1, root = $2, staged = $3"
                " WHERE log = $4 AND size = $5 AND root = $6 AND epoch = $7 RETURNING size",
                new.size,
                new.root,
                new.staged,
                self._log,
                old.size,
                old.root,
                epoch,
            )
            if swapped is None:
                raise self._fenced()
            if change.rows:
                topic = self._topic
                await connection.copy_records_to_table(
                    "decisions", schema_name="notary", columns=_ROW, records=((*row, topic) for row in change.rows)
                )
            await self._write_progress(connection, change)

    async def record_checkpoint(self, checkpoint: Checkpoint, note: bytes, receipt: bytes | None, epoch: int) -> None:
        """See `Effects.record_checkpoint`. The time of a size's first publication is kept, and a receipt once there is one."""
        async with self._database.transaction() as connection:
            recorded = await connection.fetchval(
                "INSERT INTO notary.checkpoints AS present (log, size, root, note, receipt)"
                " SELECT log, $2, $3, $4, $5 FROM notary.logs WHERE log = $1 AND epoch = $6"
                " ON CONFLICT (log, size) DO UPDATE"
                " SET note = excluded.note, receipt = coalesce(excluded.receipt, present.receipt)"
                " WHERE present.root = excluded.root RETURNING size",
                self._log,
                checkpoint.size,
                checkpoint.root,
                note,
                receipt,
                epoch,
            )
            if recorded is None:
                raise self._fenced()

    async def _take_over(self, connection: asyncpg.Connection) -> asyncpg.Record:
        # A predecessor that stands still in a transaction, or whose machine is gone, would hold the row for as long as its
        # connection lasts, which may be hours. What it has not committed is not done: this one does it again.
        ending = asyncio.create_task(self._database.end_blocking(connection.get_server_pid(), TAKE_OVER_AFTER_S))
        try:
            return await self._take_epoch(connection)
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _take_epoch(self, connection: asyncpg.Connection) -> asyncpg.Record:
        await connection.execute(
            "INSERT INTO notary.logs (log, origin, size, root, epoch) VALUES ($1, $2, 0, $3, 0) ON CONFLICT DO NOTHING",
            self._log,
            self._origin,
            EMPTY_ROOT,
        )
        await connection.execute(
            # Asked first: a conflict would use up a number, and there are only 32,767.
            "INSERT INTO notary.topics (name) SELECT $1 WHERE NOT EXISTS (SELECT FROM notary.topics WHERE name = $1)"
            " ON CONFLICT DO NOTHING",
            self._source_topic,
        )
        return await connection.fetchrow("UPDATE notary.logs SET epoch = epoch + 1 WHERE log = $1 RETURNING *", self._log)

    async def _claim_partitions(self, connection: asyncpg.Connection) -> None:
        """Take the partitions for this log, the first time; refuse if any was another's, or was not this log's before."""
        before = {row["source_partition"] for row in await connection.fetch(_CLAIMED, self._topic, self._log)}
        if before and before != self._partitions:
            raise NotaryError(
                f"the log {self._origin} holds partitions {_ranges(before)} of {self._source_topic}, and the trust policy"
                f" gives it {_ranges(self._partitions) or 'none'}: a partition belongs to one log for ever, and no topic's"
                " partitions are ever more or fewer. Use the trust policy that says so; growth is a new topic"
            )
        await connection.executemany(_CLAIM, [(self._topic, partition, self._log) for partition in sorted(self._partitions)])
        taken = await connection.fetch(_OTHERS, self._topic, self._log, list(self._partitions))
        if taken:
            others = "; ".join(f"{_ranges(set(row['partitions']))} to {row['origin']}" for row in taken)
            raise NotaryError(
                f"the trust policy gives partitions of {self._source_topic} to {self._origin} that belong to other logs"
                f" for ever: {others}. Use the trust policy that says so"
            )

    async def _read_progress(self, connection: asyncpg.Connection) -> Progress:
        offsets = await connection.fetch("SELECT partition, next_offset FROM notary.offsets WHERE log = $1", self._log)
        positions = await connection.fetch(_READ_POSITIONS, self._log, self._topic)
        return Progress(dict(map(tuple, offsets)), {partition: Position(*rest) for partition, *rest in positions})

    async def _write_progress(self, connection: asyncpg.Connection, change: Commit) -> None:
        await connection.executemany(
            "INSERT INTO notary.offsets VALUES ($1, $2, $3)"
            " ON CONFLICT (log, partition) DO UPDATE SET next_offset = excluded.next_offset",
            [(self._log, *item) for item in change.offsets.items()],
        )
        await connection.executemany(
            _WRITE_POSITION,
            [(self._topic, partition, *_columns(position)) for partition, position in change.positions.items()],
        )

    def _fenced(self) -> FencedError:
        return FencedError(
            f"{self._origin}: another notary has taken this log over (or its database was replaced). Only one may write a log: "
            "stop the other one before you start this one again"
        )


def _ranges(partitions: Collection[int]) -> str:
    """Return numbers for people: "0-3, 7"."""
    runs: list[list[int]] = []
    for number in sorted(partitions):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _columns(position: Position) -> tuple[object, ...]:
    return (
        position.next_sequence,
        position.source_offset,
        position.chain,
        position.activation_index,
        position.record_offset,
        position.log_index,
    )
