"""The whole of it: what is to be made, in which order, and what a service is then told."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import hvac

from tallystick.cli.provision import key_tables
from tallystick.cli.provision.anchorers import Authority, ContractPin
from tallystick.cli.provision.errors import ProvisionError
from tallystick.cli.provision.kafka import provision_kafka, topics
from tallystick.cli.provision.policy import Origins, SealerKey, SignerKey, policy_files, write_policy
from tallystick.cli.provision.postgres import DATABASE, provision_postgres
from tallystick.cli.provision.vault import SERVICES, provision_vault, role_id
from tallystick.cli.provision.witnesses import Witnesses
from tallystick.runtime.backoff import retry
from tallystick.runtime.health import OK, Health
from tallystick.runtime.retention import RetentionSettings
from tallystick.runtime.vault import VaultRefusedError, translated

__all__ = ["DEFAULT_PARTITIONS", "DEFAULT_PREFIX", "SERVICES", "ProvisionPlan", "Provisioned", "provision"]

DEFAULT_PARTITIONS = 64
DEFAULT_PREFIX = "tallystick.example/demo"
VAULT_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionPlan:
    """What to provision, and as whom.

    `kafka` are aiokafka's client options (`bootstrap_servers` and security); `database_url` is an administrator's, with the
    password; `prefix` starts the logs' origins, and `logs` is how many hold decisions; `retention` says
    how long topics keep what people sent; `wait_s` is how long to wait for servers
    that do not answer yet.
    """

    kafka: Mapping[str, Any]
    vault_addr: str
    vault_token: str = field(repr=False)
    vault_ca_file: Path | None = None
    database_url: str = field(repr=False)
    output: Path
    partitions: int = DEFAULT_PARTITIONS
    logs: int = 1
    replication: int = 1
    prefix: str = DEFAULT_PREFIX
    input_topic: str = "transactions"
    signers: tuple[SignerKey, ...] = ()
    witnesses: Witnesses = field(default_factory=Witnesses)
    authorities: tuple[Authority, ...] = ()
    contracts: tuple[ContractPin, ...] = ()
    sealers: tuple[SealerKey, ...] = ()
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    new_passwords: bool = False
    replace_policy: bool = False
    wait_s: float = 60.0

    @property
    def origins(self) -> Origins:
        """The logs' origins."""
        return Origins.under(self.prefix, self.logs, sealed=bool(self.sealers))


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was made, and where; `topics_created` names those that did not exist."""

    plan: ProvisionPlan
    topics_created: tuple[str, ...]

    @property
    def policy(self) -> Path:
        """The trust policy's folder."""
        return self.plan.output / "policy"

    def secret_id_file(self, service: str) -> Path:
        """Return the file of a service's AppRole secret id."""
        return self.plan.output / "vault" / f"{service}.secret-id"

    def password_file(self, service: str) -> Path:
        """Return the file of a service's database password."""
        return self.plan.output / "postgres" / f"{service}.password"

    def database_url(self, service: str) -> str:
        """Return a service's database URL, without the password; options of the administrator's (TLS) stay.

        Scoring and retention have no other database than that of the customers' keys.
        """
        return self._url(service, key_tables.DATABASE if service in ("scoring", "retention") else DATABASE)

    def keys_url(self, service: str) -> str:
        """Return the URL of the database of the customers' keys for a service that has another one too."""
        return self._url(service, key_tables.DATABASE)

    def _url(self, service: str, database: str) -> str:
        parts = urlsplit(self.plan.database_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{service}@{host}", path=f"/{database}"))

    def environment(self, service: str) -> dict[str, str]:
        """Return the settings by which a service of `SERVICES` reaches Kafka (its address only), Vault and PostgreSQL."""
        bootstrap = self.plan.kafka["bootstrap_servers"]
        return {
            "TALLYSTICK_KAFKA_BOOTSTRAP": bootstrap if isinstance(bootstrap, str) else ",".join(bootstrap),
            "TALLYSTICK_VAULT_ADDR": self.plan.vault_addr,
            "TALLYSTICK_VAULT_ROLE_ID": role_id(service),
            "TALLYSTICK_VAULT_SECRET_ID_FILE": str(self.secret_id_file(service)),
            "TALLYSTICK_DATABASE_URL": self.database_url(service),
            "TALLYSTICK_DATABASE_PASSWORD_FILE": str(self.password_file(service)),
        }


async def provision(plan: ProvisionPlan) -> Provisioned:
    """Make everything, waiting for servers that do not answer yet; safe to repeat.

    Raises:
        ProvisionError: What exists contradicts the plan, a server refuses, or one does not answer within `plan.wait_s`.
    """
    plan.output.mkdir(parents=True, exist_ok=True)
    plans = topics(plan.partitions, plan.input_topic, plan.retention)
    health = Health("provision")
    try:
        async with asyncio.timeout(plan.wait_s):
            created = await retry(
                lambda: provision_kafka(plan.kafka, plans, plan.replication), health=health, component="Kafka"
            )
            public_keys = await retry(lambda: _vault(plan), health=health, component="Vault")
            await retry(lambda: _postgres(plan), health=health, component="PostgreSQL")
    except TimeoutError as error:
        waiting = [f"{name} is {state}" for name, state in health.states().items() if state != OK]
        raise ProvisionError(f"gave up after {plan.wait_s:g} s: {'; '.join(waiting) or 'a server does not answer'}") from error
    files = policy_files(
        plan.origins,
        public_keys,
        plan.signers,
        plan.input_topic,
        plan.partitions,
        plan.witnesses,
        plan.authorities,
        plan.contracts,
        plan.sealers,
    )
    write_policy(plan.output / "policy", files, replace=plan.replace_policy)
    return Provisioned(plan, tuple(created))


async def _postgres(plan: ProvisionPlan) -> None:
    await provision_postgres(plan.database_url, plan.output / "postgres", new_passwords=plan.new_passwords)


async def _vault(plan: ProvisionPlan) -> dict[str, bytes]:
    def work() -> dict[str, bytes]:
        verify = str(plan.vault_ca_file) if plan.vault_ca_file else True
        client = hvac.Client(url=plan.vault_addr, token=plan.vault_token, timeout=VAULT_TIMEOUT_S, verify=verify)
        try:
            # Where witnesses say what time it is, nobody of the bank's has a key to do so.
            clock = not plan.witnesses.members
            return translated(lambda: provision_vault(client, plan.output / "vault", plan.origins.names, clock=clock))
        finally:
            client.adapter.close()

    try:
        return await asyncio.to_thread(work)
    except VaultRefusedError as error:
        raise ProvisionError(f"Vault at {plan.vault_addr} refuses: {error}") from error
