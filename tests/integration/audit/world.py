"""The records that the API's tests ask for, put where the API reads them."""

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from tallystick.embedded import LocalIssuer, ServiceProcess, free_port
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.notes import VerifierKey
from tallystick.merkle.signed_roots import RootHeader, SignedRoot
from tallystick.merkle.tiles import TileBuilder
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.database import connect_options
from tallystick.runtime.kafka import producer
from tallystick.runtime.vault import Vault
from tallystick.trust.anchors.receipts import StampReceipt, encode_receipt
from tallystick.trust.anchors.text import Head, encode_text
from tallystick.trust.policy import TrustPolicy

from ..stack import ProvisionedStack
from .bank import CUSTOMER, MODEL_FILE, Bank, LogFolder, Made

PUBLISHED = 600
"""Entries in the decisions' log: two full tiles and a partial one."""
SIGNED_FOR_RECEIPTS = 400
"""Entries in the newest tree of it that has been signed for receipts."""
_NOTARY_TABLES = """
CREATE TABLE notary.rows (source_topic text, source_partition int, sequence bigint, log_index bigint);
CREATE VIEW notary.decision_index AS SELECT * FROM notary.rows;
CREATE TABLE notary.receipts (log text, size bigint, root bytea, receipt bytea);
"""


@dataclass(frozen=True)
class World:
    """Where everything is; `named` are the decisions that tests ask for."""

    servers: ProvisionedStack
    directory: Path
    bank: Bank
    decisions: LogFolder
    governance: LogFolder
    named: dict[str, Made]
    evidence_count: int
    issuer: LocalIssuer
    url: str = ""

    @property
    def policy(self) -> TrustPolicy:
        """The auditor's own copy of the trust policy."""
        return TrustPolicy.load(self.servers.policy)

    def at(self, api: ServiceProcess) -> "World":
        """Return the world as served by a process."""
        return dataclasses.replace(self, url=api.health_url.removesuffix("/health"))

    def bearer(self, scope: str = "auditor", customer_id: str | None = None, **claims: Any) -> dict[str, str]:
        """Return the header of somebody with a scope."""
        token = self.issuer.token("somebody", [f"tallystick:{scope}"], customer_id=customer_id, **claims)
        return {"Authorization": f"Bearer {token}"}

    def wait_for_evidence(self, timeout_s: float = 30.0) -> None:
        """Wait until every evidence record is in the database."""
        deadline = time.monotonic() + timeout_s
        while (count := asyncio.run(count_evidence(self.servers))) < self.evidence_count:
            assert time.monotonic() < deadline, f"{count} of {self.evidence_count} records were kept"
            time.sleep(0.1)


def build_world(servers: ProvisionedStack, directory: Path, issuer: LocalIssuer) -> World:
    """Publish both logs, fill index, keys and the evidence topic."""
    return asyncio.run(_build(servers, directory, issuer))


async def _anchor(log: LogFolder) -> None:
    """Keep a receipt for the log's head by somebody whom no trust policy here pins."""
    note = (log.directory / "checkpoint").read_bytes()
    text = encode_text([Head.of(note)])
    receipt = encode_receipt(StampReceipt("elsewhere", text, b"\x30\x00", b"\x30\x00"))
    await AnchorFiles(log.directory.as_uri()).keep(len(log.entries), note, "elsewhere", receipt)


def ingest_process(servers: ProvisionedStack, directory: Path, topic: str = "evidence") -> ServiceProcess:
    """Return an ingest of a topic on these servers, not started."""
    names = ("KAFKA_BOOTSTRAP", "DATABASE_URL", "DATABASE_PASSWORD_FILE")
    return _process("audit-ingest", servers, directory, names, {"evidence_topic": topic, "access_digest_s": "0.5"})


