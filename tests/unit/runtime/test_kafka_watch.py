"""Asking the brokers whether they are there."""

import asyncio

from tallystick.runtime import kafka
from tallystick.runtime.health import Health


class Brokers:
    """Answer when the test says so."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[set[str]] = asyncio.get_running_loop().create_future()

    async def topics(self) -> set[str]:
        """Return the topics."""
        return await self.answer


async def test_watching_ends_though_an_answer_comes_at_the_same_moment() -> None:
    """A process that wakes finds answers and cancellations together: none of the second may be lost, or its session never ends.

    Fails with `asyncio.wait_for`, before Python 3.12.
    """
    brokers = Brokers()
    watching = asyncio.create_task(kafka.watch(brokers, Health("test", components=["kafka"]), every_s=60))
    for _ in range(5):
        await asyncio.sleep(0)
    brokers.answer.set_result(set())
    await asyncio.sleep(0)
    watching.cancel()
    await asyncio.wait([watching], timeout=1)
    assert watching.cancelled()
