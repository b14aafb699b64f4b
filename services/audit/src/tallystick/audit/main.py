"""`tallystick-audit`: settings, adapters, the API, run."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import uvloop

from tallystick.audit import database, keys, models
from tallystick.audit.anchoring import Anchors
from tallystick.audit.api.access import TokenGate
from tallystick.audit.api.app import create_app
from tallystick.audit.api.state import Audit
from tallystick.audit.database import Database
from tallystick.audit.finding import Finder
from tallystick.audit.governing import Governing
from tallystick.audit.keys import EvidenceKeys
from tallystick.audit.log_proving import LogProver
from tallystick.audit.logs import PublishedLog
from tallystick.audit.models import ModelFiles
from tallystick.audit.proving import Opener, Prover
from tallystick.audit.settings import AuditSettings
from tallystick.audit.watching import watch
from tallystick.runtime import service
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.log_reader import LogReader
from tallystick.runtime.logging import configure
from tallystick.runtime.settings import load, read_secret, refuse
from tallystick.runtime.shield import Shield
from tallystick.runtime.vault import Vault
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy, log_name

POLICY_FILES = ("log.policy", "trust.toml")


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load(AuditSettings)
    configure("audit", settings.log_level)
    sys.exit(service.run(_run(settings, _policy_files(settings), _gate(settings)), loop_factory=uvloop.new_event_loop))


async def _run(settings: AuditSettings, policy_files: dict[str, bytes], gate: TokenGate) -> None:
    policy = TrustPolicy.parse(*policy_files.values())
    async with AsyncExitStack() as stack:
        logs, files = {}, {}
        for name, origin in policy.origins.items():
            reader = await stack.enter_async_context(LogReader(settings.log_part(name), settings))
            logs[name] = PublishedLog(name, origin, reader, policy.log_policy)
            files[name] = AnchorFiles(settings.log_part(name), settings)
        store = await Database.open(settings)
        stack.callback(store.close)
        vault_keys = EvidenceKeys(Vault(settings), store)
        governance = logs[log_name(policy.governance_origin)]
        anchors = Anchors(files)
        audit = Audit(
            finder=Finder(settings.source_topic, _by_partition(settings, policy, logs), store, vault_keys),
            prover=Prover(governance, Governing(governance, policy), anchors, store, vault_keys),
            opener=Opener(store, vault_keys),
            log_prover=LogProver(store, policy.receipt_keys),
            logs=logs,
            anchors=anchors,
            closed=frozenset(name for name, origin in policy.origins.items() if origin != policy.governance_origin),
            models=ModelFiles(settings.models_dir),
            policy_files=policy_files,
            gate=gate,
        )
        probes: dict[str, Callable[[], Awaitable[object]]] = {database.COMPONENT: store.probe, keys.COMPONENT: vault_keys.probe}
        probes[models.COMPONENT] = audit.models.probe
        probes |= {log.component: log.head for log in logs.values()}
        health = Health("audit", probes)
        app = Shield(create_app(audit, health))
        async with serving(app, settings.http_host, settings.http_port), asyncio.TaskGroup() as tasks:
            tasks.create_task(watch(probes, health), name="watch")


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


def _gate(settings: AuditSettings) -> TokenGate:
    path = settings.evidence_token_file
    return TokenGate(None if path is None else read_secret(path))


if __name__ == "__main__":
    main()
