"""The evidence tables in PostgreSQL.

    audit.evidence(partition, record_offset, sequence, lookup, digest, value)     a row for each record of the topic
    audit.malformed_evidence(partition, record_offset, reason, value)             what is not evidence
    audit.positions(topic, partition, next_offset)                                the next record to read
    audit.evidence_gaps(topic, partition, from_offset, to_offset, noticed_at)     records that the broker deleted unread

One writer at a time: it holds an advisory lock on the connection that it writes through, so that a writer which has lost its
lock cannot write either.
"""

from collections.abc import Mapping

import asyncpg

from tallystick.audit.ingest.rows import Rows

_LOCK = 0x7A11_A0D1  # any number of our own
_SCHEMA = """
DO $$ BEGIN
  -- Asked first, because IF NOT EXISTS needs the right to create schemas even where there is nothing to create.
  IF to_regnamespace('audit') IS NULL THEN CREATE SCHEMA audit; END IF;
END $$;
CREATE TABLE IF NOT EXISTS audit.evidence (
  partition int NOT NULL, record_offset bigint NOT NULL, sequence bigint NOT NULL,
  lookup bytea NOT NULL, digest bytea NOT NULL, value bytea NOT NULL,
  PRIMARY KEY (partition, record_offset));
CREATE INDEX IF NOT EXISTS evidence_lookup ON audit.evidence (lookup);
CREATE INDEX IF NOT EXISTS evidence_place ON audit.evidence (partition, sequence);
CREATE TABLE IF NOT EXISTS audit.malformed_evidence (
  partition int NOT NULL, record_offset bigint NOT NULL, reason text NOT NULL, value bytea,
  PRIMARY KEY (partition, record_offset));
CREATE TABLE IF NOT EXISTS audit.positions (
  topic text NOT NULL, partition int NOT NULL, next_offset bigint NOT NULL, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS audit.evidence_gaps (
  topic text NOT NULL, partition int NOT NULL, from_offset bigint NOT NULL, to_offset bigint NOT NULL,
  noticed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition, from_offset));
"""
_ADVANCE = """
INSERT INTO audit.positions (topic, partition, next_offset) VALUES ($1, $2, $3)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""
_GAP = "INSERT INTO audit.evidence_gaps (topic, partition, from_offset, to_offset) VALUES ($1, $2, $3, $4)"
_EVIDENCE = ("partition", "record_offset", "sequence", "lookup", "digest", "value")
_MALFORMED = ("partition", "record_offset", "reason", "value")


class EvidenceStore:
    """Writes evidence through one connection; methods raise what asyncpg raises, and then nothing of the call was done."""

    def __init__(self, connection: asyncpg.Connection, topic: str) -> None:
        self._connection = connection
        self._topic = topic

    async def acquire(self) -> bool:
        """Become the only writer and make the tables that are missing; False if another process is the writer."""
        if not await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return False
        await self._connection.execute(_SCHEMA)
        return True

    async def ask(self) -> None:
        """Ask whether the database still answers on this connection, which the lock hangs on."""
        await self._connection.execute("SELECT 1")

    async def positions(self) -> dict[int, int]:
        """Return the next offset to read, by partition; partitions never read are absent."""
        rows = await self._connection.fetch("SELECT partition, next_offset FROM audit.positions WHERE topic = $1", self._topic)
        return {row[0]: row[1] for row in rows}

    async def write(self, rows: Rows, positions: Mapping[int, int]) -> None:
        """Write rows and the positions behind them, all or nothing."""
        async with self._connection.transaction():
            if rows.evidence:
                await self._connection.copy_records_to_table(
                    "evidence", schema_name="audit", columns=_EVIDENCE, records=rows.evidence
                )
            if rows.malformed:
                await self._connection.copy_records_to_table(
                    "malformed_evidence", schema_name="audit", columns=_MALFORMED, records=rows.malformed
                )
            await self._advance(positions)

    async def skip(self, partition: int, from_offset: int, to_offset: int) -> None:
        """Record that the broker no longer has these records, and go on after them."""
        async with self._connection.transaction():
            await self._connection.execute(_GAP, self._topic, partition, from_offset, to_offset)
            await self._advance({partition: to_offset})

    async def _advance(self, positions: Mapping[int, int]) -> None:
        await self._connection.executemany(_ADVANCE, [(self._topic, *position) for position in positions.items()])
