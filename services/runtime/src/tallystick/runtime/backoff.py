"""Trying again while a server does not answer: exponential, capped, for ever, and said in health."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import httpx
from aiokafka import errors as kafka_errors

from tallystick.runtime.health import Health
from tallystick.runtime.settings import SecretFileError
from tallystick.runtime.vault import VaultUnavailableError

T = TypeVar("T")
_log = logging.getLogger(__name__)

_TRANSIENT = (
    OSError,  # with it TimeoutError and a disk that is full: others repair it
    VaultUnavailableError,
    httpx.TransportError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    # What asyncpg says of a query that begins between the server's last message and the end of its connection.
    asyncpg.InternalClientError,
)
# Kafka errors that waiting does not repair: our own mistakes, refusals, and a newer owner.
_FATAL_KAFKA = (
    kafka_errors.IllegalStateError,
    kafka_errors.IllegalOperation,
    kafka_errors.UnsupportedVersionError,
    kafka_errors.OffsetOutOfRangeError,
    kafka_errors.RecordTooLargeError,
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.ProducerFenced,
    kafka_errors.InvalidProducerEpoch,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.AuthenticationFailedError,
    kafka_errors.SaslAuthenticationFailed,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
    kafka_errors.TransactionalIdAuthorizationFailed,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.ConsumerStoppedError,
    kafka_errors.ProducerClosed,
)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the n-th retry: `first_s * 2^n`, at most `cap_s`, of which a random part of up to half is cut."""

    first_s: float = 0.1
    cap_s: float = 10.0
    jitter: Callable[[], float] = random.random

    def delay_s(self, attempt: int) -> float:
        """Return the seconds to wait after failure number `attempt` (0 for the first)."""
        full = min(self.cap_s, self.first_s * 2.0 ** min(attempt, 60))
        return float(full * (1 - 0.5 * self.jitter()))


def is_transient(error: BaseException) -> bool:
    """Tell whether waiting may repair this: a server that does not answer, not one that refuses, nor a mistake of ours."""
    if isinstance(error, kafka_errors.KafkaError):
        return not isinstance(error, _FATAL_KAFKA)
    if isinstance(error, asyncpg.InterfaceError):
        return "closed" in str(error) or "released" in str(error)
    return isinstance(error, _TRANSIENT) and not isinstance(error, SecretFileError)


async def retry(
    operation: Callable[[], Awaitable[T]],
    *,
    health: Health,
    component: str,
    loop: str = "main",
    backoff: Backoff | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> T:
    """Await `operation()` until it succeeds, and return its result.

    Each failure is said in health ("not answering since …: reason") and counts as a turn of `loop`. Raises at once what is
    not transient (see `is_transient`). The operation must be safe to repeat.
    """
    backoff = backoff or Backoff()
    attempt = 0
    while True:
        try:
            result = await operation()
        except Exception as error:
            if not is_transient(error):
                raise
            reason = str(error) or type(error).__name__
            if attempt == 0:
                _log.warning("%s is not answering: %s", component, reason, extra={"component": component})
            health.failing(component, reason)
            health.progress(loop)
            await sleep(backoff.delay_s(attempt))
            attempt += 1
        else:
            if attempt:
                _log.info("%s answers again", component, extra={"component": component, "attempts": attempt + 1})
            health.ok(component)
            return result
