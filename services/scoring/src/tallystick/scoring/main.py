"""`tallystick-scoring`: settings, adapters, run."""

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack

from tallystick.runtime import database, kafka, service
from tallystick.runtime.backoff import retry
from tallystick.runtime.bucket import Bucket
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.logging import configure
from tallystick.runtime.memory import collect_rarely
from tallystick.runtime.settings import load, refuse
from tallystick.runtime.vault import Vault
from tallystick.scoring.custody import Custody
from tallystick.scoring.gate import Gate
from tallystick.scoring.ownership import Fixed, Group, Ownership
from tallystick.scoring.service import Scorer
from tallystick.scoring.settings import ScoringSettings
from tallystick.scoring.snapshot_stores import BucketStore, DirectoryStore, SnapshotStore
from tallystick.scoring.watching import watch
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy

_SWITCH_S = 0.001  # a broker's answer waits so long at most for the interpreter, while a batch is scored
_COMPONENTS = ("kafka", "vault", "database", "governance", "log", "scoring")


async def _run(settings: ScoringSettings, policy: TrustPolicy, fixed: Fixed | None) -> None:
    health = Health("scoring", _COMPONENTS, loops=("main", "governance"))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(health.app(), settings.http_host, settings.http_port))
        vault = Vault(settings)
        await retry(vault.ping, health=health, component="vault")
        pool = await retry(lambda: database.pool(settings), health=health, component="database")
        stack.callback(pool.terminate)  # closing would wait for a server that hangs
        probe = database.Probe(settings)
        stack.callback(probe.close)
        custody = Custody(vault, pool, os.urandom)
        await retry(custody.prepare, health=health, component="database")
        gate = Gate(settings, policy, time.time, lambda: custody.lookup_key)
        stack.push_async_callback(gate.close)
        async with asyncio.TaskGroup() as tasks:
            ownership: Ownership
            if fixed is None:
                membership = kafka.consumer(settings, group_id=settings.group_id, auto_offset_reset="latest")
                ownership = group = Group(membership, settings.source_topic)
                tasks.create_task(_membership(group, health), name="group")
            else:
                ownership = fixed
            tasks.create_task(watch({"vault": vault.ping, "database": probe}, health), name="watch")
            snapshots = _snapshots(settings)
            scorer = Scorer(settings, policy, gate, custody, ownership, health, snapshots)
            await scorer.run()


def _snapshots(settings: ScoringSettings) -> SnapshotStore | None:
    if settings.snapshot_store is not None:
        return BucketStore(Bucket(settings.snapshot_store, settings))
    return None if settings.snapshot_dir is None else DirectoryStore(settings.snapshot_dir)


async def _membership(group: Group, health: Health) -> None:
    await retry(group.join, health=health, component="kafka")
    await group.keep()


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load(ScoringSettings)
    configure("scoring", settings.log_level)
    try:
        policy = TrustPolicy.load(settings.trust_policy)
    except TrustError as error:
        refuse("trust_policy", str(error))
    fixed = _fixed(settings, policy)
    collect_rarely()
    sys.setswitchinterval(_SWITCH_S)
    sys.exit(service.run(_run(settings, policy, fixed)))


def _fixed(settings: ScoringSettings, policy: TrustPolicy) -> Fixed | None:
    """Return the partitions chosen by hand, None for a group's."""
    topic = policy.topics.get(settings.source_topic)
    if topic is None:
        known = ", ".join(sorted(policy.topics))
        refuse("source_topic", f"the trust policy says nothing of this topic, only of {known}")
    if settings.partitions == "group":
        return None
    chosen = range(topic.partitions) if settings.partitions == "all" else [int(part) for part in settings.partitions.split(",")]
    if max(chosen) >= topic.partitions:
        refuse("partitions", f"{settings.source_topic} has the partitions 0 to {topic.partitions - 1}")
    return Fixed(chosen)
