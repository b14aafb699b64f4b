"""The Faust app: which partitions are ours, and their updates one by one. A thin shell; what is done with them is `tables`.

What of faust-streaming is used: the app's life, the group, a stream without automatic acknowledgement, and its commits. What is
not: tables, windows and their recovery and expiry, RocksDB, exactly-once (ADR 0027).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import faust
from faust.types.auth import SASLMechanism

from tallystick.profiles.settings import ProfilesSettings
from tallystick.profiles.topics import UPDATES
from tallystick.runtime.kafka import client_options

SESSION_S = 6.0
_HEARTBEAT_S = 2.0
_COMMIT_S = 1.0
_REQUEST_S = 30.0


@dataclass(frozen=True, slots=True)
class FaustUpdate:
    """An update as Faust delivers it."""

    partition: int
    offset: int
    value: bytes
    event: Any

    def acknowledge(self) -> None:
        """Let its offset be committed."""
        self.event.ack()


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the app calls: partitions came or went, an update is there. What one of them raises ends the app."""

    assigned: Callable[[set[int]], Awaitable[None]]
    revoked: Callable[[set[int]], Awaitable[None]]
    update: Callable[[FaustUpdate], Awaitable[None]]


def make_app(settings: ProfilesSettings, partitions: int, handlers: Handlers) -> faust.App:
    """Make the app (not started)."""
    for name in ("faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app = faust.App(
        settings.group_id,
        broker=[f"aiokafka://{address.strip()}" for address in settings.kafka_bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        broker_session_timeout=SESSION_S,
        broker_rebalance_timeout=SESSION_S,
        broker_heartbeat_interval=_HEARTBEAT_S,
        broker_request_timeout=_REQUEST_S,
        broker_commit_interval=_COMMIT_S,
        consumer_auto_offset_reset="earliest",
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    _bind(app, handlers)
    app.finalize()
    return app


def _bind(app: faust.App, handlers: Handlers) -> None:
    # Faust would log what a handler raises and go on, or start the agent again behind the event.
    async def guarded(done: Awaitable[None]) -> None:
        try:
            await done
        except Exception as error:
            await app.crash(error)
            raise

    async def assigned(_: Any, /, *came: Any, signal: Any, **__: Any) -> None:
        await guarded(handlers.assigned(_ours(came[0])))

    async def revoked(_: Any, /, *gone: Any, signal: Any, **__: Any) -> None:
        await guarded(handlers.revoked(_ours(gone[0])))

    app.on_partitions_assigned.connect(assigned)
    app.on_partitions_revoked.connect(revoked)

    @app.agent(app.topic(UPDATES, key_type=bytes, value_type=bytes), name="updates")
    async def updates(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            await guarded(handlers.update(FaustUpdate(message.partition, message.offset, message.value, event)))


def _ours(places: Any) -> set[int]:
    return {place.partition for place in places if place.topic == UPDATES}


def _credentials(settings: ProfilesSettings) -> Any:
    options = client_options(settings)
    protocol = options["security_protocol"]
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=SASLMechanism(options["sasl_mechanism"]),
            ssl_context=options.get("ssl_context"),
        )
    return faust.SSLCredentials(options["ssl_context"]) if protocol == "SSL" else None


async def run_app(app: faust.App, progress: Callable[[], None]) -> None:
    """Run the app until it ends or is cancelled; raises what ended it."""
    try:
        await app.start()
        while not app.should_stop and not app.crashed:
            progress()
            await asyncio.sleep(0.2)
        if app.crash_reason is not None:
            raise app.crash_reason
    finally:
        await app.stop()
