"""The chain that chaos is let loose on: three brokers, PostgreSQL, one to four scoring processes that share a group."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.embedded import ApacheKafka, ServiceProcess, free_port
from tallystick.embedded.kafka import Broker

from ..e2e.governing import Release, install
from ..e2e.starting import started

PARTITIONS = 8
MOST_SCORING = 4

Victim = Broker | ServiceProcess
"""What may be killed, started again, paused and continued."""


class World:
    """The running chain, and who may be hit.

    Args:
        platform: running, on `brokers`.
        brokers: three.
    """

    def __init__(self, platform: Platform, brokers: ApacheKafka) -> None:
        self.platform = platform
        self.brokers = brokers
        self.scoring = [platform.services["scoring"]]

    def victims(self, name: str) -> list[Victim]:
        """Return those of a kind that run: `scoring`, `notary` or `broker`."""
        kinds: dict[str, list[Victim]] = {
            "scoring": [*self.scoring],
            "notary": [self.platform.services["notary"]],
            "broker": [*self.brokers.brokers],
        }
        return [victim for victim in kinds[name] if victim.is_alive]

    def scale(self, count: int) -> None:
        """Start more scoring processes, or stop the newest (SIGTERM), until there are so many."""
        while len(self.scoring) > count:
            self.scoring.pop().stop()
        while len(self.scoring) < count:
            first = self.platform.services["scoring"]
            environment = first.env | {"TALLYSTICK_HTTP_PORT": str(free_port())}
            name = f"scoring-{len(self.scoring) + 1}"
            process = ServiceProcess(name, ["tallystick-scoring"], environment, self.platform.logs / f"{name}.log")
            process.start()
            self.scoring.append(process)

    def stop_others(self) -> None:
        """Stop the scoring processes that the platform does not know."""
        for process in self.scoring[1:]:
            process.stop()


@contextlib.contextmanager
def world(directory: Path, release: Release, kafka: ApacheKafka) -> Iterator[World]:
    """Run the chain in `directory` on three brokers that are not started, a release in force."""
    scoring = {
        "TALLYSTICK_PARTITIONS": "group",
        "TALLYSTICK_SNAPSHOT_DIR": str(directory / "snapshots"),
        "TALLYSTICK_SNAPSHOT_EVERY_S": "2",
    }
    platform = Platform(directory, partitions=PARTITIONS, kafka=kafka, extra={"scoring": scoring})
    with started(platform):
        install(platform, release)
        made = World(platform, kafka)
        try:
            yield made
        finally:
            made.stop_others()


def wait_well(made: World) -> None:
    """Wait until every service says that it is well."""
    for service in made.platform.services:
        wait_until(lambda: bool(made.platform.health(service)["ready"]), f"{service} to be well again")  # noqa: B023  awaited within the turn
