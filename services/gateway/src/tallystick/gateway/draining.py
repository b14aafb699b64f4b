"""Fallbacks on their way from the spool to the log's topic, in their order, whatever restarts in between.

For each: the register says whether the answer was given; its transaction is in Kafka, sent now if it was not; then it goes to
the topic `fallbacks`. A crash may repeat any of it. A transaction that may have been sent before is looked for first, and a
fallback that comes twice carries the same number. Once an answer is settled nobody else sends its transaction, so what an
earlier process left is looked for once a partition.
"""

import asyncio
import logging
from collections.abc import Sequence
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
BATCH = 500
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
        self._own_from = spool.next_number  # what has a lower number, an earlier process left
        self._left: dict[int, asyncio.Task[dict[tuple[str, str], int]]] = {}
        self._tried: set[int] = set()
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
            entries = await asyncio.to_thread(self._spool.peek, BATCH)
            try:
                await self._hand_on(entries)
            except Exception as error:
                if not isinstance(error, RegisterUnavailableError) and not is_transient(error):
                    raise
                if not failures:
                    _log.warning("fallbacks wait on disk: %s", error)
                failures += 1
                await asyncio.sleep(self._backoff.delay_s(failures))
            else:
                failures = 0
                self.logged += len(entries)
                for entry in entries:
                    self._deliveries.pop(entry.fallback.number, None)
                    self._tried.discard(entry.fallback.number)
                self._spool.done()

    async def _hand_on(self, entries: Sequence[SpooledFallback]) -> None:
        transactions = [Transaction.FromString(entry.transaction) for entry in entries]
        answers = [
            fell_back(entry.fallback, transaction.transaction_id, sent=entry.sent)
            for entry, transaction in zip(entries, transactions, strict=True)
        ]
        given = await self._register.settle_all(
            [(entry.request, entry.owner, answer.SerializeToString()) for entry, answer in zip(entries, answers, strict=True)]
        )
        offsets = await asyncio.gather(*map(self._offset, entries, transactions))
        records = []
        for entry, offset in zip(entries, offsets, strict=True):
            fallback = entry.fallback
            fallback.source_offset, fallback.withdrawn = offset, entry.request not in given
            records.append((f"fallback/{fallback.spool.hex()}".encode(), fallback.SerializeToString(), fallback.answered_at_ms))
        await self._stream.send_all(FALLBACKS, 0, records)

    async def _offset(self, entry: SpooledFallback, transaction: Transaction) -> int:
        """Return where the transaction's record is: being sent, found, or sent now with the time at which it was received."""
        if entry.sent:
            return entry.fallback.source_offset
        number = entry.fallback.number
        tried = number in self._tried or number not in self._deliveries
        delivery = self._deliveries.pop(number, None)
        if delivery is not None:
            tried = True
            with suppress(KafkaError, OSError):
                return await delivery  # if it fails, it may have been written all the same
        if tried and (found := await self._find(entry, transaction)) is not None:
            return found
        self._tried.add(number)
        partition, key = entry.fallback.source_partition, transaction.customer_id.encode()
        return await self._stream.send(partition, key, entry.transaction, entry.received_at_ms)

    async def _find(self, entry: SpooledFallback, transaction: Transaction) -> int | None:
        partition, number = entry.fallback.source_partition, entry.fallback.number
        if number >= self._own_from or number in self._tried:
            return await self._stream.find_record(partition, entry.from_offset, transaction)
        if partition not in self._left:
            # The first one's offset: those after it were spooled later.
            self._left[partition] = asyncio.create_task(self._stream.records_from(partition, entry.from_offset))
        try:
            left = await asyncio.shield(self._left[partition])
        except (KafkaError, OSError):
            self._left.pop(partition, None)
            raise
        return left.get((transaction.transaction_id, transaction.customer_id))
