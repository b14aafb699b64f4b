"""P5: what is erased cannot be read by anybody, from anything that is left, and every proof still verifies."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tallystick.audit.evidence import EvidenceError, key_id, open_groups
from tallystick.audit.tokens import Scope
from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.proof import offline
from tallystick.cli.demo.steps import wait_until
from tallystick.cli.demo.story import completeness
from tallystick.contracts import EntryKind, FeatureVector, HoldEvent, LegalHold, Transaction
from tallystick.embedded.service_process import console_script
from tallystick.runtime.log_reader import LogReader
from tallystick.runtime.retention import DAY_S, RetentionSettings
from tallystick.runtime.vault import VaultRefusedError
from tallystick.scoring.snapshots import Reader
from tallystick.trust.records import open_entry

from ..apache import make_kafka
from .bank import DAY_MS, now_ms, send, sent, sound, stream, transactions
from .evidence import administrator
from .governing import Release, governance, install
from .reading import published
from .starting import started

PERIODS = RetentionSettings(wrapping_rotation_s=2.0, wrapping_grace_s=1.0)
ON_DISK = os.environ.get("REQUIRE_ALL") == "1"
"""Whether Kafka keeps its records on disk, and deletes them, as Apache Kafka does: half a minute more."""
OTHERS = 4_200
"""More than scoring needs to know that another day has come."""
KEYS = "/tallystick_keys"


@dataclass
class Backup:
    """An old copy of the key table, and of all evidence."""

    rows: list[asyncpg.Record]
    evidence: list[bytes]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Platform]:
    """Run a chain of one partition whose wrapping keys are rotated every two seconds, with snapshots every second."""
    directory = tmp_path_factory.mktemp("erasure")
    brokers = {"log.retention.check.interval.ms": "500", "log.initial.task.delay.ms": "500", "file.delete.delay.ms": "0"}
    kafka = make_kafka(directory / "kafka", settings=brokers) if ON_DISK else None
    scoring = {"TALLYSTICK_SNAPSHOT_DIR": str(directory / "snapshots"), "TALLYSTICK_SNAPSHOT_EVERY_S": "1"}
    extra = {"scoring": scoring, "retention": {"TALLYSTICK_CHECK_EVERY_S": "0.2"}}
    made = Platform(directory / "chain", partitions=1, retention=PERIODS, kafka=kafka, extra=extra, sealed=True)
    with started(made):
        install(made, release)
        yield made


@pytest.mark.timeout(600)
def test_nothing_that_is_left_gives_an_erased_vector_back(platform: Platform, tmp_path: Path) -> None:
    """Hunted for in every file, with old backups of keys and evidence and the Vault that there is; proofs still verify."""
    gone, kept = "erased-1", "kept-1"
    # The customer's transaction is 40 days old: scoring has forgotten it when today's have come.
    asyncio.run(send(platform.kafka, [sound(gone, now_ms() - 40 * DAY_MS, 987_654), sound(kept, now_ms())]))
    asyncio.run(stream(platform.kafka, transactions(OTHERS, "others")))
    value, vector = _vector(platform, gone)
    backup = asyncio.run(_backup(platform))
    # Before: whoever has backups and Vault reads it. A hunt that finds nothing must have been able to find it.
    assert vector in asyncio.run(_recovered(platform, backup))
    secret = asyncio.run(_key(platform, key_id(value)))
    asked_ms = now_ms()
    answer = _ask(platform, "DELETE", gone)
    assert answer["key_ids"] == [key_id(value).hex()]
    assert answer["requested_at_ms"] >= asked_ms - 1
    assert answer["effective_at_ms"] == PERIODS.effective_ms(answer["requested_at_ms"])
    wait_until(lambda: _ask(platform, "GET", gone)["log_index"] is not None, "the erasure's entry")
    again = _ask(platform, "DELETE", gone)
    assert {**again, "log_index": None} == {**answer, "log_index": None}
    (logged,) = [one for one in governance(platform).erasures if one.index == again["log_index"]]
    assert (logged.key_ids, logged.effective_at_ms) == ((key_id(value),), answer["effective_at_ms"])

    wait_until(lambda: not asyncio.run(_opens(platform, backup.rows)), "a rotation of the wrapping key")
    if ON_DISK:
        asyncio.run(_retain(platform, 20))
    # Scoring keeps two snapshots, and takes another when there is something new.
    wait_until(lambda: _hidden(platform, gone), "the end of what is kept of the customer", 240)
    if ON_DISK:
        asyncio.run(_retain(platform, 90 * DAY_S))
    assert vector not in asyncio.run(_recovered(platform, backup))
    present, found = _vector(platform, kept)[1], set[bytes]()

    def others_open() -> bool:
        found.update(_now_recovered(platform))
        return present in found

    wait_until(others_open, "a moment without a rotation", 60)
    assert vector not in found
    for needle in (vector, secret, gone.encode()):
        assert list(_files_with(platform, needle)) == []

    _check_proofs(platform, gone, tmp_path)


def _check_proofs(platform: Platform, name: str, directory: Path) -> None:
    """Check that the bundle verifies without the erased evidence, which is said so; that the logs are whole, and complete."""
    url = f"{platform.url('audit')}/v1/decisions/{name}/bundle"
    bundle = directory / "bundle.json"
    bundle.write_bytes(httpx.get(url, headers=_token(platform)).raise_for_status().content)
    verdict = offline(["verify", str(bundle), "--policy", str(platform.policy)])
    assert verdict.code == 0, verdict.said
    refused = httpx.get(url, params={"disclose": "features"}, headers=_token(platform))
    assert (refused.status_code, refused.json()["type"]) == (410, "urn:tallystick:problem:evidence-erased")
    said = httpx.get(f"{platform.url('audit')}/v1/decisions/{name}", headers=_token(platform)).json()
    sequence = said["decision"]["sequence"]
    url = f"{platform.url('audit')}/v1/evidence/0/{sequence}?disclose=features&count=2"
    places = httpx.get(url, headers=_token(platform)).json()
    assert [(one["erased"], bool(one["openings"])) for one in places["evidence"]] == [(True, False), (False, True)]
    fsck = [str(console_script("tallystick")), "fsck", platform.log_url, "--policy", str(platform.policy)]
    done = subprocess.run(fsck, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    decided = platform.health("scoring")["partitions"]["0"]["next_sequence"]
    complete = completeness(platform, decided)
    assert complete.code == 0, complete.said
    assert complete.said["sealers"][0]["compared"] > OTHERS


def test_whoever_comes_back_has_another_key(platform: Platform) -> None:
    """Scoring does not go on with the destroyed key: what comes afterwards is under a new one, and is erased by itself."""
    name = "returning"
    asyncio.run(send(platform.kafka, [_paid(name, 1)]))
    first, _ = _vector(platform, f"{name}-1")
    _ask(platform, "DELETE", name)
    time.sleep(1.5)  # three times what scoring takes to ask
    asyncio.run(send(platform.kafka, [_paid(name, 2)]))
    second, _ = _vector(platform, f"{name}-2")
    assert key_id(first) != key_id(second)
    assert _disclosed(platform, f"{name}-1") == 410
    assert _disclosed(platform, f"{name}-2") == 200
    assert _ask(platform, "DELETE", name)["key_ids"] == [key_id(second).hex()]
    assert _disclosed(platform, f"{name}-2") == 410


def test_a_legal_hold_refuses_and_is_logged(platform: Platform) -> None:
    """Erasure waits for its end; the log has it placed, refusing once, and lifted, by key ids alone."""
    name = "held"
    asyncio.run(send(platform.kafka, [sound(name, now_ms())]))
    key = key_id(_vector(platform, name)[0])
    _ask(platform, "PUT", name, "holds")
    for _ in range(2):
        refused = httpx.delete(f"{platform.url('audit')}/v1/customers/{name}", headers=_token(platform))
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:tallystick:problem:legal-hold")
    assert _disclosed(platform, name) == 200
    _ask(platform, "DELETE", name, "holds")
    assert _ask(platform, "DELETE", name)["key_ids"] == [key.hex()]
    events = [HoldEvent.HOLD_EVENT_PLACED, HoldEvent.HOLD_EVENT_ERASURE_REFUSED, HoldEvent.HOLD_EVENT_LIFTED]
    wait_until(lambda: [hold.event for hold in _holds(platform)] == events, "the hold's entries")
    assert {tuple(hold.key_ids) for hold in _holds(platform)} == {(key,)}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("service", ["audit", "scoring", "retention"])
def test_a_restored_key_table_has_no_erased_key_when_it_is_used(platform: Platform, service: str) -> None:
    """A backup brought the row back, and this process alone is started on it: the key is gone before anything is served."""
    name = f"restored-{service}"
    asyncio.run(send(platform.kafka, [sound(name, now_ms())]))
    value, _ = _vector(platform, name)
    (row,) = [row for row in asyncio.run(_backup(platform)).rows if row["key_id"] == key_id(value)]
    _ask(platform, "DELETE", name)
    wait_until(lambda: _ask(platform, "GET", name)["log_index"] is not None, "the erasure's entry")
    others = {"audit", "scoring", "retention"}
    for other in others:
        platform.services[other].stop()
    asyncio.run(_restore(platform, row))
    assert key_id(value) in {one["key_id"] for one in asyncio.run(_backup(platform)).rows}
    platform.services[service].start()
    if service == "audit":
        platform.services[service].wait_ready()
        assert _disclosed(platform, name) == 410
    wait_until(lambda: key_id(value) not in {one["key_id"] for one in asyncio.run(_backup(platform)).rows}, "the key's end")
    for other in others - {service}:
        platform.services[other].start()
    for one in others:
        platform.services[one].wait_ready()


def _paid(customer: str, number: int) -> Any:
    transaction = Transaction(transaction_id=f"{customer}-{number}", customer_id=customer, amount_minor=500, currency="EUR")
    return sent(transaction, now_ms())


def _token(platform: Platform) -> dict[str, str]:
    """Return the token of somebody who may open evidence and erase it."""
    return {"authorization": f"Bearer {platform.issuer.token('officer', [Scope.AUDITOR, Scope.PRIVACY])}"}


def _ask(platform: Platform, method: str, name: str, kind: str = "customers") -> dict[str, Any]:
    answer = httpx.request(method, f"{platform.url('audit')}/v1/{kind}/{name}", headers=_token(platform), timeout=30)
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.content else {}


def _disclosed(platform: Platform, name: str) -> int:
    url = f"{platform.url('audit')}/v1/decisions/{name}/bundle"
    return httpx.get(url, params={"disclose": "features"}, headers=_token(platform), timeout=30).status_code


def _vector(platform: Platform, transaction_id: str) -> tuple[bytes, bytes]:
    """Return a transaction's evidence, and the feature vector in it, as the audit service discloses it."""
    wait_until(lambda: _disclosed(platform, transaction_id) == 200, "the decision and its evidence", 90)
    url = f"{platform.url('audit')}/v1/decisions/{transaction_id}"
    decision = httpx.get(url, headers=_token(platform)).json()["decision"]
    values = {sha256(value).hexdigest(): value for value in asyncio.run(_backup(platform)).evidence}
    value = values[decision["evidence_digest"]]
    keys = asyncio.run(_key(platform, key_id(value)))
    return value, FeatureVector.FromString(open_groups(value, keys)["features"].content).values


