"""One chain and two authorities for all tests here: each takes its own contract and account."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.embedded.evm import Evm
from tallystick.embedded.tsa import Tsa

from .world import Bank, Chain


@pytest.fixture(scope="package")
def evm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evm]:
    """Run a chain whose blocks are made by transactions, and when a test asks."""
    node = Evm(tmp_path_factory.mktemp("evm"))
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="package", params=["sha256", "sha1"], ids=["ESSCertID v2", "ESSCertID v1"])
def tsa(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    """Run a real `openssl ts` authority, of the new kind and of the old."""
    authority = Tsa(tmp_path_factory.mktemp("tsa"), ess_digest=request.param)
    authority.start()
    yield authority
    authority.stop()


@pytest.fixture
def chain(evm: Evm) -> Chain:
    """Make an account with an ether on the chain."""
    return Chain(evm)


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """Publish two logs."""
    return Bank(tmp_path / "tiles")
