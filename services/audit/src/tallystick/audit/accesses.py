"""Who was shown which evidence: written before it is shown, one line of JSON each, kept and digested as it is.

    {"as":"tallystick:auditor","at":"2026-11-23T02:00:00.123Z","by":"<subject>","count":1,
     "first":311,"groups":["features"],"partition":3,"salt":"<32 hex digits>"}

`by` was shown `groups` of the evidence at `count` sequences of `partition` from `first` on. Nothing of the evidence itself is
in it. The digests over the lines are in the governance log (`tallystick.trust.access_digests`).
"""

import json
import os
import time
from collections.abc import Callable, Collection, Sequence

from tallystick.audit.database import Pool
from tallystick.audit.entries import Place, iso
from tallystick.audit.tokens import Caller, Scope

SALT_SIZE = 16
MAX_LINES = 100_000
_ADD = "INSERT INTO audit.accesses (line) SELECT unnest($1::text[])"
_BATCH = "SELECT line FROM audit.accesses WHERE batch = $1 ORDER BY number LIMIT $2"


def line_of(caller: Caller, place: Place, count: int, groups: Collection[str], now_s: float, salt: bytes) -> str:
    """Return the record of an access; `now_s` counts from 1970."""
    scope = Scope.AUDITOR if caller.may(Scope.AUDITOR) else Scope.CUSTOMER
    record = {
        "as": scope.value,
        "at": iso(int(now_s * 1000)),
        "by": caller.subject,
        "count": count,
        "first": place.sequence,
        "groups": sorted(groups),
        "partition": place.partition,
        "salt": salt.hex(),
    }
    return json.dumps(record, separators=(",", ":"), sort_keys=True)


class Accesses:
    """The records in PostgreSQL, `audit.accesses`; the ingest makes the table and takes the digests.

    Args:
        pool: connections that may write.
        clock: seconds since 1970.
        randomness: gives that many random bytes.
    """

    def __init__(
        self, pool: Pool, clock: Callable[[], float] = time.time, randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._pool, self._clock, self._randomness = pool, clock, randomness

    async def record(self, caller: Caller, place: Place, count: int, groups: Collection[str]) -> None:
        """Write down that a caller is about to be shown these groups; when this returns, it is durable.

        Raises:
            UnavailableError: it could not be written, so nothing may be shown.
        """
        if count:
            await self.record_several(caller, [place], groups, count)

    async def record_several(self, caller: Caller, places: Sequence[Place], groups: Collection[str], count: int = 1) -> None:
        """Write down that a caller is about to be shown these groups at several places, `count` from each on.

        Raises:
            UnavailableError: as `record`.
        """
        if groups and places:
            now_s = self._clock()
            lines = [line_of(caller, place, count, groups, now_s, self._randomness(SALT_SIZE)) for place in places]
            await self._pool.fetch(_ADD, lines)

    async def lines(self, batch: int) -> list[str]:
        """Return the records that one digest is over, in its order. Raises UnavailableError."""
        return [row[0] for row in await self._pool.fetch(_BATCH, batch, MAX_LINES)]
