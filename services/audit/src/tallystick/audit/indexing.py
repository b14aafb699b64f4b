"""Which decisions there are, by time and outcome: an index over the published logs, filled by whichever process comes first.

It only hints at where to look: what is listed is asked for by its place, and proven there. That nothing is left out of a list
it does not prove; `tallystick fsck` reads the log itself.

    audit.decisions(log, log_index, partition, sequence, decided_at_ms, outcome)   a row for each decision in a log
    audit.indexed(log, size)                                                       up to which entry
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from struct import error as unpack_error

from tallystick.audit.database import Pool
from tallystick.audit.entries import EntryError, Place, parse_decision
from tallystick.audit.errors import UnavailableError
from tallystick.audit.logs import PublishedLog
from tallystick.contracts import Outcome
from tallystick.runtime.health import Health

STRETCH = 4_096
EVERY_S = 1.0
_CURSOR = Struct(">qiq")
_APPROVE = Outcome.OUTCOME_APPROVE
_SIZE = """
WITH made AS (INSERT INTO audit.indexed VALUES ($1, 0) ON CONFLICT DO NOTHING RETURNING size)
SELECT size FROM made UNION ALL SELECT size FROM audit.indexed WHERE log = $1 LIMIT 1
"""
# One statement is one transaction: of two processes that have read the same stretch, one moves the size and adds the rows.
_ADD = """
WITH moved AS (UPDATE audit.indexed SET size = $3 WHERE log = $1 AND size = $2 RETURNING log)
INSERT INTO audit.decisions
SELECT moved.log, row.* FROM moved,
  unnest($4::bigint[], $5::int[], $6::bigint[], $7::bigint[], $8::smallint[]) AS row
"""
_LIST = """
SELECT decided_at_ms, partition, sequence, log, log_index, outcome FROM audit.decisions
WHERE decided_at_ms >= $1 AND decided_at_ms < $2 AND (decided_at_ms, partition, sequence) > ($3, $4, $5) {outcome}
ORDER BY decided_at_ms, partition, sequence LIMIT $6
"""
_SIZES = "SELECT log, size FROM audit.indexed ORDER BY log"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """A decision in the index."""

    decided_at_ms: int
    place: Place
    log: str
    log_index: int
    outcome: int

    @property
    def cursor(self) -> str:
        """What to go on from, for whoever has read up to here."""
        packed = _CURSOR.pack(self.decided_at_ms, self.place.partition, self.place.sequence)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def read_cursor(cursor: str) -> tuple[int, int, int]:
    """Return the time, partition and sequence that a cursor stands for. Raises ValueError: it is none."""
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        time_ms, partition, sequence = _CURSOR.unpack(data)
    except (binascii.Error, unpack_error) as error:
        raise ValueError("this is no cursor") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != cursor:
        raise ValueError("this is no cursor")
    return time_ms, partition, sequence


class Index:
    """The index of some logs' decisions on one input topic; the ingest makes its tables. Methods raise UnavailableError."""

    def __init__(self, pool: Pool, logs: Sequence[PublishedLog], source_topic: str) -> None:
        self._pool, self._logs, self._topic = pool, logs, source_topic

    async def find(
        self, from_ms: int, to_ms: int, outcome: int | None, after: tuple[int, int, int] | None, limit: int
    ) -> list[Listed]:
        """Return decisions of `from_ms <= time < to_ms`, in the order of time, partition and sequence, from `after` on."""
        # The outcome is written out, one of a few numbers of our own, so that the planner sees which index holds it.
        statement = _LIST.format(outcome="" if outcome is None else f"AND outcome = {int(outcome)}")
        rows = await self._pool.fetch(statement, from_ms, to_ms, *(after or (from_ms - 1, 0, 0)), limit)
        return [Listed(row[0], Place(row[1], row[2]), row[3], row[4], row[5]) for row in rows]

    async def sizes(self) -> dict[str, int]:
        """Return how many entries of each log the index covers."""
        return {row[0]: row[1] for row in await self._pool.fetch(_SIZES)}

    async def advance(self, log: PublishedLog) -> bool:
        """Take in the next entries of a log; return whether there are more.

        Raises:
            UnavailableError: log or database does not answer.
        """
        head = await log.head()
        start: int = (await self._pool.fetch(_SIZE, log.name))[0][0]
        stop = min(head.size, start - start % STRETCH + STRETCH)
        if start >= stop:
            return False
        rows = []
        for index, entry in enumerate(await log.stretch(start, stop, head), start=start):
            try:
                decision = parse_decision(index, entry).decision
            except EntryError:
                continue  # an incident, or what could not be logged as it came
            if decision.source_topic == self._topic:
                rows.append((index, decision.source_partition, decision.sequence, decision.decided_at_ms, decision.outcome))
        columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
        await self._pool.fetch(_ADD, log.name, start, stop, *columns)
        return stop < head.size

    async def follow(self, health: Health) -> None:
        """Keep up with the logs until cancelled."""
        while True:
            more = False
            for log in self._logs:
                try:
                    more |= await self.advance(log)
                except UnavailableError as error:
                    # Who probes it says so in health; lists end earlier meanwhile.
                    _log.debug("the index waits: %s", error.reason, extra={"component": error.component})
            health.progress("index")
            await asyncio.sleep(0 if more else EVERY_S)
