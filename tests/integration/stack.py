"""The embedded servers, provisioned, with two people who sign statements: what tests on real servers start from."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.provision import Provisioned, ProvisionPlan, SignerKey, provision
from tallystick.embedded import EmbeddedStack
from tallystick.runtime.settings import DatabaseSettings, KafkaSettings, VaultSettings

PARTITIONS = 4
SIGNERS = ("ada", "grace")
ROLES = ("publisher", "approver")


@dataclass(frozen=True, slots=True)
class ProvisionedStack:
    """Servers, what was provisioned on them, and the signers' private keys by name."""

    servers: EmbeddedStack
    provisioned: Provisioned
    signers: Mapping[str, Ed25519PrivateKey]

    @property
    def policy(self) -> Path:
        """The trust policy's folder."""
        return self.provisioned.policy

    def environment(self, service: str) -> dict[str, str]:
        """Return the settings by which a service reaches the servers."""
        return self.provisioned.environment(service)

    def kafka_settings(self) -> KafkaSettings:
        """Return the settings of a Kafka client."""
        return KafkaSettings(kafka_bootstrap=self.servers.kafka.address)

    def vault_settings(self, service: str, timeout_s: float = 5.0, address: str | None = None) -> VaultSettings:
        """Return the settings by which `service` reaches Vault, at another address if given."""
        return VaultSettings(
            vault_addr=address or self.servers.vault.address,
            vault_role_id=f"tallystick-{service}",
            vault_secret_id_file=self.provisioned.secret_id_file(service),
            vault_timeout_s=timeout_s,
        )

    def database_settings(self, service: str, port: int | None = None) -> DatabaseSettings:
        """Return the settings by which `service` reaches PostgreSQL, at another port if given."""
        url = self.provisioned.database_url(service)
        return DatabaseSettings(
            database_url=url.replace(f":{self.servers.database.port}/", f":{port}/") if port else url,
            database_password_file=self.provisioned.password_file(service),
        )


def plan_for(
    servers: EmbeddedStack, output: Path, signers: tuple[SignerKey, ...] = (), partitions: int = PARTITIONS
) -> ProvisionPlan:
    """Return the plan that provisions embedded servers."""
    return ProvisionPlan(
        kafka={"bootstrap_servers": servers.kafka.address},
        vault_addr=servers.vault.address,
        vault_token=servers.vault.root_token,
        database_url=servers.database.admin_url,
        output=output,
        partitions=partitions,
        signers=signers,
        wait_s=20,
    )


@contextlib.contextmanager
def provisioned_stack(directory: Path, partitions: int = PARTITIONS) -> Iterator[ProvisionedStack]:
    """Run servers in `directory`, provisioned, with the signers `ada` and `grace`, each publisher and approver."""
    keys = {name: Ed25519PrivateKey.generate() for name in SIGNERS}
    signers = tuple(SignerKey(name, ROLES, key.public_key().public_bytes_raw()) for name, key in keys.items())
    with EmbeddedStack(directory) as servers:
        done = asyncio.run(provision(plan_for(servers, directory / "provisioned", signers, partitions)))
        yield ProvisionedStack(servers, done, keys)
