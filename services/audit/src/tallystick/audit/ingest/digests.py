"""Every minute a digest over the records of who was shown evidence, into the governance topic; the notary logs it from there.

First it is in the database, then it is sent, then it is known to have been sent: whatever dies in between, the same digest is
sent again, byte for byte.
"""

import time
from collections.abc import Callable

from aiokafka import AIOKafkaProducer

from tallystick.audit.accesses import MAX_LINES
from tallystick.audit.ingest.store import EvidenceStore


class Digester:
    """Takes digests and sends them; whoever owns the store calls it, between two writes.

    Args:
        store: where the records are.
        producer: to Kafka, started.
        topic: of the governance records.
        every_s: the least time between two digests.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: EvidenceStore,
        producer: AIOKafkaProducer,
        topic: str,
        every_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._producer, self._topic = store, producer, topic
        self._every_s, self._clock = every_s, clock
        self._taken_s = float("-inf")

    async def turn(self) -> None:
        """Take a digest if it is time, and send what was not sent; raises what asyncpg and aiokafka raise."""
        now_s = self._clock()
        if 0 <= now_s - self._taken_s < self._every_s:  # a clock that was set back is no reason to wait
            return
        while await self._store.take_digest(int(now_s * 1000), MAX_LINES) == MAX_LINES:
            pass
        for digest in await self._store.unsent_digests():
            key = f"access_digest/{digest.batch}".encode()
            await self._producer.send_and_wait(self._topic, key=key, value=digest.SerializeToString(deterministic=True))
            await self._store.digest_sent(digest.batch)
        self._taken_s = now_s
