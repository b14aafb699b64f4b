"""`tallystick-retention`: settings, adapters, run."""

import asyncio
import sys
from contextlib import AsyncExitStack

from tallystick.audit.governing import Governing
from tallystick.audit.logs import PublishedLog, TileCache
from tallystick.audit.retention import keeper
from tallystick.audit.retention.settings import KeeperSettings
from tallystick.audit.retention.vault_keys import VaultKeys
from tallystick.runtime import service
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.log_reader import LogReader
from tallystick.runtime.logging import configure
from tallystick.runtime.settings import load, refuse
from tallystick.runtime.vault import Vault
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy, log_name

_CACHE_BYTES = 2**23


def main() -> None:
    """Run the process until it is told to stop."""
    settings = load(KeeperSettings)
    configure("retention", settings.log_level)
    try:
        policy = TrustPolicy.load(settings.trust_policy)
    except TrustError as error:
        refuse("trust_policy", str(error))
    sys.exit(service.run(_run(settings, policy)))


async def _run(settings: KeeperSettings, policy: TrustPolicy) -> None:
    health = Health("retention", keeper.COMPONENTS)
    name = log_name(policy.governance_origin)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(health.app(), settings.http_host, settings.http_port))
        reader = await stack.enter_async_context(LogReader(settings.log_part(name), settings))
        log = PublishedLog(name, policy.governance_origin, reader, policy.log_policy, TileCache(_CACHE_BYTES))
        async with asyncio.TaskGroup() as tasks:
            keeping = keeper.run(settings, VaultKeys(Vault(settings)), Governing(log, policy), health)
            tasks.create_task(keeping, name="retention")


if __name__ == "__main__":
    main()
