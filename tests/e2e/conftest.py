"""The whole chain for end-to-end tests: real servers, every service a process, a model that the trainer trained."""

from collections.abc import Iterator

import pytest

from tallystick.cli.demo.platform import Platform

from .governing import Release
from .rough import Rough, rough_chain
from .starting import running
from .training import trained


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Return a model trained by the trainer's command; statements not yet signed."""
    return trained(tmp_path_factory.mktemp("release"), 1)


@pytest.fixture(scope="session")
def other_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Return a second model, of other data."""
    return trained(tmp_path_factory.mktemp("other-release"), 2)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Platform]:
    """Run the chain that the session shares, a model in force: leave every process running, take customers of your own."""
    with running(tmp_path_factory.mktemp("platform"), release) as shared:
        yield shared


@pytest.fixture(scope="session")
def rough(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Rough]:
    """Run the chain that tests may treat roughly: each leaves it whole, the true logs in view and `release` in force."""
    with rough_chain(tmp_path_factory.mktemp("rough"), release) as shared:
        yield shared
