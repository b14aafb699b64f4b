"""Fallbacks on their way from the spool to the log's topic, in their order, whatever restarts in between.

For each: its transaction is in Kafka, sent now if it was not; the register says whether the answer was given; then it goes to
the topic `fallbacks`. A crash may repeat any of it. A transaction that may have been sent before is looked for first, and a
fallback that comes twice carries the same number.
"""

import asyncio
import logging
from contextlib import suppress
from typing import NoReturn

from aiokafka.errors import KafkaError

from tallystick.contracts import SpooledFallback, Transaction
from tallystick.gateway.answers import fell_back
from tallystick.gateway.register import Register, RegisterUnavailableError
from tallystick.gateway.spool import Spool
from tallystick.gateway.stream import Stream
from tallystick.runtime.backoff import Backoff, is_transient
from tallystick.runtime.health import Health

FALLBACKS = "fallbacks"
COMPONENT = "spool"
Delivery = asyncio.Task[int]
"""The sending of a transaction; its result is the record's offset."""
_IDLE_S = 0.05
_log = logging.getLogger(__name__)


class Drain:
    """Takes fallbacks and empties the spool.

    Args:
        spool: where they wait.
        stream: Kafka.
        register: which of them were given.
        health: where the component `spool` and the loop `drain` are.
    """

    def __init__(self, spool: Spool, stream: Stream, register: Register, health: Health) -> None:
        self._spool, self._stream, self._register, self._health = spool, stream, register, health
        self._deliveries: dict[int, Delivery | None] = {}
        self._backoff = Backoff(first_s=0.1, cap_s=3.0)
        self.logged = 0
        self.taken = 0

    @property
    def spooled_bytes(self) -> int:
        """How much waits on disk, with what is not cut off yet."""
        return self._spool.size_bytes

    @property
    def waiting(self) -> bool:
        """Whether any fallback is not in the log's topic yet."""
        return self._spool.waiting

    async def take(self, entry: SpooledFallback, delivery: Delivery | None) -> None:
        """Write a fallback down before it is given; `delivery` is the sending of its transaction, None if nobody has begun it.

        Raises:
            SpoolError: it must not be given.
        """
        try:
            await self._spool.append(entry)
        except OSError as error:
            self._health.failing(COMPONENT, str(error), "refuses")
            _log.error("a fallback could not be written down: %s", error)
            raise
        self._health.ok(COMPONENT)
        self.taken += 1
        self._deliveries[entry.fallback.number] = delivery

    async def run(self) -> NoReturn:
        """Empty the spool, again and again, until cancelled."""
        failures = 0
        while True:
            self._health.progress("drain")
            if not self._spool.waiting:
                await asyncio.sleep(_IDLE_S)
                continue
            entry = await asyncio.to_thread(self._spool.peek)
            try:
                await self._log(entry)
            except Exception as error:
                if not isinstance(error, RegisterUnavailableError) and not is_transient(error):
                    raise
                if not failures:
                    _log.warning("fallbacks wait on disk: %s", error)
                failures += 1
                await asyncio.sleep(self._backoff.delay_s(failures))
            else:
                failures = 0
                self._deliveries.pop(entry.fallback.number, None)
                self._spool.done()

    async def _log(self, entry: SpooledFallback) -> None:
        transaction = Transaction.FromString(entry.transaction)
        sent = fell_back(entry.fallback, transaction.transaction_id, sent=entry.sent)
        given = await self._register.settle(entry.request, entry.owner, sent.SerializeToString())
        if not entry.sent:
            entry.fallback.source_offset = await self._offset(entry, transaction)
        entry.fallback.withdrawn = not given
        key = f"fallback/{entry.fallback.spool.hex()}".encode()
        await self._stream.send(0, key, entry.fallback.SerializeToString(), entry.fallback.answered_at_ms, FALLBACKS)
        self.logged += 1

    async def _offset(self, entry: SpooledFallback, transaction: Transaction) -> int:
        """Return where the transaction's record is: being sent, found, or sent now with the time at which it was received.

        What an earlier process, or a try that failed, may have written is looked for before it would be written again.
        """
        partition, number = entry.fallback.source_partition, entry.fallback.number
        untried = number in self._deliveries
        delivery = self._deliveries.pop(number, None)
        if delivery is not None:
            untried = False
            with suppress(KafkaError, OSError):
                return await delivery
        if not untried:
            found = await self._stream.find_record(partition, entry.from_offset, transaction)
            if found is not None:
                return found
        key = transaction.customer_id.encode()
        return await self._stream.send(partition, key, entry.transaction, entry.received_at_ms)
