"""What the API asks of PostgreSQL: reads, each one statement, none of whose answers is trusted unchecked.

Reads `audit.evidence` (ours), and the views `notary.decision_index` and `notary.receipts`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import asyncpg

from tallystick.audit.entries import Place
from tallystick.audit.errors import UnavailableError
from tallystick.runtime.database import connect_options
from tallystick.runtime.settings import DatabaseSettings

COMPONENT = "database"
TIMEOUT_S = 3.0
POOL_SIZE = 8
MAX_CANDIDATES = 50

_CANDIDATES = """
SELECT e.partition, e.sequence, e.digest, d.log_index
FROM audit.evidence e
LEFT JOIN notary.decision_index d
  ON d.source_topic = $2 AND d.source_partition = e.partition AND d.sequence = e.sequence
WHERE e.lookup = $1
ORDER BY d.log_index DESC NULLS FIRST, e.record_offset DESC
LIMIT $3
"""
_PLACE = """
SELECT
  (SELECT log_index FROM notary.decision_index
   WHERE source_topic = $1 AND source_partition = $2 AND sequence = $3) AS log_index,
  EXISTS (SELECT FROM audit.evidence WHERE partition = $2 AND sequence = $3) AS has_evidence
"""
_RECEIPT = """
SELECT root, receipt FROM notary.receipts WHERE log = $1 AND size > greatest($2, 1::bigint) AND size <= $3
ORDER BY size DESC LIMIT 1
"""
_PLACES = """
SELECT asked.partition, asked.sequence, d.log_index,
  EXISTS (SELECT FROM audit.evidence e WHERE e.partition = asked.partition AND e.sequence = asked.sequence)
FROM unnest($2::int[], $3::bigint[]) AS asked(partition, sequence)
LEFT JOIN notary.decision_index d
  ON d.source_topic = $1 AND d.source_partition = asked.partition AND d.sequence = asked.sequence
"""
_EVIDENCE_AT = """
SELECT DISTINCT ON (e.digest) e.digest, e.value FROM audit.evidence e
JOIN unnest($1::int[], $2::bigint[], $3::bytea[]) AS asked(partition, sequence, digest)
  ON e.partition = asked.partition AND e.sequence = asked.sequence AND e.digest = asked.digest
"""
_EVIDENCE_FROM = """
SELECT sequence, value FROM audit.evidence WHERE partition = $1 AND sequence >= $2 AND sequence < $2 + $3 ORDER BY sequence
"""
_STANDING = """
SELECT p, (SELECT max(sequence) + 1 FROM audit.evidence WHERE partition = p),
  (SELECT max(sequence) + 1 FROM notary.decision_index WHERE source_topic = $1 AND source_partition = p)
FROM generate_series(0, $2::int - 1) AS p ORDER BY p
"""
_PROBE = """
SELECT (SELECT 1 FROM audit.evidence LIMIT 1), (SELECT 1 FROM notary.decision_index LIMIT 1),
       (SELECT 1 FROM notary.receipts LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Evidence that may belong to a decision: its SHA-256, and where the index says the decision is (None: not logged)."""

    place: Place
    digest: bytes
    log_index: int | None


class Pool:
    """A small pool of connections, made when first needed; every method raises UnavailableError."""

    def __init__(self, pool: asyncpg.Pool, size: int) -> None:
        self._pool = pool
        self._free = asyncio.Semaphore(size)
        self._failures = 0

    @classmethod
    async def open(cls, settings: DatabaseSettings, *, read_only: bool = True, size: int = POOL_SIZE) -> Self:
        """Make the pool without connecting: PostgreSQL may be down now and answer later."""
        options = connect_options(settings) | {"timeout": TIMEOUT_S, "command_timeout": TIMEOUT_S}
        session = {"default_transaction_read_only": "on" if read_only else "off", "application_name": "tallystick-audit"}
        return cls(await asyncpg.create_pool(**options, server_settings=session, min_size=0, max_size=size), size)

    def close(self) -> None:
        """Drop all connections."""
        self._pool.terminate()

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        """Return what one statement answers, which is a transaction by itself.

        However many ask at once, each waits for its turn; only if the server fails meanwhile, all who wait are told so.
        """
        failures = self._failures
        async with self._free:
            if self._failures != failures:
                raise UnavailableError(COMPONENT, "it failed while others waited")
            return await self._fetch(statement, *arguments)

    async def _fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        try:
            connection = await self._pool.acquire(timeout=TIMEOUT_S)
            try:
                rows: Sequence[Any] = await connection.fetch(statement, *arguments)
            except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                # A server that hangs would hang the connection's return to the pool as well.
                connection.terminate()
                raise
            finally:
                await self._pool.release(connection, timeout=TIMEOUT_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._failures += isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.PostgresConnectionError)
            raise UnavailableError(COMPONENT, str(error) or type(error).__name__) from error
        return rows


class Database(Pool):
    """What is read; the connections can do nothing else."""

    async def candidates(self, lookup: bytes, source_topic: str) -> list[Candidate]:
        """Return all evidence found by `lookup`, what is not logged yet first, then from the newest log entry back."""
        rows = await self.fetch(_CANDIDATES, lookup, source_topic, MAX_CANDIDATES)
        return [Candidate(Place(row[0], row[1]), row[2], row[3]) for row in rows]

    async def place(self, place: Place, source_topic: str) -> tuple[int | None, bool]:
        """Return the log index at a place, None if it has none, and whether there is evidence for it."""
        row = (await self.fetch(_PLACE, source_topic, place.partition, place.sequence))[0]
        return row[0], row[1]

    async def places(self, places: Sequence[Place], source_topic: str) -> dict[Place, tuple[int | None, bool]]:
        """Return of each of several places what `place` does."""
        partitions, sequences = [place.partition for place in places], [place.sequence for place in places]
        rows = await self.fetch(_PLACES, source_topic, partitions, sequences)
        return {Place(row[0], row[1]): (row[2], row[3]) for row in rows}

    async def evidence_at(self, asked: Sequence[tuple[Place, bytes]]) -> dict[bytes, bytes]:
        """Return `Evidence` values by their SHA-256, of several places and digests; what is not there is left out."""
        partitions, sequences = [place.partition for place, _ in asked], [place.sequence for place, _ in asked]
        rows = await self.fetch(_EVIDENCE_AT, partitions, sequences, [digest for _, digest in asked])
        return {row[0]: row[1] for row in rows}

    async def evidence_from(self, partition: int, first: int, count: int) -> list[tuple[int, bytes]]:
        """Return sequences and `Evidence` values of `count` places from `first` on; a place may have several, or none."""
        return [(row[0], row[1]) for row in await self.fetch(_EVIDENCE_FROM, partition, first, count)]

    async def signed_root(self, log: str, above: int, largest: int) -> tuple[bytes, bytes] | None:
        """Return root and signed root of a log's newest tree that has one, of more than `above`, at most `largest` entries.

        Never that of a tree of one entry: its path is empty, which no receipt can say.
        """
        rows = await self.fetch(_RECEIPT, log, above, largest)
        return (rows[0][0], rows[0][1]) if rows else None

    async def standing(self, source_topic: str, partitions: int) -> list[tuple[int, int, int]]:
        """Return, by partition, how many decisions its evidence shows to be made, and how many of them are indexed."""
        rows = await self.fetch(_STANDING, source_topic, partitions)
        return [(row[0], row[1] or 0, row[2] or 0) for row in rows]

    async def probe(self) -> None:
        """Ask whether everything that is read here is there and may be read."""
        await self.fetch(_PROBE)
