r"""One request, from its claim to its answer.

    claim the key -> send the transaction -> hear its decision -> answer
                                         \-> none in time -> write the fallback down -> settle it in the register -> answer

In this order, so that whatever dies in between, no key ever gets two answers and no answer without a decision goes unlogged: a
transaction is sent only by whoever has the claim, a fallback is on disk before it is given, and the register holds it before
that, too. Whoever takes over an abandoned claim answers with the decision or not at all: its former owner may have given that.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from tallystick.contracts import Answer, Decision, Fallback, FallbackReason, Outcome, ReasonCode, SpooledFallback, Transaction
from tallystick.gateway.answers import decided, fell_back
from tallystick.gateway.draining import Delivery, Drain
from tallystick.gateway.register import Claim, Known, Register, RegisterUnavailableError
from tallystick.gateway.settings import GatewaySettings
from tallystick.gateway.spool import SpoolError
from tallystick.gateway.stream import Stream
from tallystick.gateway.waiting import Waiting

GRACE_S = 2.0
"""What a claim outlasts its request's deadline by: time to write a fallback down and to settle it."""
_OWNER_SIZE = 16
_ASK_AGAIN_S = 0.03
_OUTCOMES = {
    "approve": Outcome.OUTCOME_APPROVE,
    "review": Outcome.OUTCOME_REVIEW,
    "decline": Outcome.OUTCOME_DECLINE,
}
_UNREACHED = (KafkaError, OSError)


class BusyError(Exception):
    """Too much is in flight, or scoring is behind: the caller must come later."""


class OutstandingError(Exception):
    """Another replica is at work on a request with this key."""


class KeyReusedError(Exception):
    """The key belongs to another request."""


class NoAnswerError(Exception):
    """There is no decision in time, and no fallback can be given; the text says why, for callers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for one decision, on a transaction whose every field was checked.

    `id` is its place in the register; `deadline_s` counts from when it was asked.
    """

    channel: str
    id: bytes
    fingerprint: bytes
    transaction: Transaction
    deadline_s: float


@dataclass(frozen=True, slots=True)
class _Work:
    """A request that is ours to answer."""

    asked: Asked
    claim: Claim
    value: bytes
    received_at_ms: int
    started_s: float

    @property
    def deadline(self) -> float:
        """When its answer is due, on the event loop's clock."""
        return self.started_s + self.asked.deadline_s


def _is_outstanding(known: Known, asked: Asked) -> bool:
    return known.busy and known.answer is None and known.fingerprint == asked.fingerprint


