"""Asking Vault and PostgreSQL whether they answer: scoring needs them only for new customers, and health must know before."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from tallystick.runtime.backoff import is_transient
from tallystick.runtime.health import Health

EVERY_S = 2.0
TIMEOUT_S = 5.0


async def watch(probes: Mapping[str, Callable[[], Awaitable[object]]], health: Health) -> None:
    """Probe each component every few seconds and say in health whether it answers; until cancelled.

    Args:
        probes: by the component's name; each ends at once when it is cancelled, or health would be late.
        health: where it is said.
    """
    while True:
        await asyncio.gather(*(_probe(name, probe, health) for name, probe in probes.items()))
        await asyncio.sleep(EVERY_S)


async def _probe(name: str, probe: Callable[[], Awaitable[object]], health: Health) -> None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await probe()
    except Exception as error:  # noqa: BLE001  whatever it is, it is said; who needs the answer decides what follows
        reason = str(error) or f"no answer within {TIMEOUT_S:g} s"
        health.failing(name, reason, "not answering" if is_transient(error) else "refuses")
    else:
        health.ok(name)
