"""Starting a chain, and stopping all of it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tallystick.cli.demo.platform import Platform
from tallystick.embedded import ApacheKafka

from .governing import Release, install

Extra = Mapping[str, Mapping[str, str]]


@contextlib.contextmanager
def running(
    directory: Path,
    release: Release | None,
    extra: Extra | None = None,
    partitions: int = 4,
    kafka: ApacheKafka | None = None,
) -> Iterator[Platform]:
    """Run the chain in `directory`, with a release in force unless it is None, on Tansu or on other brokers."""
    made = Platform(directory, partitions=partitions, extra=extra, kafka=kafka)
    with started(made):
        if release is not None:
            install(made, release)
        yield made


@contextlib.contextmanager
def started(platform: Platform, prepare: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Start a chain, with something to be done between servers and services; stop all of it in the end."""
    try:
        platform.start_servers()
        prepare()
        platform.start_services()
        platform.wait_live()
        yield
    finally:
        platform.stop()
