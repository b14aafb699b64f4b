"""Apache Kafka for tests: where it cannot be run, they say why and skip."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tallystick.embedded import ApacheKafka
from tallystick.embedded.kafka import NoKafkaError, Secured, unavailable


def make_kafka(
    directory: Path, brokers: int = 1, settings: Mapping[str, str] | None = None, secured: Secured | None = None
) -> ApacheKafka:
    """Return brokers that are not started; skip the test where this machine has no Java or cannot get the jars."""
    if reason := unavailable():
        pytest.skip(reason)
    try:
        return ApacheKafka(directory, brokers, settings=settings, secured=secured)
    except NoKafkaError as error:
        pytest.skip(str(error))


@contextlib.contextmanager
def running_kafka(
    directory: Path, brokers: int = 1, settings: Mapping[str, str] | None = None, secured: Secured | None = None
) -> Iterator[ApacheKafka]:
    """Run brokers in `directory`; skip as `make_kafka` does."""
    with make_kafka(directory, brokers, settings, secured) as kafka:
        yield kafka
