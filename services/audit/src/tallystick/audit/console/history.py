"""The logs' heads as this process saw them: how each grew, and when its witnesses last stood by it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tallystick.audit.errors import UnavailableError
from tallystick.audit.logs import PublishedLog
from tallystick.merkle.policy import LogPolicy, VerifiedCheckpoint

EVERY_S = 5.0
KEPT = 720
"""Heads kept a log: an hour of them at that pace; then every second one goes, and the pace halves."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A head, and when it was looked at, in seconds since 1970."""

    time_s: float
    size: int


class History:
    """Follows the published heads, in memory only: what was before this process began is not known to it."""

    def __init__(self, logs: Mapping[str, PublishedLog], policy: LogPolicy, clock: Callable[[], float] = time.time) -> None:
        self._logs, self._policy, self._clock = logs, policy, clock
        self._seen: dict[str, deque[Seen]] = {name: deque() for name in logs}
        self._stride: dict[str, int] = dict.fromkeys(logs, 1)
        self._looks: dict[str, int] = dict.fromkeys(logs, 0)

    async def follow(self, every_s: float = EVERY_S) -> None:
        """Look at every log's head again and again, until cancelled; a log that does not answer leaves a gap."""
        while True:
            for name in self._logs:
                await self._look(name)
            await asyncio.sleep(every_s)

    def of(self, name: str) -> list[Seen]:
        """Return what was seen of a log, oldest first."""
        return list(self._seen[name])

    def verified(self, log: PublishedLog, note: bytes) -> VerifiedCheckpoint:
        """Return a signed checkpoint with its cosignatures' times. Raises ValueError."""
        return self._policy.verify_checkpoint(note, log.origin)

    async def _look(self, name: str) -> None:
        try:
            head = await self._logs[name].head()
        except UnavailableError:
            return  # health says so
        seen, look = self._seen[name], self._looks[name]
        self._looks[name] += 1
        if look % self._stride[name]:
            return
        seen.append(Seen(self._clock(), head.size))
        if len(seen) > KEPT:
            self._seen[name] = deque(list(seen)[::2])
            self._stride[name] *= 2
