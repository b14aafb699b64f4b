"""Requests by their idempotency keys, in PostgreSQL: what makes every replica give one answer to one key.

    requests(id, fingerprint, owner, claimed_at, free_at, partition, from_offset, decisions_offset, answer)

A request is claimed before its transaction is sent, and until `free_at` its claimant alone may answer. Afterwards another may
take it over, which changes `owner`, and then finds the first decision by the offsets kept here. A fallback is given only after
`settle` has put it here under the claimant's name: so whoever took a request over and the one before never answer two things.
A decision needs no such care, since it is the same for whoever finds it; it is kept here later, for whoever asks again.

No row says anything about a person: `id` and `fingerprint` are hashes with the key in them, `answer` is what the caller got.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg

from tallystick.runtime.backoff import is_transient

COMPONENT = "database"
_log = logging.getLogger(__name__)
_BATCH = 500
_WORKERS = 2
_KEEP_EVERY_S = 0.02
_MAX_KEPT = 20_000

_SCHEMA = """
DO $$ BEGIN
  -- Asked first, because IF NOT EXISTS needs the right to create schemas even where there is nothing to create.
  IF to_regnamespace('gateway') IS NULL THEN CREATE SCHEMA gateway; END IF;
END $$;
CREATE TABLE IF NOT EXISTS gateway.requests (
  id               bytea PRIMARY KEY,
  fingerprint      bytea NOT NULL,
  owner            bytea NOT NULL,         -- 16 random bytes of the claim
  claimed_at       timestamptz NOT NULL,
  free_at          timestamptz NOT NULL,   -- until then only the owner answers
  partition        int NOT NULL,           -- of the input topic
  from_offset      bigint NOT NULL,        -- its record is not before this
  decisions_offset bigint NOT NULL,        -- nor its decision before this one, in its own topic
  answer           bytea                   -- an `Answer`
);
CREATE INDEX IF NOT EXISTS requests_claimed_at ON gateway.requests (claimed_at);
"""
_CLAIM = """
WITH asked AS (
  SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::float8[], $5::int[], $6::bigint[], $7::bigint[])
    AS a (id, fingerprint, owner, lease_s, partition, from_offset, decisions_offset)
), made AS (
  INSERT INTO gateway.requests (id, fingerprint, owner, claimed_at, free_at, partition, from_offset, decisions_offset)
  SELECT id, fingerprint, owner, now(), now() + lease_s * interval '1 second', partition, from_offset, decisions_offset
  FROM asked
  ORDER BY id  -- in one order everywhere, or two replicas could wait for each other
  ON CONFLICT (id) DO NOTHING RETURNING id
)
SELECT asked.id, made.id IS NOT NULL AS fresh, known.fingerprint, known.answer, known.owner,
       coalesce(known.free_at > now(), true) AS busy, known.from_offset, known.decisions_offset
