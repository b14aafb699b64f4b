"""`tallystick-gateway`: settings, adapters, run."""

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack

import asyncpg
import uvloop

from tallystick.gateway.api import Api
from tallystick.gateway.callers import Callers
from tallystick.gateway.deciding import Decider
from tallystick.gateway.draining import COMPONENT as SPOOL
from tallystick.gateway.draining import Drain
from tallystick.gateway.register import COMPONENT as DATABASE
from tallystick.gateway.register import Register
from tallystick.gateway.settings import GatewaySettings
from tallystick.gateway.spool import Spool
from tallystick.gateway.stream import DECISIONS, Stream
from tallystick.gateway.telemetry import Telemetry
from tallystick.gateway.tls import tls
from tallystick.gateway.waiting import Waiting
from tallystick.runtime import database, service
from tallystick.runtime.backoff import retry
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.logging import configure
from tallystick.runtime.settings import SettingError, load, read_secret, refuse
from tallystick.runtime.shield import Shield
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import Topic, TrustPolicy

_POOL_SIZE = 6
_SPOOL_ID_SIZE = 16
_PRUNE_EVERY_S = 3_600.0


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load(GatewaySettings)
    configure("gateway", settings.log_level)
    sys.exit(service.run(_run(settings, _topic(settings)), loop_factory=uvloop.new_event_loop))


async def _run(settings: GatewaySettings, topic: Topic) -> None:
    health = Health("gateway", ("kafka", DECISIONS, DATABASE, SPOOL), loops=("decisions", "drain"))
    async with AsyncExitStack() as stack:
        try:
            spool = Spool(settings.spool_dir, os.urandom(_SPOOL_ID_SIZE), settings.spool_max_bytes)
        except OSError as error:
            raise SettingError("spool_dir", str(error)) from error
        stack.callback(spool.close)
        waiting = Waiting(topic.partitions, time.monotonic)
        stream = Stream(settings, settings.source_topic, waiting, health)
        # Made without connecting: PostgreSQL may be down now and answer later.
        options = database.connect_options(settings) | {"reset": _leave_as_it_is}
        pool = await asyncpg.create_pool(**options, min_size=0, max_size=_POOL_SIZE)
        stack.callback(pool.terminate)  # closing would wait for a server that hangs
        register = Register(pool, settings.keep_keys_days)
        drain = Drain(spool, stream, register, health)
        health.ok(SPOOL)
        decider = Decider(settings, waiting, stream, register, drain, randomness=os.urandom)
        telemetry = Telemetry(health.registry)
        _report(health, telemetry, decider, waiting, stream, drain)
        callers = None if settings.callers_file is None else Callers.parse(read_secret(settings.callers_file))
        app = Shield(Api(settings, callers, decider, telemetry).app(health))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stream.run(), name="stream")
            tasks.create_task(_keep_register(register, health), name="register")
            tasks.create_task(drain.run(), name="drain")
            tasks.create_task(database.watch(settings, health), name="watch database")
            async with serving(app, settings.http_host, settings.http_port, {"proxy_headers": False} | tls(settings)):
                await asyncio.Event().wait()


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Spare every statement a second round trip: none of the gateway's leaves anything behind in its session."""


async def _keep_register(register: Register, health: Health) -> None:
    await retry(register.prepare, health=health, component=DATABASE, loop="drain")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(register.run())
        while True:
            await asyncio.sleep(_PRUNE_EVERY_S)
            await retry(register.prune, health=health, component=DATABASE, loop="drain")


def _report(health: Health, telemetry: Telemetry, decider: Decider, waiting: Waiting, stream: Stream, drain: Drain) -> None:
    telemetry.watch("in_flight", "Requests being answered", lambda: decider.in_flight)
    telemetry.watch("spool_bytes", "Size of the spool", lambda: drain.spooled_bytes)
    telemetry.watch("lag_records", "Records sent and not known to be decided", lambda: max(at.lag for at in waiting.partitions))
    health.detail("in_flight", lambda: decider.in_flight)
    health.detail("decisions_heard", lambda: stream.heard)
    health.detail(
        "spool", lambda: {"waiting": drain.waiting, "bytes": drain.spooled_bytes, "taken": drain.taken, "logged": drain.logged}
    )


def _topic(settings: GatewaySettings) -> Topic:
    try:
        policy = TrustPolicy.load(settings.trust_policy)
    except TrustError as error:
        refuse("trust_policy", str(error))
    topic = policy.topics.get(settings.source_topic)
    if topic is None:
        known = ", ".join(sorted(policy.topics))
        refuse("source_topic", f"the trust policy says nothing of this topic, only of {known}")
    return topic


if __name__ == "__main__":
    main()
