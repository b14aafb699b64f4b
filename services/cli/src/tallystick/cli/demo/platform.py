"""The whole of Tallystick on one machine: the embedded servers, provisioned, and the services beside them as processes.

The demo runs on it, and so do the tests that need the whole chain.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tallystick.cli.demo.anchoring import LocalAnchors
from tallystick.cli.demo.sealer import LocalSealer
from tallystick.cli.demo.witnesses import create_states, local_witnesses
from tallystick.cli.provision import Provisioned, ProvisionPlan, SignerKey, Witnesses, provision
from tallystick.embedded import ApacheKafka, EmbeddedStack, LocalIssuer, ServiceProcess, free_port
from tallystick.runtime.log_reader import authorities
from tallystick.runtime.retention import RetentionSettings
from tallystick.runtime.settings import KafkaSettings, ServiceSettings

SERVICES = ("notary", "audit-ingest", "audit", "scoring")
"""In the order in which they are started."""

PROFILES = "profiles"
"""The process that knows terminals' risk, where a model asks for it."""

ANCHOR = "anchor"
"""The process that anchors, where anything does."""

SEALER = "sealer"
"""The sealer's name, where there is one."""

RETENTION = "retention"
"""The process that ends what has to end, where it does."""

_PERIODS = sorted(RetentionSettings.model_fields.keys() - ServiceSettings.model_fields.keys())

WITNESSES = ("w1", "w2", "w3")
QUORUM = 2
"""How many of the witnesses must stand by what is published."""

ROLES = ("publisher", "approver")

AUDITOR = "tallystick:auditor"
"""What an access token must say for the audit service to show its holder everything."""