FROM asked LEFT JOIN made USING (id) LEFT JOIN gateway.requests known USING (id)
"""
_TAKE_OVER = """
UPDATE gateway.requests SET owner = $3, free_at = now() + $4 * interval '1 second'
WHERE id = $1 AND owner = $2 AND answer IS NULL AND free_at <= now() RETURNING true
"""
_SETTLE = (
    "UPDATE gateway.requests SET answer = $3 WHERE id = $1 AND owner = $2 AND (answer IS NULL OR answer = $3) RETURNING true"
)
_SETTLE_ALL = """
WITH spooled AS (SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS s (id, owner, answer)), settled AS (
  UPDATE gateway.requests r SET answer = s.answer FROM (SELECT * FROM spooled ORDER BY id) s
  WHERE r.id = s.id AND r.owner = s.owner AND (r.answer IS NULL OR r.answer = s.answer) RETURNING r.id
)
SELECT settled.id FROM settled
"""
_KEEP = """
UPDATE gateway.requests r SET answer = k.answer
FROM (SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS u (id, owner, answer) ORDER BY id) k
WHERE r.id = k.id AND r.owner = k.owner AND r.answer IS NULL
"""
_PRUNE = "DELETE FROM gateway.requests WHERE claimed_at < now() - $1 * interval '1 day'"


class RegisterUnavailableError(Exception):
    """The database does not answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request to be registered; `lease_s` is how long its owner has for an answer."""

    id: bytes
    fingerprint: bytes
    owner: bytes
    lease_s: float
    partition: int
    from_offset: int
    decisions_offset: int


@dataclass(frozen=True, slots=True)
class Known:
    """A request that was registered before. `busy`: its owner may still be about to answer."""

    fingerprint: bytes
    answer: bytes | None
    owner: bytes
    busy: bool
    from_offset: int
    decisions_offset: int


class _Asked(NamedTuple):
    claim: Claim
    known: "asyncio.Future[Known | None]"


class Register:
    """The table of requests; `run` must be running. Claims that come together are made in one statement.

    Args:
        pool: connections to PostgreSQL, three or more.
        keep_days: how long requests are remembered.
    """

    def __init__(self, pool: asyncpg.Pool, keep_days: int) -> None:
        self._pool = pool
        self._keep_days = keep_days
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue()
        self._kept: dict[bytes, tuple[bytes, bytes]] = {}

    async def prepare(self) -> None:
        """Make the table if there is none, and drop what is old."""
        async with self._pool.acquire() as connection, connection.transaction():
            # Two processes that start at once would both try to make it.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('gateway.requests'))")
            await connection.execute(_SCHEMA)
        await self.prune()

    async def prune(self) -> None:
        """Forget requests that are older than `keep_days`."""
        await self._pool.execute(_PRUNE, self._keep_days)

    async def run(self) -> None:
        """Claim and keep until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_WORKERS):
                tasks.create_task(self._claim_batches())
            tasks.create_task(self._keep_batches())

    async def claim(self, claim: Claim) -> Known | None:
        """Register a request; return what is known of it if it was registered before, None if it is the caller's now.

        The same id must not be claimed twice at a time by one process.

        Raises:
            RegisterUnavailableError: nobody knows whether it was registered.
        """
        known: asyncio.Future[Known | None] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait(_Asked(claim, known))
        return await known

    async def take_over(self, claim: Claim, former: bytes) -> bool:
        """Become the owner of an unanswered request whose `former` owner's time is over; False if another was first."""
        return await self._changed(_TAKE_OVER, claim.id, former, claim.owner, claim.lease_s)

    async def settle(self, request: bytes, owner: bytes, answer: bytes) -> bool:
        """Make this the request's answer for good; False if it is no longer the owner's, or has another."""
        return await self._changed(_SETTLE, request, owner, answer)

    async def settle_all(self, answers: Sequence[tuple[bytes, bytes, bytes]]) -> set[bytes]:
        """Do for many (request, owner, answer) what `settle` does for one; return the requests whose answer it is."""
        ids, owners, values = zip(*answers, strict=True)
        try:
            return {row["id"] for row in await self._pool.fetch(_SETTLE_ALL, list(ids), list(owners), list(values))}
        except Exception as error:
            raise _unavailable(error) from error

    def keep(self, request: bytes, owner: bytes, answer: bytes) -> None:
        """Keep an answer soon, for whoever asks again; lost without harm, since it can be found in Kafka."""
        if len(self._kept) < _MAX_KEPT:
            self._kept[request] = owner, answer

    async def _changed(self, statement: str, *arguments: object) -> bool:
        try:
            return bool(await self._pool.fetchval(statement, *arguments))
        except Exception as error:
            raise _unavailable(error) from error

    async def _claim_batches(self) -> None:
        while True:
            batch = [await self._asked.get()]
            while len(batch) < _BATCH and not self._asked.empty():
                batch.append(self._asked.get_nowait())
            batch = [asked for asked in batch if not asked.known.done()]  # nobody waits for the others any more
            if not batch:
                continue
            try:
                await self._claim(batch)
            except Exception as error:  # noqa: BLE001  whoever waits is told, and this goes on with the next ones
                unavailable = _unavailable(error)
                for asked in batch:
                    if not asked.known.done():
                        asked.known.set_exception(unavailable)

    async def _claim(self, batch: Sequence[_Asked]) -> None:
        claims = [asked.claim for asked in batch]
        rows = await self._pool.fetch(
            _CLAIM,
            [claim.id for claim in claims],
            [claim.fingerprint for claim in claims],
            [claim.owner for claim in claims],
            [claim.lease_s for claim in claims],
            [claim.partition for claim in claims],
            [claim.from_offset for claim in claims],
            [claim.decisions_offset for claim in claims],
        )
        found = {row["id"]: row for row in rows}
        for asked in batch:
            if not asked.known.done():
                asked.known.set_result(_known(asked.claim, found[asked.claim.id]))

    async def _keep_batches(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_EVERY_S)
            kept, self._kept = self._kept, {}
            if kept:
                try:
                    owners, answers = zip(*kept.values(), strict=True)
                    await self._pool.execute(_KEEP, list(kept), list(owners), list(answers))
                except Exception as error:
                    if not is_transient(error):
                        raise
                    _log.info("answers not kept: %s", error)


def _known(claim: Claim, row: asyncpg.Record) -> Known | None:
    if row["fresh"]:
        return None
    if row["fingerprint"] is None:  # claimed by another replica at this very moment: not to be seen yet, and busy
        return Known(claim.fingerprint, None, b"", busy=True, from_offset=0, decisions_offset=0)
    return Known(row["fingerprint"], row["answer"], row["owner"], row["busy"], row["from_offset"], row["decisions_offset"])


def _unavailable(error: Exception) -> RegisterUnavailableError:
    if not is_transient(error):
        _log.error("the register refuses: %s", error)
    return RegisterUnavailableError(str(error) or type(error).__name__)
