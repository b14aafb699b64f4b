"""What is retried, how long is waited, and what health says meanwhile."""

import asyncio

import asyncpg
import httpx
import pytest
from aiokafka import errors as kafka_errors

from tallystick.runtime.backoff import Backoff, is_transient, retry
from tallystick.runtime.health import Health
from tallystick.runtime.settings import SecretFileError
from tallystick.runtime.vault import VaultRefusedError, VaultUnavailableError


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        OSError(28, "No space left on device"),
        VaultUnavailableError(),
        httpx.ConnectError(""),
        kafka_errors.KafkaConnectionError(),
        kafka_errors.KafkaTimeoutError(),
        kafka_errors.NotLeaderForPartitionError(),
        kafka_errors.UnknownTopicOrPartitionError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.InterfaceError("connection is closed"),
    ],
)
def test_a_server_that_does_not_answer_is_waited_for(error: Exception) -> None:
    """Waiting may repair these."""
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        VaultRefusedError(),
        SecretFileError(),
        kafka_errors.ProducerFenced(),
        kafka_errors.OffsetOutOfRangeError({}),
        kafka_errors.IllegalStateError(),
        kafka_errors.TopicAuthorizationFailedError(),
        kafka_errors.SaslAuthenticationFailed(),
        asyncpg.UniqueViolationError(),
        asyncpg.InvalidPasswordError(),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
        asyncio.CancelledError(),
    ],
)
def test_a_refusal_or_a_mistake_is_not(error: BaseException) -> None:
    """Waiting does not repair these."""
    assert not is_transient(error)


def test_delays_double_up_to_the_cap_and_jitter_cuts_at_most_half() -> None:
    """The delay without jitter is first, 2 first, 4 first, …, cap; with all of the jitter it is half of that."""
    whole = Backoff(first_s=1, cap_s=10, jitter=lambda: 0.0)
    half = Backoff(first_s=1, cap_s=10, jitter=lambda: 1.0)
    assert [whole.delay_s(attempt) for attempt in (0, 1, 2, 3, 4, 10_000)] == [1, 2, 4, 8, 10, 10]
    assert [half.delay_s(attempt) for attempt in (0, 4)] == [0.5, 5]


async def test_retries_until_it_succeeds_and_says_so() -> None:
    """Three failures: three waits, a state with the first failure's time and the last one's reason, then ok."""
    now = 1_000.0
    health = Health("test", components=["kafka"], clock=lambda: now)
    errors = iter([OSError("one"), OSError("two"), OSError("three")])
    waits: list[float] = []
    states: list[str] = []

    async def operation() -> str:
        for error in errors:
            raise error
        return "done"

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        states.append(health.state("kafka"))
        now += 60

    backoff = Backoff(first_s=1, jitter=lambda: 0.0)
    assert await retry(operation, health=health, component="kafka", backoff=backoff, sleep=sleep) == "done"
    assert waits == [1, 2, 4]
    assert states == [f"not answering since 1970-01-01T00:16:40Z: {reason}" for reason in ("one", "two", "three")]
    assert health.state("kafka") == "ok"


async def test_a_loop_that_retries_counts_as_turning() -> None:
    """Liveness does not restart a service because a server is away."""
    now = 0.0
    health = Health("test", max_silence_s=30, monotonic=lambda: now)
    failures = iter(range(10))

    async def operation() -> None:
        if next(failures, None) is not None:
            raise OSError

    async def sleep(_: float) -> None:
        nonlocal now
        now += 20
        assert health.live

    await retry(operation, health=health, component="vault", sleep=sleep)


async def test_what_is_not_transient_is_raised_at_once() -> None:
    """A refusal reaches the caller after one attempt."""
    attempts = 0

    async def operation() -> None:
        nonlocal attempts
        attempts += 1
        raise VaultRefusedError("no")

    with pytest.raises(VaultRefusedError):
        await retry(operation, health=Health("test"), component="vault")
    assert attempts == 1
