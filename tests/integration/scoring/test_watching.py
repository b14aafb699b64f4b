"""What health says of the servers that scoring needs now and then."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from tallystick.runtime.database import Probe
from tallystick.runtime.health import Health
from tallystick.scoring.watching import watch

from ..hanging import suspend_database
from ..proxy import CuttableProxy
from ..stack import ProvisionedStack

WITHIN_S = 8.0


@contextlib.asynccontextmanager
async def watched(probe: Probe) -> AsyncIterator[Callable[[str], bool]]:
    """Watch PostgreSQL as scoring does; gives what tells whether health says something of it."""
    health = Health("test", components=["database"])
    watching = asyncio.create_task(watch({"database": probe}, health))
    try:
        await until(lambda: health.ready)
        yield lambda words: health.state("database").startswith(words)
    finally:
        watching.cancel()
        probe.close()


async def until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_database_that_hangs_is_said_in_time(fresh_stack: ProvisionedStack) -> None:
    """Within 8 s of PostgreSQL's last sign of life health says so, and again that it answers."""
    async with watched(Probe(fresh_stack.database_settings("scoring"))) as says:
        wake = suspend_database(fresh_stack.servers.database)
        try:
            await until(partial(says, "not answering since"))
        finally:
            wake()
        await until(partial(says, "ok"))


async def test_a_database_that_is_cut_off_is_said_in_time(stack: ProvisionedStack) -> None:
    """So it is when its connections break."""
    with CuttableProxy(stack.servers.database.port) as proxy:
        async with watched(Probe(stack.database_settings("scoring", port=proxy.port))) as says:
            proxy.cut()
            await until(partial(says, "not answering since"))
            proxy.restore()
            await until(partial(says, "ok"))


async def test_a_database_that_was_restarted_is_never_said_to_fail_for_it(fresh_stack: ProvisionedStack) -> None:
    """A connection that broke between two questions is opened anew before the next."""
    probe = Probe(fresh_stack.database_settings("scoring"))
    await probe()
    await asyncio.to_thread(fresh_stack.servers.database.stop)
    await asyncio.to_thread(fresh_stack.servers.database.start)
    await probe()
    probe.close()


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_question_that_is_not_answered_ends_when_it_should(fresh_stack: ProvisionedStack, cancelled: bool) -> None:
    """By its own time-out or by cancelling, at once, whatever the server does."""
    probe = Probe(fresh_stack.database_settings("scoring"), timeout_s=60 if cancelled else 1)
    await probe()
    wake = suspend_database(fresh_stack.servers.database)
    try:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1 if cancelled else 60):
                await probe()
        assert time.monotonic() - started < 30
    finally:
        wake()
    await probe()
    probe.close()