def api_process(world: World, **settings: str) -> ServiceProcess:
    """Return an API over the world, not started; `settings` replace its own, those that are empty are left out."""
    own = {
        "keys_url": world.servers.provisioned.keys_url("audit"),
        "log_url": f"file://{world.directory}/log",
        "models_dir": str(world.directory / "models"),
        "trust_policy": str(world.servers.policy),
        "oidc_issuer": world.issuer.url,
    }
    names = ("VAULT_ADDR", "VAULT_ROLE_ID", "VAULT_SECRET_ID_FILE", "DATABASE_URL", "DATABASE_PASSWORD_FILE")
    return _process("audit", world.servers, world.directory, names, own | settings)


def _process(name: str, servers: ProvisionedStack, directory: Path, uses: Iterable[str], own: dict[str, str]) -> ServiceProcess:
    reach = servers.environment("audit")
    environment = {f"TALLYSTICK_{key}": reach[f"TALLYSTICK_{key}"] for key in uses}
    environment |= {f"TALLYSTICK_{key.upper()}": value for key, value in own.items() if value}
    port = free_port()
    environment["TALLYSTICK_HTTP_PORT"] = str(port)
    return ServiceProcess(name, [f"tallystick-{name}"], environment, directory / f"{name}-{port}.log")


async def _build(servers: ProvisionedStack, directory: Path, issuer: LocalIssuer) -> World:
    vault = Vault(servers.vault_settings("scoring"))
    secret = await vault.kv_read("evidence/lookup")
    assert secret is not None
    bank = Bank(base64.b64decode(secret["key"]), servers.signers)
    logs = [await _log_folder(servers, directory / "log", name) for name in ("decisions", "governance")]
    await asyncio.to_thread(logs[1].publish, bank.governance_entries(TrustPolicy.load(servers.policy).governance_origin))
    await asyncio.to_thread((await _log_folder(servers, directory / "log", "fallbacks")).publish, [b"1", b"2", b"3"])
    named, logged, extra_evidence = _decisions(bank)
    rows = [(made.decision.source_partition, made.decision.sequence, index) for index, made in enumerate(logged)]
    rows += [(2, 900, PUBLISHED + 5), (2, 901, 0)]  # beyond the checkpoint; at another decision's place
    await asyncio.to_thread(logs[0].publish, [made.entry for made in logged])
    await _anchor(logs[0])
    await _fill_notary(servers, rows, await _receipts(servers, logs))
    await _fill_scoring(servers, vault, bank)
    evidence = [(made.decision.source_partition, made.evidence) for made in logged if made.evidence] + extra_evidence
    await send_evidence(servers, evidence)
    models = directory / "models"
    models.mkdir()
    (models / f"{hashlib.sha256(MODEL_FILE).hexdigest()}.json").write_bytes(MODEL_FILE)
    (models / f"{'ba5e' * 16}.json").write_bytes(b"not what its name says")
    return World(servers, directory, bank, logs[0], logs[1], named, len(evidence), issuer)


def _decisions(bank: Bank) -> tuple[dict[str, Made], list[Made], list[tuple[int, bytes]]]:
    """Return the decisions by name, the log's in order, and evidence that belongs to no logged decision."""
    named = {
        "plain": bank.decide("tx-plain", 0, 0),
        "twice, older": bank.decide("tx-twice", 1, 0),
        "rejected": bank.reject(1, 1),
        "slash": bank.decide("tx/with/slash", 1, 2),
        "rescored": bank.decide("tx-rescored", 1, 3),
        "erased": bank.decide("tx-erased", 1, 4, key_id=bytes(16)),
        "another's place": bank.decide("tx-first-decided", 1, 5),
        "twice, newer": bank.decide("tx-twice", 1, 6),
        "shared, older": bank.decide("tx-shared", 1, 8),
        "shared, newer": bank.decide("tx-shared", 1, 9, customer_id="c-2"),
        "stray topic": bank.decide("tx-stray", 1, 7),
    }
    named["stray topic"].decision.source_topic = "elsewhere"
    filling = [bank.reject(0, sequence) for sequence in range(1, PUBLISHED - len(named) + 1)]
    extra = [
        bank.decide("tx-rescored", 1, 3),  # the same record scored again, after the decision had been written
        bank.decide("tx-ignored", 1, 5),  # a place that another transaction's decision holds
        bank.decide("tx-pending", 3, 0),  # not in the index yet
        bank.decide("tx-unpublished", 2, 900),
        bank.decide("tx-misindexed", 2, 901),
    ]
    logged = [*named.values(), *filling]
    return named, logged, [(made.decision.source_partition, made.evidence) for made in extra if made.evidence]


