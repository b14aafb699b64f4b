"""A service's HTTP: health over a socket, and reading a log from a server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tallystick.embedded import free_port
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import TilePath, encode_bundle
from tallystick.runtime.health import Health
from tallystick.runtime.http import listen, serving
from tallystick.runtime.log_reader import LogNotFoundError, LogReader, LogUnavailableError
from tallystick.runtime.settings import SettingError
from tallystick.runtime.shield import Shield

SENT = "tx-of-somebody"


async def test_health_is_served_until_the_block_ends() -> None:
    """Live and ready answer 200 or 503 as the service says; afterwards nobody listens."""
    health = Health("test", components=["kafka"])
    async with serving(health.app(), "127.0.0.1", 0) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/health/live")).status_code == 200
        waiting = await client.get("/health/ready")
        assert (waiting.status_code, waiting.json()["waiting_for"]) == (503, {"kafka": "starting"})
        health.ok("kafka")
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.get("/health")).json()["components"] == {"kafka": "ok"}
        assert "tallystick_component_up" in (await client.get("/metrics")).text
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/health")


async def test_no_answer_waits_for_an_acknowledgement() -> None:
    """Nagle's algorithm is off on every connection: with a client that delays its ACK it costs 40 ms an answer."""
    found: asyncio.Queue[int] = asyncio.Queue()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.put_nowait(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, sock=listen("127.0.0.1", 0)) as server:
        _, client = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await found.get() != 0
        client.close()
        await client.wait_closed()


async def test_a_taken_port_is_named() -> None:
    """The error says which address somebody else has, and by which setting."""
    app = Health("test").app()
    async with serving(app, "127.0.0.1", free_port()) as port:
        with pytest.raises(SettingError, match=rf"^TALLYSTICK_HTTP_PORT: cannot listen on 127\.0\.0\.1:{port}"):
            async with serving(app, "127.0.0.1", port):
                pass


async def test_answers_are_not_held_back() -> None:
    """What is accepted sends at once; else a head waits 40 ms for the acknowledgement of the one before it, each time."""
    options: list[int] = []

    async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        options.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen("127.0.0.1", 0)
    async with await asyncio.start_server(accepted, sock=listener):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        await reader.read()
        writer.close()
    assert options == [1]


@pytest.mark.parametrize("host", ["999.9.9.9", "203.0.113.7", "::zz", "x" * 70 + "." + "y" * 300, "two words"])
async def test_a_host_that_is_not_this_machine_is_named(host: str) -> None:
    """No address, another machine's, or no name at all."""
    with pytest.raises(SettingError, match=r"^TALLYSTICK_HTTP_HOST: cannot listen on"):
        async with serving(Health("test").app(), host, 0):
            pass


def _log_app(directory: Path) -> Starlette:
    """Serve a log's directory, and beside it what a log must not do."""

    def broken(_: Request) -> Response:
        return Response(status_code=500)

    def endless(_: Request) -> Response:
        return Response(bytes(1_000_000))

    def elsewhere(_: Request) -> Response:
        return RedirectResponse("/log/checkpoint")

    return Starlette(
        routes=[
            Mount("/log", StaticFiles(directory=directory)),
            Route("/broken/checkpoint", broken),
            Route("/endless/checkpoint", endless),
            Route("/elsewhere/checkpoint", elsewhere),
        ]
    )


async def test_a_log_reads_the_same_over_http_as_from_its_directory(tmp_path: Path) -> None:
    """Entries, leaf hashes, checkpoint, and the cut from a full tile where the partial one is gone."""
    entries = [sha256(b"%d" % number).digest() for number in range(256)]
    (tmp_path / "tile/entries").mkdir(parents=True)
    (tmp_path / "tile/0").mkdir()
    (tmp_path / TilePath(-1, 0).path()).write_bytes(encode_bundle(entries))
    (tmp_path / TilePath(0, 0).path()).write_bytes(b"".join(leaf_hash(entry) for entry in entries))
    (tmp_path / "checkpoint").write_bytes(b"note")
    async with serving(_log_app(tmp_path), "127.0.0.1", 0) as port:
        for url in (tmp_path.as_uri(), f"http://127.0.0.1:{port}/log/"):
            async with LogReader(url) as log:
                assert await log.checkpoint() == b"note"
                assert await log.entries(10, 20, 100) == entries[10:20]
                assert await log.leaf_hashes(0, 256) == [leaf_hash(entry) for entry in entries]
                with pytest.raises(LogNotFoundError):
                    await log.entries(256, 257)


@pytest.mark.parametrize(
    ("prefix", "error", "says"),
    [
        ("broken", LogUnavailableError, "status 500"),
        ("elsewhere", LogUnavailableError, "status 307"),
        ("endless", ValueError, "more than"),
    ],
)
async def test_what_a_log_must_not_do_is_refused(tmp_path: Path, prefix: str, error: type[Exception], says: str) -> None:
    """A failing server is waited for; redirects are not followed; nothing is read beyond its limit."""
    async with serving(_log_app(tmp_path), "127.0.0.1", 0) as port, LogReader(f"http://127.0.0.1:{port}/{prefix}") as log:
        with pytest.raises(error, match=says):
            await log.checkpoint()


async def test_a_log_that_nobody_serves_is_unavailable() -> None:
    """A refused connection is something to retry."""
    async with LogReader(f"http://127.0.0.1:{free_port()}") as log:
        with pytest.raises(LogUnavailableError, match="ConnectError"):
            await log.checkpoint()


async def test_an_unexpected_error_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Behind a real server: a problem for the caller, one line for the operator, without words; half an answer is cut off."""

    async def fails(_: Request) -> Response:
        raise RuntimeError(SENT)

    async def fails_midway(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"a piece"
            raise RuntimeError(SENT)

        return StreamingResponse(pieces())

    app = Shield(Health("test").app([Route("/fails", fails), Route("/fails-midway", fails_midway)]))
    async with serving(app, "127.0.0.1", 0) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.get("/fails")
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/fails-midway")
    assert len([record for record in caplog.records if "trace" in vars(record)]) == 2
    assert not any(record.exc_info or SENT in str(vars(record)) for record in caplog.records)
