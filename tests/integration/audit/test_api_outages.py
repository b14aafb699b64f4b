"""What the API says while a server does not answer, and that it recovers by itself."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tallystick.audit.database import Pool
from tallystick.embedded import ServiceProcess
from tallystick.trust.bundle import verify_bundle

from ..hanging import suspend_database
from ..proxy import CuttableProxy
from .test_api import CLOSED, problem
from .world import World, api_process, count_evidence

WITHIN_S = 45.0


def eventually(what: str, holds: Callable[[], bool]) -> None:
    """Wait until it holds; fail with `what` if it does not."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


@pytest.fixture
def stopped_database(world: World) -> Iterator[Callable[[], None]]:
    """Give a call that wakes PostgreSQL, which hangs until then."""
    wake = suspend_database(world.servers.servers.database)
    yield wake
    wake()


def test_database_that_hangs(stopped_database: Callable[[], None], auditor: httpx.Client, world: World) -> None:
    """While PostgreSQL hangs the API answers 503 in time and says so in health; tiles are served all the same."""
    answer = auditor.get("/v1/decisions/tx-plain")
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    eventually("not ready", lambda: auditor.get("/health/ready").status_code == 503)
    assert "not answering" in auditor.get("/health").json()["components"]["database"]
    assert auditor.get("/health/live").status_code == 200
    assert auditor.get("/decisions/checkpoint").status_code == 200
    stopped_database()
    eventually("ready again", lambda: auditor.get("/health/ready").status_code == 200)
    assert verify_bundle(auditor.get("/v1/decisions/tx-plain/bundle").content, world.policy).index == 0


async def test_a_crowd_waits_for_its_turn(world: World) -> None:
    """However many ask at once, and however long that takes, none is refused: a query is given its time, and not the queue."""
    pool = await Pool.open(world.servers.database_settings("audit"), size=1)
    try:
        await asyncio.gather(*(pool.fetch("SELECT pg_sleep(0.5)") for _ in range(7)))
    finally:
        pool.close()


@pytest.fixture
def own_api(world: World) -> Iterator[Callable[..., tuple[ServiceProcess, httpx.Client]]]:
    """Give a call that starts an API with other settings."""
    started: list[tuple[ServiceProcess, httpx.Client]] = []

    def start(**settings: str) -> tuple[ServiceProcess, httpx.Client]:
        api = api_process(world, **settings)
        api.start()
        api.wait_ready(url=f"{api.health_url}/live")
        entitled = httpx.Client(base_url=api.health_url.removesuffix("/health"), timeout=30, headers=world.bearer())
        started.append((api, entitled))
        return started[-1]

    yield start
    for api, entitled in started:
        entitled.close()
        assert api.stop() == 0


def test_database_that_is_down_at_start(own_api: Callable[..., tuple[ServiceProcess, httpx.Client]], world: World) -> None:
    """The API starts while PostgreSQL is unreachable, says 503, and answers when it comes; and again after a cut."""
    url = world.servers.provisioned.database_url("audit")
    with CuttableProxy(world.servers.servers.database.port) as proxy:
        proxy.cut()
        _, caller = own_api(database_url=url.replace(str(world.servers.servers.database.port), str(proxy.port)))
        problem(caller.get("/v1/positions/0/0"), 503, "unavailable")
        proxy.restore()
        eventually("ready", lambda: caller.get("/health/ready").status_code == 200)
        assert caller.get("/v1/positions/0/0").status_code == 200
        proxy.cut()
        problem(caller.get("/v1/positions/0/0"), 503, "unavailable")
        proxy.restore()
        eventually("answers again", lambda: caller.get("/v1/positions/0/0").status_code == 200)


def test_vault_that_is_cut(own_api: Callable[..., tuple[ServiceProcess, httpx.Client]], world: World) -> None:
    """Without Vault nothing can be found by transaction nor opened; by place and without evidence everything goes on."""
    port = int(world.servers.servers.vault.address.rpartition(":")[2])
    with CuttableProxy(port) as proxy:
        proxy.cut()
        _, caller = own_api(vault_addr=f"http://127.0.0.1:{proxy.port}")
        problem(caller.get("/v1/decisions/tx-plain"), 503, "unavailable")
        problem(caller.get("/v1/positions/0/0/bundle?disclose=features"), 503, "unavailable")
        assert caller.get("/v1/positions/0/0/bundle").status_code == 200
        assert "not answering" in caller.get("/health").json()["components"]["vault"]
        proxy.restore()
        eventually("ready", lambda: caller.get("/health/ready").status_code == 200)
        assert caller.get("/v1/decisions/tx-plain/bundle?disclose=features").status_code == 200


