"""When anchors are made: each authority and contract in a loop of its own, so that a dead one holds up no other."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NoReturn, Protocol

from prometheus_client import Counter, Gauge

from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.heads import Heads, PublishedHead, SignedHead
from tallystick.runtime.backoff import Backoff
from tallystick.runtime.health import Health

_log = logging.getLogger(__name__)
PENDING_POLL_S = 5.0


class Anchorer(Protocol):
    """Somebody outside who takes heads: `stamping.Stamper`, `posting.Poster`."""

    name: str

    async def anchor(self, heads: Heads) -> bool:
        """Anchor heads; False if it is on its way, and this should be called again soon. Raises AnchoringError."""
        ...

    async def anchored(self, log: str) -> int:
        """Return the size of a log's largest head that is anchored, 0 if none is. Raises AnchoringError."""
        ...


class Backlog:
    """How far the anchors by one authority are behind each log, in entries and in time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, int] = {}
        self._since: dict[str, float] = {}

    def note(self, log: str, size: int, anchored: int) -> None:
        """Say how large a log is, and its largest anchored head."""
        self._entries[log] = max(0, size - anchored)
        if self._entries[log] == 0:
            self._since.pop(log, None)
        else:
            self._since.setdefault(log, self._clock())

    def done(self, log: str) -> None:
        """Say that what waited is anchored; what came since waits from now on."""
        self._since.pop(log, None)

    def entries(self, log: str) -> int:
        """Return how many entries are not anchored."""
        return self._entries.get(log, 0)

    def age_s(self, log: str) -> float:
        """Return how long the oldest of them has waited, in seconds; 0 if none does."""
        return self._clock() - self._since[log] if log in self._since else 0.0


async def read_heads(logs: Sequence[PublishedHead], health: Health) -> Heads:
    """Return the heads that may be anchored; a log without one is said in health and left out."""
    heads: dict[str, SignedHead] = {}
    for log in logs:
        try:
            head = await log.read()
        except AnchoringError as error:
            health.failing(log.log, str(error), "not anchored")
            continue
        health.ok(log.log)
        if head is not None:
            heads[log.log] = head
    return heads


async def keep_anchoring(
    anchorer: Anchorer,
    logs: Sequence[PublishedHead],
    *,
    health: Health,
    metrics: "Metrics",
    interval_s: float,
    backoff: Backoff,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> NoReturn:
    """Anchor the heads every `interval_s`, for ever; after a failure sooner or later, as `backoff` says."""
    failures = 0
    backlog = metrics.backlogs[anchorer.name]
    while True:
        heads = await read_heads(logs, health)
        wait_s = interval_s
        try:
            before = {log: await anchorer.anchored(log) for log in heads}
            for log, head in heads.items():
                backlog.note(log, head.size, before[log])
            try:
                if heads and not await anchorer.anchor(heads):
                    wait_s = min(PENDING_POLL_S, interval_s)
            finally:  # one log may be refused and the others anchored
                for log, head in heads.items():
                    anchored = await anchorer.anchored(log)
                    if anchored > before[log]:
                        metrics.made.labels(anchorer.name, log).inc()
                        backlog.done(log)
                    backlog.note(log, head.size, anchored)
            health.ok(anchorer.name)
            failures = 0
        except AnchoringError as error:
            if failures == 0:
                _log.warning("not anchored: %s", error, extra={"by": anchorer.name})
            metrics.failed.labels(anchorer.name).inc()
            health.failing(anchorer.name, str(error), "not anchoring")
            wait_s = min(interval_s, backoff.delay_s(failures))
            failures += 1
        health.progress(anchorer.name)
        await sleep(wait_s)


class Metrics:
    """What Prometheus and `/health` are told, by who anchors and by log."""

    def __init__(self, names: Sequence[str], logs: Sequence[str], health: Health) -> None:
        self.backlogs: Mapping[str, Backlog] = {name: Backlog() for name in names}
        self.made = Counter("tallystick_anchors", "Heads anchored", ["by", "log"], registry=health.registry)
        self.failed = Counter("tallystick_anchor_failures", "Attempts that failed", ["by"], registry=health.registry)
        entries = Gauge("tallystick_anchor_backlog_entries", "Entries not anchored", ["by", "log"], registry=health.registry)
        age = Gauge("tallystick_anchor_age_seconds", "How long the oldest waits", ["by", "log"], registry=health.registry)
        for name, backlog in self.backlogs.items():
            for log in logs:
                entries.labels(name, log).set_function(lambda log=log, backlog=backlog: backlog.entries(log))  # type: ignore[misc] # defaults bind
                age.labels(name, log).set_function(lambda log=log, backlog=backlog: backlog.age_s(log))  # type: ignore[misc] # defaults bind
        health.detail("backlog", lambda: {name: self._state(backlog, logs) for name, backlog in self.backlogs.items()})

    @staticmethod
    def _state(backlog: Backlog, logs: Sequence[str]) -> dict[str, object]:
        return {log: {"entries": backlog.entries(log), "age_s": round(backlog.age_s(log), 1)} for log in logs}