class Decider:
    """Answers requests; one instance a process.

    Args:
        settings: the service's settings.
        waiting: who waits for which decision.
        stream: Kafka.
        register: the requests of all replicas.
        drain: where fallbacks are written down.
        randomness: returns so many random bytes (`os.urandom`).
        clock: seconds since 1970.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        waiting: Waiting,
        stream: Stream,
        register: Register,
        drain: Drain,
        *,
        randomness: Callable[[int], bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._waiting, self._stream = settings, waiting, stream
        self._register, self._drain = register, drain
        self._randomness, self._clock = randomness, clock
        self._running: dict[bytes, tuple[bytes, asyncio.Future[Answer]]] = {}

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return len(self._running)

    async def answer(self, asked: Asked) -> Answer:
        """Return the answer to a request; the same request at the same time is answered once.

        Raises:
            BusyError, OutstandingError, KeyReusedError, NoAnswerError: there is none.
        """
        if (running := self._running.get(asked.id)) is not None:
            fingerprint, answer = running
            if fingerprint != asked.fingerprint:
                raise KeyReusedError
            return await asyncio.shield(answer)
        partition = self._stream.partition_of(asked.transaction.customer_id)
        self._check_room(partition)
        answer = asyncio.get_running_loop().create_future()
        self._running[asked.id] = asked.fingerprint, answer
        try:
            answer.set_result(await self._answer(asked, partition))
        except BaseException as error:
            answer.set_exception(error if isinstance(error, Exception) else NoAnswerError("The service is stopping."))
            answer.exception()  # looked at, whether or not anybody else waits for it
            raise
        finally:
            del self._running[asked.id]
        return answer.result()

    def _check_room(self, partition: int) -> None:
        if len(self._running) >= self._settings.max_in_flight:
            raise BusyError("Too many requests are being answered; try again shortly.")
        if self._waiting.lag(partition) > self._settings.max_lag_records and not self._silent(partition):
            raise BusyError("Scoring is behind; try again shortly.")

    def _silent(self, partition: int) -> bool:
        return self._waiting.silent_s(partition) * 1000 > self._settings.silent_after_ms

    async def _answer(self, asked: Asked, partition: int) -> Answer:
        at = self._waiting.partitions[partition]
        lease_s = asked.deadline_s + GRACE_S
        owner = self._randomness(_OWNER_SIZE)
        claim = Claim(asked.id, asked.fingerprint, owner, lease_s, partition, at.from_offset, at.decisions_offset)
        loop = asyncio.get_running_loop()
        work = _Work(asked, claim, asked.transaction.SerializeToString(), int(self._clock() * 1000), loop.time())
        known: Known | None = None
        try:
            async with asyncio.timeout_at(work.deadline):
                known = await self._register.claim(claim)
                while known is not None and _is_outstanding(known, asked):  # another replica has it, or its answer is kept soon
                    await asyncio.sleep(_ASK_AGAIN_S)
                    known = await self._register.claim(claim)
        except (TimeoutError, RegisterUnavailableError) as error:
            if known is not None:
                raise OutstandingError from error
            raise NoAnswerError("The register of requests does not answer; nothing was sent.") from error
        if known is None:
            answer = await self._first(work)
        elif known.fingerprint != asked.fingerprint:
            raise KeyReusedError
        elif known.answer is not None:
            return Answer.FromString(known.answer)
        else:
            answer = await self._again(work, known)
        if loop.time() > work.started_s + lease_s:  # this process stood still, and another may have taken over
            raise NoAnswerError("The answer came too late; ask again with the same key.")
        return answer

    async def _first(self, work: _Work) -> Answer:
        """Answer a request that nobody has seen before."""
        if not self._stream.answering:
            return await self._fall_back(work, FallbackReason.FALLBACK_REASON_KAFKA_SILENT, None)
        silent = self._silent(work.claim.partition)
        delivery = asyncio.create_task(self._deliver(work))
        offset: int | None = None
        try:
            async with asyncio.timeout_at(work.deadline):
                offset = await asyncio.shield(delivery)
                if not silent:
                    return await self._decided(work, offset, work.claim)
            reason = FallbackReason.FALLBACK_REASON_SCORING_SILENT
        except TimeoutError:
            reason = FallbackReason.FALLBACK_REASON_DEADLINE
        except _UNREACHED:
            reason = FallbackReason.FALLBACK_REASON_KAFKA_SILENT
        finally:
            delivery.add_done_callback(lambda done: self._forget(work, done))
        return await self._fall_back(work, reason, delivery)

    async def _again(self, work: _Work, known: Known) -> Answer:
        """Answer a request whose owner is gone: with the first decision on its transaction, or not at all."""
        claim = work.claim
        try:
            async with asyncio.timeout_at(work.deadline):
                if not await self._register.take_over(claim, known.owner):
                    raise OutstandingError
                offset = await self._stream.find_record(claim.partition, known.from_offset, work.asked.transaction)
                if offset is None:
                    offset = await self._deliver(work)
                else:
                    self._waiting.expect(claim.partition, offset)
                try:
                    return await self._decided(work, offset, known)
                finally:
                    self._waiting.forget(claim.partition, offset)
        except (TimeoutError, RegisterUnavailableError, *_UNREACHED) as error:
            raise NoAnswerError("The decision is not known here yet; ask again with the same key.") from error

    async def _deliver(self, work: _Work) -> int:
        """Send the transaction and return its offset; its decision is waited for from here on."""
        partition, customer = work.claim.partition, work.asked.transaction.customer_id
        self._waiting.sending(partition)
        try:
            offset = await self._stream.send(partition, customer.encode(), work.value, work.received_at_ms)
        except BaseException:
            self._waiting.failed(partition)
            raise
        self._waiting.sent(partition, offset)
        return offset

    async def _decided(self, work: _Work, offset: int, since: Claim | Known) -> Answer:
        """Return the decision on a record as an answer; for a repeated record, the decision on the first."""
        partition, transaction = work.claim.partition, work.asked.transaction
        decision = Decision.FromString(await self._decision(partition, offset, since))
        if ReasonCode.REASON_CODE_TRANSACTION_REPEATED in decision.reasons:
            first = await self._stream.find_record(partition, since.from_offset, transaction)
            if first is not None and first < offset:
                value = await self._stream.find_decision(partition, since.decisions_offset, first)
                decision = decision if value is None else Decision.FromString(value)
        answer = decided(decision, transaction.transaction_id)
        self._register.keep(work.claim.id, work.claim.owner, answer.SerializeToString())
        return answer

    async def _decision(self, partition: int, offset: int, since: Claim | Known) -> bytes:
        waiting = self._waiting.expect(partition, offset)
        if isinstance(since, Known) and (found := await self._stream.find_decision(partition, since.decisions_offset, offset)):
            return found
        return await waiting

    def _forget(self, work: _Work, delivery: "asyncio.Task[int]") -> None:
        if not delivery.cancelled() and delivery.exception() is None:
            self._waiting.forget(work.claim.partition, delivery.result())

    async def _fall_back(self, work: _Work, reason: FallbackReason, delivery: Delivery | None) -> Answer:
        asked, claim = work.asked, work.claim
        outcome = _OUTCOMES.get(self._settings.fallback_of(asked.channel))
        if outcome is None:
            raise NoAnswerError("No decision came in time; it will be made. Ask again with the same key.")
        sent = delivery is not None and delivery.done() and not delivery.cancelled() and delivery.exception() is None
        fallback = Fallback(
            source_topic=self._settings.source_topic,
            source_partition=claim.partition,
            source_offset=delivery.result() if delivery is not None and sent else 0,
            outcome=outcome,
            reason=reason,
            channel=asked.channel,
            answered_at_ms=int(self._clock() * 1000),
        )
        spooled = SpooledFallback(
            fallback=fallback,
            sent=sent,
            from_offset=claim.from_offset,
            transaction=work.value,
            received_at_ms=work.received_at_ms,
            request=claim.id,
            owner=claim.owner,
        )
        answer = fell_back(fallback, asked.transaction.transaction_id, sent=sent)
        try:
            await self._drain.take(spooled, None if sent else delivery)
            async with asyncio.timeout_at(work.started_s + claim.lease_s):
                settled = await self._register.settle(claim.id, claim.owner, answer.SerializeToString())
        except (SpoolError, TimeoutError, RegisterUnavailableError) as error:
            raise NoAnswerError("No decision came in time, and the stated answer could not be written down.") from error
        if not settled:
            raise OutstandingError
        return answer
