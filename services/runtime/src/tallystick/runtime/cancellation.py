"""Cancellations that nobody asked for, made errors.

A task that ends as cancelled counts as told to end: a task group says nothing of it, and its loop is gone in silence. So what
runs for ever must not let out a cancellation that came from within.

One comes from within where Python is older than 3.11.4: a task in which a task group has failed counts as told to end from then
on, and every `asyncio.timeout` in it, a library's too, ends in a cancellation instead of a TimeoutError. So what may fail with
a group and be tried again runs in a task of its own (`in_own_task`) each time.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class StrayCancellationError(ConnectionError):
    """Something awaited was cancelled, and not because this task was: as good as a client that lost its connection."""


@contextmanager
def no_stray_cancellation(what: str) -> Iterator[None]:
    """Let a cancellation through only if the current task was told to end meanwhile.

    Raises:
        StrayCancellationError: `what` was cancelled from within.
    """
    task = asyncio.current_task()
    told = 0 if task is None else task.cancelling()
    try:
        yield
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > told:
            raise
        raise StrayCancellationError(f"{what} was cancelled from within") from error


async def in_own_task(coroutine: Coroutine[Any, Any, T], what: str) -> T:
    """Return what `coroutine` returns, run in a task of its own, which is told to end when the current one is.

    Raises:
        StrayCancellationError: It was cancelled from within.
    """
    with no_stray_cancellation(what):
        return await asyncio.create_task(coroutine, name=what)
