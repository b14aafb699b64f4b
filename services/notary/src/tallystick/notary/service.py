"""Keeping a pipeline going: again and again, whatever does not answer, until it must stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

from prometheus_client import Gauge

from tallystick.notary.errors import UnavailableError
from tallystick.notary.pipeline import Pipeline
from tallystick.runtime.backoff import Backoff
from tallystick.runtime.health import Health

_log = logging.getLogger(__name__)


async def keep_going(
    pipeline: Pipeline,
    *,
    health: Health,
    log: str,
    backoff: Backoff,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> NoReturn:
    """Run a pipeline for ever. What does not answer is waited out, and then everything begins with `recover` again.

    In health, `log` is a component, ok once all that the database holds is published, and a loop.

    Raises whatever else stops a notary: NotaryError, or an error that nobody expected.
    """
    attempt = 0
    while True:
        try:
            await pipeline.recover()
            health.ok(log)
            _log.info("ready", extra={"origin": pipeline.origin, "size": pipeline.size})
            while True:
                await pipeline.round()
                attempt = 0
        except UnavailableError as error:
            if attempt == 0:
                _log.warning("waiting for %s", error, extra={"origin": pipeline.origin})
            health.failing(log, str(error), "waiting")
            health.progress(log)
            await sleep(backoff.delay_s(attempt))
            attempt += 1


def report(health: Health, pipelines: Mapping[str, Pipeline]) -> None:
    """Say in health and metrics how far each log is."""
    health.detail("logs", lambda: {log: _state(pipeline) for log, pipeline in pipelines.items()})
    for name, what, value in _GAUGES:
        gauge = Gauge(f"tallystick_notary_{name}", what, ["log"], registry=health.registry)
        for log, pipeline in pipelines.items():
            gauge.labels(log).set_function(lambda pipeline=pipeline, value=value: value(pipeline))  # type: ignore[misc] # defaults bind


_GAUGES: tuple[tuple[str, str, Callable[[Pipeline], float]], ...] = (
    ("size", "Committed entries", lambda pipeline: pipeline.size),
    ("published_size", "Entries under the published checkpoint", lambda pipeline: pipeline.published_size or 0),
    ("lag_records", "Records in the topic that are not in the log", lambda pipeline: pipeline.lag),
    ("repeats", "Decisions skipped since the start because they were in the log", lambda pipeline: pipeline.repeats),
    ("stopped_partitions", "Partitions not read any further", lambda pipeline: len(pipeline.stopped_partitions)),
)


def _state(pipeline: Pipeline) -> dict[str, object]:
    return {
        "size": pipeline.size,
        "published_size": pipeline.published_size,
        "lag": pipeline.lag,
        "repeats": pipeline.repeats,
        "stopped_partitions": {str(partition): reason for partition, reason in pipeline.stopped_partitions.items()},
    }
