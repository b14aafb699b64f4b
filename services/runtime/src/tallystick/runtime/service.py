"""A service's life: run until done, told to stop, or broken, and say which by the exit code.

0: done, or stopped by SIGTERM or SIGINT. 1: failed, with one log line saying why. 2: a setting is wrong, with one line on
stderr that names it (most are found by `settings.load`, before).
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from tallystick.runtime.settings import USAGE_EXIT_CODE, SettingError

STOP_TIMEOUT_S = 20.0
_log = logging.getLogger(__name__)


def run(
    main: Coroutine[Any, Any, None],
    stop_timeout_s: float = STOP_TIMEOUT_S,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Run a service and return its exit code; `loop_factory` makes another event loop than asyncio's own.

    SIGTERM or SIGINT cancels `main`, which cleans up in its `finally` blocks; if that takes longer than `stop_timeout_s`, or
    a second signal comes, the process ends at once with code 1.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_supervise(main, stop_timeout_s))


async def _supervise(main: Coroutine[Any, Any, None], stop_timeout_s: float) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(main, name="main")
    stopping = False

    def stop(number: signal.Signals) -> None:
        nonlocal stopping
        if stopping:
            _abandon("a second signal came while stopping")
        stopping = True
        _log.info("stopping", extra={"signal": number.name})
        loop.call_later(stop_timeout_s, _abandon, f"stopping took longer than {stop_timeout_s:g} s")
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    await asyncio.wait([task])
    if task.cancelled() or (error := task.exception()) is None:
        return 0 if stopping or not task.cancelled() else 1
    if isinstance(error, SystemExit):
        raise error
    found = causes(error)
    if wrong := [cause for cause in found if isinstance(cause, SettingError)]:
        sys.stderr.write("".join(f"{setting}\n" for setting in wrong))
        return USAGE_EXIT_CODE
    for cause in found:
        _log.critical("failed: %s", cause, exc_info=cause)
    return 1


def causes(error: BaseException) -> list[BaseException]:
    """Return the errors in a (nested) exception group, or the error itself."""
    pending, found = [error], []
    while pending:
        current = pending.pop()
        if isinstance(current, BaseExceptionGroup):
            pending += reversed(current.exceptions)
        else:
            found.append(current)
    return found


def _abandon(reason: str) -> None:
    _log.critical("ended without a clean stop: %s", reason)
    os._exit(1)
