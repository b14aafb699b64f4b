"""Real servers for integration tests: one stack for all of them, and fresh ones for tests that break theirs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.embedded import ApacheKafka

from ..apache import running_kafka
from .stack import ProvisionedStack, provisioned_stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvisionedStack]:
    """Servers that all integration tests share: leave them running, and take other keys and offsets than other tests."""
    with provisioned_stack(tmp_path_factory.mktemp("stack")) as shared:
        yield shared


@pytest.fixture
def fresh_stack(tmp_path: Path) -> Iterator[ProvisionedStack]:
    """Servers for one test, which may stop and kill them."""
    with provisioned_stack(tmp_path / "stack") as own:
        yield own


_OFTEN = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000"}
"""How often the broker looks for transactions that took too long; the default, ten seconds, is most of a reader's patience."""


@pytest.fixture(scope="package")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One broker of Apache Kafka that all integration tests share: leave it running, and take topics of your own."""
    with running_kafka(tmp_path_factory.mktemp("apache"), settings=_OFTEN) as shared:
        yield shared
