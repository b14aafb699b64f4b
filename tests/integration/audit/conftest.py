"""A bank's records on real servers, and both audit processes running over them."""

from collections.abc import Iterator

import httpx
import pytest

from tallystick.embedded import LocalIssuer

from ..stack import provisioned_stack
from .bank import CUSTOMER
from .world import World, api_process, build_world, ingest_process


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Servers of this folder's own, a log of 600 decisions, evidence in its topic, and both processes ready."""
    directory = tmp_path_factory.mktemp("audit")
    with provisioned_stack(directory / "stack") as servers, LocalIssuer() as issuer:
        made = build_world(servers, directory, issuer)
        ingest, api = ingest_process(servers, directory), api_process(made)
        ingest.start()
        api.start()
        try:
            ingest.wait_ready()
            api.wait_ready()
            made.wait_for_evidence()
            yield made.at(api)
        finally:
            api.stop()
            ingest.stop()


@pytest.fixture(scope="package")
def client(world: World) -> Iterator[httpx.Client]:
    """Yield a caller without a token."""
    with httpx.Client(base_url=world.url, timeout=30) as anybody:
        yield anybody


@pytest.fixture(scope="package")
def auditor(world: World) -> Iterator[httpx.Client]:
    """Yield an auditor."""
    with httpx.Client(base_url=world.url, timeout=30, headers=world.bearer()) as entitled:
        yield entitled


@pytest.fixture(scope="package")
def customer(world: World) -> Iterator[httpx.Client]:
    """Yield the bank's only customer."""
    with httpx.Client(base_url=world.url, timeout=30, headers=world.bearer("customer", CUSTOMER)) as own:
        yield own
