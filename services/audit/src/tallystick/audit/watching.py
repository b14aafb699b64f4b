"""Asking what the API depends on whether it answers, so that health knows before a caller does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from tallystick.audit.errors import UnavailableError
from tallystick.runtime.health import Health

EVERY_S = 2.0
_log = logging.getLogger(__name__)


async def watch(probes: Mapping[str, Callable[[], Awaitable[object]]], health: Health, every_s: float = EVERY_S) -> None:
    """Probe each component every few seconds and say in health whether it answers; until cancelled.

    Args:
        probes: by the component's name; each raises UnavailableError.
        health: where it is said.
        every_s: the pause between two rounds.
    """
    while True:
        await asyncio.gather(*(_probe(name, probe, health) for name, probe in probes.items()))
        health.progress()
        await asyncio.sleep(every_s)


async def _probe(name: str, probe: Callable[[], Awaitable[object]], health: Health) -> None:
    before = health.state(name)
    try:
        await probe()
    except UnavailableError as error:
        health.failing(error.component, error.reason)
        return
    health.ok(name)
    if before != health.state(name):
        _log.info("%s answers", name, extra={"component": name})
