"""Cancellations: those asked for go through, strays become errors."""

import asyncio

import pytest

from tallystick.runtime.cancellation import StrayCancellationError, in_own_task, no_stray_cancellation


async def _guarded(future: asyncio.Future[None]) -> None:
    with no_stray_cancellation("the future"):
        await future


async def test_a_task_told_to_end_ends() -> None:
    """Who cancels a guarded task sees it cancelled."""
    task = asyncio.create_task(_guarded(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_within_is_an_error() -> None:
    """What was awaited is cancelled, the task was not told to end: that is said, and never ends a loop in silence."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_guarded(future))
    await asyncio.sleep(0)
    future.cancel()
    with pytest.raises(StrayCancellationError, match="the future was cancelled from within"):
        await task


async def test_a_task_group_hears_of_it() -> None:
    """A group ends with the error, where it would take a bare cancellation for an end that was asked for."""

    async def group() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_guarded(future))
            await asyncio.sleep(0)
            future.cancel()

    with pytest.raises(ExceptionGroup) as caught:
        await group()
    assert isinstance(caught.value.exceptions[0], StrayCancellationError)


async def _fail_in_a_group() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_guarded(asyncio.get_running_loop().create_future()))
        tasks.create_task(_fail())


async def _fail() -> None:
    await asyncio.sleep(0)
    raise OSError("gone")


async def test_a_group_that_failed_leaves_nothing_behind() -> None:
    """After a group failed in a task of its own, a timeout is a timeout, on the oldest Python too."""

    async def fail_and_then_wait() -> None:
        with pytest.raises(ExceptionGroup):
            await in_own_task(_fail_in_a_group(), "the group")
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await asyncio.create_task(fail_and_then_wait())


async def test_a_stray_is_told_where_a_group_has_failed_before() -> None:
    """A task that a failed group has left marked still tells a stray from an order to end."""

    async def fail_and_then_stray() -> None:
        with pytest.raises(ExceptionGroup):
            await _fail_in_a_group()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.cancel)
        await _guarded(future)

    with pytest.raises(StrayCancellationError):
        await asyncio.create_task(fail_and_then_stray())


async def test_its_own_task_ends_with_the_one_that_waits() -> None:
    """Who is told to end takes what runs in its own task along."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(in_own_task(_guarded(future), "it"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert future.cancelled()