def test_log_that_is_not_published(
    own_api: Callable[..., tuple[ServiceProcess, httpx.Client]], world: World, tmp_path: Path
) -> None:
    """Before the notary has published a checkpoint, and while one does not verify, the log is unavailable."""
    _, caller = own_api(log_url=f"file://{tmp_path}")
    problem(caller.get("/decisions/checkpoint"), 503, "unavailable")
    (tmp_path / "decisions").mkdir()
    note = (world.directory / "log/decisions/checkpoint").read_bytes()
    (tmp_path / "decisions/checkpoint").write_bytes(note.replace(b"\n600\n", b"\n601\n"))
    problem(caller.get("/decisions/checkpoint"), 503, "unavailable")
    problem(caller.get("/v1/positions/0/0"), 503, "unavailable")


def test_log_that_was_changed(
    own_api: Callable[..., tuple[ServiceProcess, httpx.Client]], world: World, tmp_path: Path
) -> None:
    """A stored entry that its tree does not hold is never given a proof."""
    for file in (world.directory / "log").rglob("*"):
        if file.is_file():
            target = tmp_path / file.relative_to(world.directory / "log")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    bundle = tmp_path / "decisions/tile/entries/000"
    decision = world.named["plain"].decision
    bundle.write_bytes(bundle.read_bytes().replace(decision.chain, bytes(32)))
    _, caller = own_api(log_url=f"file://{tmp_path}")
    problem(caller.get("/v1/positions/0/0/bundle"), 500, "inconsistent")


def test_closed_without_an_issuer(own_api: Callable[..., tuple[ServiceProcess, httpx.Client]]) -> None:
    """Without an issuer in the settings nobody gets what needs a token, whatever they bring."""
    _, caller = own_api(oidc_issuer="")
    for path in CLOSED:
        problem(caller.get(path), 403, "closed")
    assert caller.get("/decisions/tile/0/000").status_code == 200


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"log_url": "ftp://somewhere"}, "TALLYSTICK_LOG_URL"),
        ({"trust_policy": "/nowhere"}, "TALLYSTICK_TRUST_POLICY"),
        ({"http_prot": "1"}, "TALLYSTICK_HTTP_PROT"),
        ({"http_host": "999.9.9.9"}, "TALLYSTICK_HTTP_HOST"),
        ({"oidc_issuer": "http://issuer.example"}, "TALLYSTICK_OIDC_ISSUER"),
        ({"source_topic": "payments"}, "TALLYSTICK_SOURCE_TOPIC"),
    ],
)
def test_wrong_settings(world: World, settings: dict[str, str], name: str) -> None:
    """A wrong or unknown setting ends the process at once with its name and code 2."""
    api = api_process(world, **settings)
    api.start()
    eventually("ended", lambda: not api.is_alive)
    assert api.exit_code == 2
    assert name in api.child.log_file.read_text()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("trust.toml", None),
        ("trust.toml", b"version = 1\n"),
        ("trust.toml", b"\xff\xfe"),
        ("trust.toml", b"a = " + b"[" * 10_000),
        ("log.policy", None),
        ("log.policy", b"log nonsense\n"),
        ("log.policy", b"\x00"),
    ],
)
def test_trust_policy_that_is_none(world: World, tmp_path: Path, file: str, content: bytes | None) -> None:
    """A trust policy that is broken or incomplete ends the process with the setting's name and code 2."""
    for name in ("trust.toml", "log.policy"):
        (tmp_path / name).write_bytes((world.servers.policy / name).read_bytes())
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    api = api_process(world, trust_policy=str(tmp_path))
    api.start()
    eventually("ended", lambda: not api.is_alive)
    assert api.exit_code == 2
    (line,) = api.child.log_file.read_text().splitlines()
    assert line.startswith("TALLYSTICK_TRUST_POLICY: ")


def test_reads_only(world: World) -> None:
    """Whatever was asked, the evidence is as it was."""
    assert asyncio.run(count_evidence(world.servers)) == world.evidence_count
