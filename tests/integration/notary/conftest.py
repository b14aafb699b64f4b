"""Real servers for the notary: one stack for all its tests, topics and databases of its own for each."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tallystick.cli.provision import ProvisionPlan, provision
from tallystick.embedded import EmbeddedStack

from .installation import PARTITIONS, Installation


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Kafka, Vault and PostgreSQL."""
    with EmbeddedStack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
async def installation(stack: EmbeddedStack, tmp_path: Path) -> AsyncIterator[Installation]:
    """A provisioned installation, in which no notary runs yet; whatever runs at the end is stopped."""
    provisioned = await provision(
        ProvisionPlan(
            kafka={"bootstrap_servers": stack.kafka.address},
            vault_addr=stack.vault.address,
            vault_token=stack.vault.root_token,
            database_url=stack.database.admin_url,
            output=tmp_path / "provisioned",
            partitions=PARTITIONS,
        )
    )
    made = Installation(stack, provisioned, tmp_path)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.stop)
        shutil.rmtree(tmp_path, ignore_errors=True)
