"""Several scoring processes share the partitions as a Kafka consumer group divides them; when one dies another takes over."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.embedded import ServiceProcess, free_port

from .bank import stream, transactions
from .reading import read_run
from .rough import Rough

ROWS = 600


def test_a_dead_member_s_partitions_are_taken_over(rough: Rough) -> None:
    """Two processes share four partitions; one is killed: the other acquires its partitions and decides on, each record once.

    Fails if a partition is not acquired afresh from its own last decision, or a revoked one is not let go.
    """
    platform = rough.platform
    alone = platform.services["scoring"]
    alone.stop()
    try:
        with _member(platform, "one") as one, _member(platform, "two") as two:
            wait_until(lambda: len(_owned(one)) == len(_owned(two)) == 2, "both to own two partitions")
            assert _owned(one) | _owned(two) == {"0", "1", "2", "3"}
            asyncio.run(stream(platform.kafka, transactions(ROWS, "shared")))
            assert len(read_run(platform).of("shared")) == ROWS
            one.kill()
            asyncio.run(stream(platform.kafka, transactions(ROWS, "inherited")))
            wait_until(lambda: len(_owned(two)) == 4, "the survivor to own all partitions")
            assert len(read_run(platform).of("inherited")) == ROWS
            wait_until(lambda: bool(_health(two)["ready"]), "the survivor to be well")
    finally:
        alone.start()
    wait_until(lambda: bool(platform.health("scoring")["ready"]), "scoring to be back")


@contextmanager
def _member(platform: Platform, name: str) -> Iterator[ServiceProcess]:
    more = {"TALLYSTICK_PARTITIONS": "group", "TALLYSTICK_HTTP_PORT": str(free_port())}
    environment = platform.services["scoring"].env | more
    process = ServiceProcess(name, ["tallystick-scoring"], environment, platform.logs / f"{name}.log")
    process.start()
    try:
        yield process
    finally:
        process.stop()


def _health(process: ServiceProcess) -> dict[str, dict[str, object]]:
    body: dict[str, dict[str, object]] = httpx.get(process.health_url, timeout=30).json()
    return body


def _owned(process: ServiceProcess) -> set[str]:
    return set(_health(process).get("partitions", {}))  # a process that has just started does not know yet