async def _connect(platform: Platform, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(platform.stack.database.admin_url.removesuffix("/postgres") + database)


async def _backup(platform: Platform) -> Backup:
    keys, audit = await _connect(platform, KEYS), await _connect(platform, "/tallystick")
    try:
        rows = await keys.fetch("SELECT * FROM keys.customer_keys")
        return Backup(rows, [row[0] for row in await audit.fetch("SELECT value FROM audit.evidence")])
    finally:
        await keys.close()
        await audit.close()


async def _restore(platform: Platform, row: asyncpg.Record) -> None:
    keys = await _connect(platform, KEYS)
    try:
        await keys.execute("INSERT INTO keys.customer_keys VALUES ($1, $2, $3, $4, $5)", *row.values())
    finally:
        await keys.close()


async def _key(platform: Platform, wanted: bytes) -> bytes:
    for _ in range(20):  # while wrapping keys are rotated
        rows = [row for row in (await _backup(platform)).rows if row["key_id"] == wanted]
        if opened := await _opens(platform, rows):
            return opened[wanted]
    raise AssertionError("the key cannot be opened")


async def _opens(platform: Platform, rows: Iterable[asyncpg.Record]) -> dict[bytes, bytes]:
    """Return what Vault's administrator opens of these rows, each for itself."""
    vault, rows = administrator(platform), list(rows)
    try:
        keys = await vault.decrypt("customer-keys", [row["wrapped"] for row in rows])
        return {row["key_id"]: key for row, key in zip(rows, keys, strict=True)}
    except VaultRefusedError:
        if len(rows) == 1:
            return {}
    middle = len(rows) // 2
    return {**await _opens(platform, rows[:middle]), **await _opens(platform, rows[middle:])}


async def _recovered(platform: Platform, backup: Backup) -> set[bytes]:
    """Return every feature vector that keys and evidence of any time give to Vault's administrator."""
    keys, vectors = await _opens(platform, backup.rows), set()
    for value in backup.evidence:
        if (key := keys.get(key_id(value))) is not None:
            try:
                vectors.add(FeatureVector.FromString(open_groups(value, key)["features"].content).values)
            except EvidenceError:
                continue
    return vectors


def _now_recovered(platform: Platform) -> set[bytes]:
    return asyncio.run(_recovered(platform, asyncio.run(_backup(platform))))


async def _retain(platform: Platform, seconds: float) -> None:
    """Let Kafka keep transactions for a time; by segments of a second, as it keeps a segment for its newest record's sake."""
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.stack.kafka.address)
    await admin.start()
    try:
        configs = {"retention.ms": str(round(seconds * 1000)), "segment.ms": "1000", "cleanup.policy": "delete"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "transactions", configs)])
    finally:
        await admin.close()