TOKEN_LIFETIME_S = 7 * 86_400.0
"""As long as anybody lets a demo run."""


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who signs: a name and the file of a private key."""

    name: str
    key_file: Path


class Platform:
    """Tallystick in a directory; a context manager that stops every process it started.

    Args:
        directory: must not exist, or be empty.
        people: who may publish and approve.
        partitions: of the input topic.
        decisions_logs: how many logs hold the decisions on them.
        anchored: whether a chain and, where there is openssl, an authority run too, and heads are anchored with them.
        sealed: whether a sealer reads the input, too.
        profiled: whether profiles of terminals are kept; old data may come as fast as it goes, for what is late is kept a year.
        retention: if given, wrapping keys are rotated, erasures logged, and what is past these periods is ended.
        kafka: the brokers, where it is not to be Tansu: of three, each keeps a copy of everything.
        extra: further settings by service or witness, e.g. `{"scoring": {"TALLYSTICK_COVERAGE_AGE_S": "2"}}`.
    """

    def __init__(
        self,
        directory: Path,
        people: tuple[str, ...] = ("ada", "grace"),
        partitions: int = 4,
        decisions_logs: int = 1,
        anchored: bool = False,
        profiled: bool = False,
        sealed: bool = False,
        retention: RetentionSettings | None = None,
        kafka: ApacheKafka | None = None,
        extra: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.logs = self.directory / "logs"
        self.models = self.directory / "models"
        self.log_dir = self.directory / "tiles"
        for made in (self.logs, self.models, self.log_dir, self.directory / "staging"):
            made.mkdir(parents=True, exist_ok=True)
        self.stack = EmbeddedStack(self.directory / "servers", kafka)
        self.people = {name: _person(self.directory / "people", name) for name in people}
        self.partitions = partitions
        self._copies = len(kafka.brokers) if kafka else 1
        self.decisions_logs = decisions_logs
        self.services: dict[str, ServiceProcess] = {}
        self._extra = extra or {}
        self.witnesses = local_witnesses(self.directory / "witnesses", WITNESSES, self.logs, self._extra)
        self.retention = retention
        self.profiled = profiled
        self.sealer = self._make_sealer() if sealed else None
        self.anchors = LocalAnchors(self.directory / "anchors") if anchored else None
        self._provisioned: Provisioned | None = None
        self.issuer = LocalIssuer()
        self.auditor_token_file = self.directory / "auditor-token"
        self.auditor_token_file.touch(0o600)
        self.auditor_token_file.write_text(self.issuer.token("auditor", [AUDITOR], lifetime_s=TOKEN_LIFETIME_S))

    @property
    def policy(self) -> Path:
        """The trust policy's folder."""
        return self._made.policy

    @property
    def anchored_by(self) -> set[str]:
        """By what names those who anchor the logs' heads are pinned."""
        return self.anchors.names if self.anchors else set()

    @property
    def log_url(self) -> str:
        """Where the logs' public files are."""
        return self.log_dir.as_uri()

    @property
    def auditor(self) -> dict[str, str]:
        """The header by which an auditor asks the audit service."""
        return {"Authorization": f"Bearer {self.auditor_token_file.read_text()}"}

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach Kafka."""
        return KafkaSettings(kafka_bootstrap=self.stack.kafka.address)

    def url(self, service: str) -> str:
        """Return where a service's HTTP answers."""
        return self.services[service].health_url.removesuffix("/health")

    def start_servers(self) -> None:
        """Start Kafka, Vault and PostgreSQL, and provision them. Raises StartError, ProvisionError."""
        with ThreadPoolExecutor(2) as beside:
            states = beside.submit(create_states, self.witnesses)
            anchors = beside.submit(self.anchors.start) if self.anchors else None
            self.issuer.start()
            self.stack.start()
            states.result()
            if anchors:
                anchors.result()
        self._provisioned = asyncio.run(
            provision(
                ProvisionPlan(
                    kafka={"bootstrap_servers": self.stack.kafka.address},
                    vault_addr=self.stack.vault.address,
                    vault_token=self.stack.vault.root_token,
                    database_url=self.stack.database.admin_url,
                    output=self.directory / "provisioned",
                    partitions=self.partitions,
                    logs=self.decisions_logs,
                    replication=self._copies,
                    signers=tuple(SignerKey(person.name, ROLES, _public_key(person)) for person in self.people.values()),
                    witnesses=Witnesses.of([witness.described for witness in self.witnesses], QUORUM),
                    authorities=self.anchors.authorities if self.anchors else (),
                    contracts=self.anchors.contracts if self.anchors else (),
                    sealers=(self.sealer.described,) if self.sealer else (),
                    retention=self.retention or RetentionSettings(),
                )
            )
        )
        for witness in self.witnesses:
            witness.know((self.policy / "log.policy").read_bytes())
            self.services[witness.name] = witness.process
        if self.sealer:
            self.services[SEALER] = self.sealer.process(self.environment(SEALER))
        chosen = {RETENTION: self.retention is not None, PROFILES: self.profiled, ANCHOR: self.anchors is not None}
        services = (*SERVICES, *(name for name, wanted in chosen.items() if wanted))
        ports = {service: free_port() for service in services}
        for service in services:
            environment = self._environment(service, ports) | dict(self._extra.get(service, {}))
            self.services[service] = ServiceProcess(
                service, [f"tallystick-{service}"], environment, self.logs / f"{service}.log"
            )

    def start_services(self) -> None:
        """Start witnesses and services, without waiting for them. Raises StartError."""
        for process in self.services.values():
            process.start()

    def wait_live(self, timeout_s: float = 30.0) -> None:
        """Wait until every service answers. Raises StartError."""
        for service in self.services.values():
            service.wait_ready(timeout_s, f"{service.health_url}/live")

    def health(self, service: str) -> dict[str, Any]:
        """Return what a service says of itself. Raises httpx.HTTPError."""
        answer: dict[str, Any] = httpx.get(f"{self.url(service)}/health", timeout=5, verify=authorities()).json()
        return answer

    def stop(self) -> None:
        """Stop everything that was started, the services first."""
        with ExitStack() as everything:  # the last one in goes first, whatever becomes of the others
            everything.callback(self.stack.stop)
            everything.callback(self.issuer.stop)
            if self.anchors:
                everything.callback(self.anchors.stop)
            for service in self.services.values():
                everything.callback(service.stop)

    def __enter__(self) -> Self:
        try:
            self.start_servers()
            self.start_services()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_sealer(self) -> LocalSealer:
        return LocalSealer(self.directory / "sealers" / SEALER, self.logs / f"{SEALER}.log", self._extra.get(SEALER, {}))

    @property
    def _made(self) -> Provisioned:
        if self._provisioned is None:
            raise RuntimeError("start_servers comes first")
        return self._provisioned

    def environment(self, service: str) -> dict[str, str]:
        """Return the settings by which a service reaches the servers that it uses."""
        role = {"audit-ingest": "audit", ANCHOR: "notary", PROFILES: "scoring"}.get(service, service)
        everything = self._made.environment(role)
        reach = {
            "kafka": ("KAFKA_BOOTSTRAP",),
            "vault": ("VAULT_ADDR", "VAULT_ROLE_ID", "VAULT_SECRET_ID_FILE"),
            "database": ("DATABASE_URL", "DATABASE_PASSWORD_FILE"),
        }
        uses = {
            "audit-ingest": ("kafka", "database"),
            "audit": ("vault", "database"),
            "gateway": ("kafka", "database"),
            PROFILES: ("kafka",),
            SEALER: ("kafka", "vault"),
            ANCHOR: (),
        }.get(service, tuple(reach))
        names = {f"TALLYSTICK_{name}" for use in uses for name in reach[use]}
        return {name: value for name, value in everything.items() if name in names}

    def _environment(self, service: str, ports: Mapping[str, int]) -> dict[str, str]:
        own = {
            "notary": {
                "TRUST_POLICY": str(self.policy),
                "LOG_DIR": str(self.log_dir),
                "STAGING_DIR": str(self.directory / "staging"),
            },
            "audit-ingest": {},
            "audit": {
                "LOG_URL": self.log_url,
                "MODELS_DIR": str(self.models),
                "TRUST_POLICY": str(self.policy),
                "OIDC_ISSUER": self.issuer.url,
                "KEYS_URL": self._made.keys_url("audit"),
            },
            RETENTION: {"LOG_URL": self.log_url, "TRUST_POLICY": str(self.policy)},
            "scoring": {
                "LOG_URL": self.log_url,
                "MODELS_DIR": str(self.models),
                "TRUST_POLICY": str(self.policy),
                "NOTARY_URL": f"http://127.0.0.1:{ports['notary']}",
                "PARTITIONS": "all",
                "PROFILES_WAIT_S": "10",
            },
            PROFILES: {"LATE_DAYS": "366", "PUBLISH_S": "0.25", "GATHER_S": "0.1"},
            ANCHOR: {"LOG_URL": self.log_url, "TRUST_POLICY": str(self.policy)}
            | (self.anchors.settings() if self.anchors else {}),
        }[service]
        if self.retention is not None and service in ("audit", "audit-ingest", RETENTION):
            own |= {name.upper(): f"{getattr(self.retention, name):g}" for name in _PERIODS}
        own["HTTP_PORT"] = str(ports[service])
        return self.environment(service) | {f"TALLYSTICK_{name}": value for name, value in own.items()}


def _person(directory: Path, name: str) -> Person:
    """Make a person's key."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / f"{name}.pem"
    file.touch(0o600)
    file.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Person(name, file)


def _public_key(person: Person) -> bytes:
    key = load_pem_private_key(person.key_file.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)  # noqa: S101  made above
    return key.public_key().public_bytes_raw()