async def _log_folder(servers: ProvisionedStack, directory: Path, name: str) -> LogFolder:
    """Sign with the notary's own key, in Vault."""
    vault = Vault(servers.vault_settings("notary"))
    policy = TrustPolicy.load(servers.policy)
    origin = policy.origins[name]
    key: VerifierKey = next(key for key, _ in policy.log_policy.logs if key.name == origin)
    return LogFolder(directory / name, key, lambda text: asyncio.run(vault.sign(f"notary-{name}", text)))


async def _receipts(servers: ProvisionedStack, logs: list[LogFolder]) -> list[tuple[str, int, bytes, bytes]]:
    """Sign for receipts an older tree of the decisions' log, and with the wrong key the governance log's."""
    vault, policy = Vault(servers.vault_settings("notary")), TrustPolicy.load(servers.policy)
    builder = TileBuilder()
    builder.append(leaf_hashes(logs[0].entries[:SIGNED_FOR_RECEIPTS]))
    signed = []
    for name, size, root in (("decisions", SIGNED_FOR_RECEIPTS, builder.root()), ("governance", 3, logs[1].builder.root())):
        key = next(key for key in policy.receipt_keys if key.origin == policy.origins[name])
        header = RootHeader(key.origin, size, key.key_id)
        signature = await vault.sign("notary-receipts-decisions", header.signing_input(root))
        signed.append((name, size, root, SignedRoot(header, signature).encode()))
    return signed


async def _fill_notary(
    servers: ProvisionedStack, rows: list[tuple[int, int, int]], receipts: list[tuple[str, int, bytes, bytes]]
) -> None:
    async with database(servers, "notary") as connection:
        await connection.execute(_NOTARY_TABLES)
        records = [("transactions", *row) for row in rows]
        await connection.copy_records_to_table("rows", schema_name="notary", records=records)
        await connection.copy_records_to_table("receipts", schema_name="notary", records=receipts)


async def _fill_scoring(servers: ProvisionedStack, vault: Vault, bank: Bank) -> None:
    (wrapped,) = await vault.encrypt("customer-keys", [bank.customer_key])
    async with database(servers, "scoring") as connection:
        await connection.execute(
            "INSERT INTO keys.customer_keys VALUES ($1, $2, $3, 1, $4)",
            bank.key_id,
            bank.name_of(CUSTOMER),
            bank.token,
            wrapped,
        )


async def send_evidence(
    servers: ProvisionedStack, records: Iterable[tuple[int, bytes | None]], topic: str = "evidence"
) -> None:
    """Put (partition, value) records into an evidence topic."""
    sending: AIOKafkaProducer = producer(servers.kafka_settings(), linger_ms=5)
    await sending.start()
    try:
        for partition, value in records:
            await sending.send(topic, value, key=None if value else b"null", partition=partition)
        await sending.flush()
    finally:
        await sending.stop()


async def count_evidence(servers: ProvisionedStack, table: str = "evidence") -> int:
    """Count the rows of an audit table; 0 while it does not exist."""
    async with database(servers, "audit") as connection:
        try:
            return int(await connection.fetchval(f"SELECT count(*) FROM audit.{table}"))  # noqa: S608  a name of the tests' own
        except asyncpg.UndefinedTableError:
            return 0


@contextlib.asynccontextmanager
async def database(servers: ProvisionedStack, role: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to PostgreSQL as a service."""
    connection = await asyncpg.connect(**connect_options(servers.database_settings(role)))
    try:
        yield connection
    finally:
        await connection.close()
