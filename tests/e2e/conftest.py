"""The whole chain for end-to-end tests: real servers, every service a process, a model that the trainer trained."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tallystick.cli.demo.platform import Platform

from ..order import group_of
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


class Chains:
    """The chains that a group of files shares; they end with it, for what stands idle takes the processor from the others."""

    def __init__(self, release: Release, folder: Callable[[str], Path]) -> None:
        self._release = release
        self._folder = folder
        self._running = ExitStack()
        self._platform: Platform | None = None
        self._rough: Rough | None = None

    @property
    def platform(self) -> Platform:
        """The one to be left as it is; started if it does not run."""
        if self._platform is None:
            self._platform = self._running.enter_context(running(self._folder("platform"), self._release))
        return self._platform

    @property
    def rough(self) -> Rough:
        """The one to be treated roughly; started if it does not run."""
        if self._rough is None:
            self._rough = self._running.enter_context(rough_chain(self._folder("rough"), self._release))
        return self._rough

    def stop(self) -> None:
        """Stop what runs."""
        self._platform = self._rough = None
        self._running.close()


_CHAINS = pytest.StashKey[Chains]()


@pytest.fixture(scope="session")
def chains(release: Release, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Chains]:
    """Provide the chains of the group whose tests run."""
    pytestconfig.stash[_CHAINS] = made = Chains(release, tmp_path_factory.mktemp)
    yield made
    made.stop()


@pytest.hookimpl(trylast=True)  # after the fixtures of the group's last file
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop a group's chains after its last test."""
    chains = item.config.stash.get(_CHAINS, None)
    if chains and (nextitem is None or group_of(nextitem.nodeid) != group_of(item.nodeid)):
        chains.stop()


@pytest.fixture(scope="module")
def platform(chains: Chains) -> Platform:
    """Return a chain with a model in force: leave every process running, take customers of your own."""
    return chains.platform


@pytest.fixture(scope="module")
def rough(chains: Chains) -> Rough:
    """Return a chain to be treated roughly: each test leaves it whole, the true logs in view and `release` in force."""
    return chains.rough
