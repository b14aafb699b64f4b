"""`tallystick-audit`: settings, adapters, the API, run."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import uvloop

from tallystick.audit import database, key_table, keys, models
from tallystick.audit import issuer as issuers
from tallystick.audit.accesses import Accesses
from tallystick.audit.anchoring import Anchors
from tallystick.audit.api.access import Gate
from tallystick.audit.api.app import create_app
from tallystick.audit.api.compression import Compressed
from tallystick.audit.api.heading import Headed
from tallystick.audit.api.limits import Bounded, Limits
from tallystick.audit.api.state import Audit
from tallystick.audit.console.history import History
from tallystick.audit.console.state import Console
from tallystick.audit.database import Database, Pool
from tallystick.audit.erasing import Eraser
from tallystick.audit.finding import Finder
from tallystick.audit.governing import Governing
from tallystick.audit.indexing import Index
from tallystick.audit.issuer import Issuer
from tallystick.audit.key_table import KeyTable
from tallystick.audit.keys import EvidenceKeys
from tallystick.audit.log_proving import LogProver
from tallystick.audit.logs import PublishedLog, TileCache
from tallystick.audit.models import ModelFiles
from tallystick.audit.owning import Owners
from tallystick.audit.proving import Opener, Prover
from tallystick.audit.settings import AuditSettings
from tallystick.audit.watching import watch
from tallystick.runtime import service
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.log_reader import LogReader
from tallystick.runtime.logging import configure
from tallystick.runtime.memory import collect_rarely
from tallystick.runtime.settings import load, refuse
from tallystick.runtime.shield import Shield
from tallystick.runtime.vault import Vault
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy, log_name

POLICY_FILES = ("log.policy", "trust.toml")


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load(AuditSettings)
    configure("audit", settings.log_level)
    collect_rarely()
    sys.exit(service.run(_run(settings, _policy_files(settings)), loop_factory=uvloop.new_event_loop))


async def _run(settings: AuditSettings, policy_files: dict[str, bytes]) -> None:
    policy = TrustPolicy.parse(*policy_files.values())
    async with AsyncExitStack() as stack:
        logs, files, cache = {}, {}, TileCache(settings.cache_bytes)
        for name, origin in policy.origins.items():
            reader = await stack.enter_async_context(LogReader(settings.log_part(name), settings))
            logs[name] = PublishedLog(name, origin, reader, policy.log_policy, cache)
            files[name] = AnchorFiles(settings.log_part(name), settings)
        store = await Database.open(settings)
        stack.callback(store.close)
        writing = await Pool.open(settings, read_only=False)
        stack.callback(writing.close)
        table = await KeyTable.open(settings.keys_database)
        stack.callback(table.close)
        by_partition = _by_partition(settings, policy, logs)
        index = Index(writing, list(dict.fromkeys(by_partition)), settings.source_topic)
        governance = logs[log_name(policy.governance_origin)]
        anchors, governing = Anchors(files), Governing(governance, policy)
        vault_keys = EvidenceKeys(Vault(settings), table, governing)
        opener, issuer = Opener(store, vault_keys), _issuer(settings)
        public = {policy.governance_origin, policy.seals_origin}
        audit = Audit(
            finder=Finder(settings.source_topic, by_partition, store, vault_keys),
            prover=Prover(governance, governing, anchors),
            opener=opener,
            log_prover=LogProver(store, policy.receipt_keys),
            eraser=Eraser(vault_keys, table, governing, settings),
            logs=logs,
            anchors=anchors,
            closed=frozenset(name for name, origin in policy.origins.items() if origin not in public),
            models=ModelFiles(settings.models_dir),
            policy_files=policy_files,
            gate=Gate(issuer, settings.terms(settings.oidc_issuer or "")),
            owners=Owners(opener),
            accesses=Accesses(writing),
            index=index,
            governing=governing,
            limits=Limits(*settings.rates),
        )
        history = History(logs, policy.log_policy)
        console = Console(policy, store, history, settings.source_topic, time.time)
        probes: dict[str, Callable[[], Awaitable[object]]] = {database.COMPONENT: store.probe, keys.COMPONENT: vault_keys.probe}
        probes |= {key_table.COMPONENT: table.probe, models.COMPONENT: audit.models.probe}
        if issuer is not None:
            probes[issuers.COMPONENT] = issuer.probe
        probes |= {log.component: log.head for log in logs.values()}
        health = Health("audit", probes, loops=("main", "index"))
        app = Shield(Headed(Compressed(Bounded(create_app(audit, health, console), audit.limits))))
        proxies = {"forwarded_allow_ips": settings.proxies, "proxy_headers": bool(settings.proxies)}
        async with serving(app, settings.http_host, settings.http_port, proxies), asyncio.TaskGroup() as tasks:
            tasks.create_task(watch(probes, health), name="watch")
            tasks.create_task(history.follow(), name="history")
            tasks.create_task(index.follow(health), name="index")


def _by_partition(settings: AuditSettings, policy: TrustPolicy, logs: Mapping[str, PublishedLog]) -> list[PublishedLog]:
    """Return which log holds the decisions on each partition of the input."""
    return [logs[log_name(origin)] for origin in policy.topics[settings.source_topic].origins]


def _policy_files(settings: AuditSettings) -> dict[str, bytes]:
    try:
        files = {name: (settings.trust_policy / name).read_bytes() for name in POLICY_FILES}
        topics = TrustPolicy.parse(*files.values()).topics
    except (TrustError, OSError) as error:
        refuse("trust_policy", str(error))
    if settings.source_topic not in topics:
        refuse("source_topic", f"the trust policy says nothing of this topic, only of {', '.join(sorted(topics))}")
    return files


def _issuer(settings: AuditSettings) -> Issuer | None:
    authorities = settings.oidc_ca_file
    if settings.oidc_issuer is None:
        return None
    return Issuer(settings.oidc_issuer, settings.oidc_jwks_url, str(authorities) if authorities else None)


if __name__ == "__main__":
    main()
