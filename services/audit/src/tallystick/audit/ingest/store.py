"""The evidence tables in PostgreSQL.

    audit.evidence(partition, record_offset, sequence, lookup, digest, value, timestamp_ms)    a row for each record of the
    topic audit.malformed_evidence(partition, record_offset, reason, value, timestamp_ms)            what is not evidence
    audit.positions(topic, partition, next_offset)                                the next record to read
    audit.evidence_gaps(topic, partition, from_offset, to_offset, noticed_at)     records that the broker deleted unread
    audit.decisions(log, log_index, partition, sequence, decided_at_ms, outcome)  where the logged decisions are, by the API
    audit.indexed(log, size)                                                      how far
    audit.accesses(number, line, batch)            who was shown evidence, by the API; `batch` once a digest is over it
    audit.access_digests(batch, records, digest, previous, until_ms, sent)        those digests, and whether Kafka has them

One writer at a time: it holds an advisory lock on the connection that it writes through, so that a writer which has lost its
lock cannot write either.
"""

from collections.abc import Mapping

import asyncpg

from tallystick.audit.ingest.rows import Rows
from tallystick.contracts import AccessDigest
from tallystick.trust.access_digests import FIRST, digest_of

_LOCK = 0x7A11_A0D1  # any number of our own
_SCHEMA = """
DO $$ BEGIN
  -- Asked first, because IF NOT EXISTS needs the right to create schemas even where there is nothing to create.
  IF to_regnamespace('audit') IS NULL THEN CREATE SCHEMA audit; END IF;
END $$;
CREATE TABLE IF NOT EXISTS audit.evidence (
  partition int NOT NULL, record_offset bigint NOT NULL, sequence bigint NOT NULL,
  lookup bytea NOT NULL, digest bytea NOT NULL, value bytea NOT NULL, timestamp_ms bigint NOT NULL,
  PRIMARY KEY (partition, record_offset));
CREATE INDEX IF NOT EXISTS evidence_lookup ON audit.evidence (lookup);
CREATE INDEX IF NOT EXISTS evidence_place ON audit.evidence (partition, sequence);
-- Rows come about in the order of their time, so that this costs next to nothing.
CREATE INDEX IF NOT EXISTS evidence_time ON audit.evidence USING brin (timestamp_ms);
CREATE TABLE IF NOT EXISTS audit.malformed_evidence (
  partition int NOT NULL, record_offset bigint NOT NULL, reason text NOT NULL, value bytea, timestamp_ms bigint NOT NULL,
  PRIMARY KEY (partition, record_offset));
CREATE TABLE IF NOT EXISTS audit.positions (
  topic text NOT NULL, partition int NOT NULL, next_offset bigint NOT NULL, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS audit.evidence_gaps (
  topic text NOT NULL, partition int NOT NULL, from_offset bigint NOT NULL, to_offset bigint NOT NULL,
  noticed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition, from_offset));
CREATE TABLE IF NOT EXISTS audit.accesses (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text NOT NULL, batch bigint);
CREATE INDEX IF NOT EXISTS accesses_open ON audit.accesses (number) WHERE batch IS NULL;
CREATE INDEX IF NOT EXISTS accesses_batch ON audit.accesses (batch, number);
CREATE TABLE IF NOT EXISTS audit.decisions (
  log text NOT NULL, log_index bigint NOT NULL, partition int NOT NULL, sequence bigint NOT NULL,
  decided_at_ms bigint NOT NULL, outcome smallint NOT NULL, PRIMARY KEY (log, log_index));
CREATE INDEX IF NOT EXISTS decisions_time ON audit.decisions (decided_at_ms, partition, sequence);
-- Most are approved, and few ask for those alone.
CREATE INDEX IF NOT EXISTS decisions_outcome ON audit.decisions (outcome, decided_at_ms, partition, sequence)
  WHERE outcome <> 1;
CREATE TABLE IF NOT EXISTS audit.indexed (log text PRIMARY KEY, size bigint NOT NULL);
CREATE TABLE IF NOT EXISTS audit.access_digests (
  batch bigint PRIMARY KEY, records bigint NOT NULL, digest bytea NOT NULL, previous bytea NOT NULL,
  until_ms bigint NOT NULL, sent boolean NOT NULL DEFAULT false);
"""
_ADVANCE = """
INSERT INTO audit.positions (topic, partition, next_offset) VALUES ($1, $2, $3)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""
_GAP = "INSERT INTO audit.evidence_gaps (topic, partition, from_offset, to_offset) VALUES ($1, $2, $3, $4)"
# A record's number is given before it is there for others to see: by what is there, and not by numbers, a batch is made.
_OPEN = "SELECT number, line FROM audit.accesses WHERE batch IS NULL ORDER BY number LIMIT $1"
_LAST = "SELECT batch, digest FROM audit.access_digests ORDER BY batch DESC LIMIT 1"
_CLOSE = "UPDATE audit.accesses SET batch = $1 WHERE number = ANY($2::bigint[])"
_DIGEST = "INSERT INTO audit.access_digests (batch, records, digest, previous, until_ms) VALUES ($1, $2, $3, $4, $5)"
_UNSENT = "SELECT batch, records, digest, previous, until_ms FROM audit.access_digests WHERE NOT sent ORDER BY batch"
_EVIDENCE = ("partition", "record_offset", "sequence", "lookup", "digest", "value", "timestamp_ms")
_MALFORMED = ("partition", "record_offset", "reason", "value", "timestamp_ms")
_END = (
    "DELETE FROM audit.evidence WHERE ctid = ANY(ARRAY(SELECT ctid FROM audit.evidence WHERE timestamp_ms < $1 LIMIT 50000))",
    "DELETE FROM audit.malformed_evidence WHERE timestamp_ms < $1",
)


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

    async def take_digest(self, now_ms: int, limit: int) -> int:
        """Take a digest over at most `limit` of the records of accesses that none is over yet; return how many those are."""
        async with self._connection.transaction():
            open_records = await self._connection.fetch(_OPEN, limit)
            if open_records:
                last = await self._connection.fetchrow(_LAST)
                batch, previous = (last["batch"] + 1, last["digest"]) if last else (0, FIRST)
                digest = digest_of(previous, [record["line"] for record in open_records])
                await self._connection.execute(_CLOSE, batch, [record["number"] for record in open_records])
                await self._connection.execute(_DIGEST, batch, len(open_records), digest, previous, now_ms)
        return len(open_records)

    async def unsent_digests(self) -> list[AccessDigest]:
        """Return the digests that Kafka is not known to have, in their order."""
        return [AccessDigest(**row) for row in await self._connection.fetch(_UNSENT)]

    async def digest_sent(self, batch: int) -> None:
        """Remember that Kafka has a digest."""
        await self._connection.execute("UPDATE audit.access_digests SET sent = true WHERE batch = $1", batch)

    async def end(self, before_ms: int) -> None:
        """Delete what came before a time, some thousands of rows at the most: more the next time."""
        for statement in _END:
            await self._connection.execute(statement, before_ms)

    async def skip(self, partition: int, from_offset: int, to_offset: int) -> None:
        """Record that the broker no longer has these records, and go on after them."""
        async with self._connection.transaction():
            await self._connection.execute(_GAP, self._topic, partition, from_offset, to_offset)
            await self._advance({partition: to_offset})

    async def _advance(self, positions: Mapping[int, int]) -> None:
        await self._connection.executemany(_ADVANCE, [(self._topic, *position) for position in positions.items()])
