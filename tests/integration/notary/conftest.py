"""Real servers for the notary: Vault and PostgreSQL for all its tests, a broker and a database for each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tallystick.cli.provision import ProvisionPlan, SignerKey, provision
from tallystick.embedded import EmbeddedStack, Tansu
from tallystick.notary.signer import CLOCK

from ..s3 import S3Server
from .ground import Ground, vault_client
from .installation import PARTITIONS, Installation, person
from .overseers import Overseer
from .recorder import SigningRecorder


@pytest.fixture(scope="package")
def notary_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Kafka, Vault and PostgreSQL."""
    with EmbeddedStack(tmp_path_factory.mktemp("notary-stack")) as running:
        yield running


@pytest.fixture
async def installation(
    notary_stack: EmbeddedStack, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Installation]:
    """Provide an installation in which no notary runs yet; whatever runs at the end is killed.

    With one decisions log, or with as many as the test asks for through the fixture's parameter.
    """
    stack = notary_stack
    for server in (stack.vault, stack.database):  # a test that failed half-way may have left one down
        if not server.is_alive:
            await asyncio.to_thread(server.start)
    broker = Tansu(tmp_path)
    broker.start()
    plan = ProvisionPlan(
        kafka={"bootstrap_servers": broker.address},
        vault_addr=stack.vault.address,
        vault_token=stack.vault.root_token,
        database_url=stack.database.admin_url,
        output=tmp_path / "provisioned",
        new_passwords=True,
        partitions=PARTITIONS,
        logs=getattr(request, "param", 1),
        signers=tuple(SignerKey(name, ("approver",), person(name).public_key().public_bytes_raw()) for name in ("ada", "bob")),
    )
    made = Installation(stack, broker, await provision(plan), tmp_path)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.stop)
        broker.stop()
        admin = await asyncpg.connect(stack.database.admin_url)
        await admin.execute("DROP DATABASE tallystick WITH (FORCE)")
        await admin.close()


@pytest.fixture(scope="package")
def ground(notary_stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Provide the servers."""
    home = tmp_path_factory.mktemp("lives")
    with vault_client(notary_stack) as vault:
        if "transit/" not in vault.sys.list_mounted_secrets_engines()["data"]:
            vault.sys.enable_secrets_engine("transit")
        vault.secrets.transit.create_key(name=CLOCK, key_type="ed25519")
    with SigningRecorder(notary_stack.vault.address) as recorder, S3Server(home) as s3, Overseer(home) as overseer:
        yield Ground(notary_stack, recorder, s3, home, overseer)