def _hidden(platform: Platform, name: str) -> bool:
    """Tell whether scoring's snapshots, opened with the keys that Vault has, and all that is on disk lack the customer."""
    asyncio.run(send(platform.kafka, [sound(f"later-{now_ms()}", now_ms())]))
    time.sleep(1)
    return not list(_files_with(platform, name.encode())) and not asyncio.run(_in_snapshots(platform, name.encode()))


async def _in_snapshots(platform: Platform, needle: bytes) -> bool:
    vault = administrator(platform)
    for path in platform.directory.parent.glob("snapshots/**/*"):
        try:
            with path.open("rb") as file:
                reader = Reader(iter(lambda: file.read(1 << 16), b""))
                (key,) = await vault.decrypt("snapshot-keys", [reader.header.wrapped_key])
                if any(needle in frame for frame in reader.frames(key)):
                    return True
        except (OSError, ValueError, VaultRefusedError):
            continue  # being written, or pruned
    return False


def _files_with(platform: Platform, needle: bytes) -> Iterator[Path]:
    """Give every file of every server and service that holds the bytes."""
    database = platform.stack.database._data
    assert database is not None
    for root in (platform.directory.parent, database):
        for path in root.rglob("*"):
            try:
                if path.is_file() and not path.is_symlink() and needle in path.read_bytes():
                    yield path
            except OSError:
                continue  # deleted meanwhile


def _holds(platform: Platform) -> list[LegalHold]:
    entries = [open_entry(entry) for entry in _entries(platform)]
    return [LegalHold.FromString(entry.value) for entry in entries if entry.kind == EntryKind.ENTRY_KIND_LEGAL_HOLD]


def _entries(platform: Platform) -> list[bytes]:
    async def read() -> list[bytes]:
        size = published(platform, "governance").size
        async with LogReader(f"{platform.log_url}/governance") as reader:
            return list(await reader.entries(0, size, size))

    return asyncio.run(read())
