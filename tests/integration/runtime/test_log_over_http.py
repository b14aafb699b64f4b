"""A log of another implementation, served by a plain HTTP server that compresses bundles unasked (C2SP tlog-tiles)."""

import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import ENTRIES, TilePath, inclusion_proof
from tallystick.runtime import log_reader
from tallystick.runtime.log_reader import LogReader, LogUnavailableError

from ...vectors.tlog.cases.log import entry, tree
from ...vectors.tlog.cases.tiles import files

SIZE = 257
FILES = dict(files(SIZE))

Wrap = Callable[[bytes], tuple[str, bytes]]
"""Returns the coding's name and the body."""
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def answer() -> Iterator[Callable[[Answer], str]]:
    """Return what starts a server that answers so, and gives the log's prefix."""
    servers = []

    def start(how: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                how(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/log"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def serve(answer: Callable[[Answer], str]) -> Callable[[Wrap], str]:
    """Return what serves the log with its bundles wrapped, and gives the prefix."""

    def start(wrap: Wrap) -> str:
        def give(request: BaseHTTPRequestHandler) -> None:
            data = FILES.get(request.path.removeprefix("/log/"))
            coding, body = wrap(data) if data is not None and "/entries/" in request.path else ("", data or b"")
            request.send_response(404 if data is None else 200)
            request.send_header("Content-Length", str(len(body)))
            if coding:
                request.send_header("Content-Encoding", coding)
            request.end_headers()
            request.wfile.write(body)

        return answer(give)

    return start


@pytest.mark.parametrize("wrap", [lambda data: ("", data), lambda data: ("gzip", gzip.compress(data))], ids=["plain", "gzip"])
async def test_entries_and_proofs(serve: Callable[[Wrap], str], wrap: Wrap) -> None:
    """Entries, leaf hashes and proofs are what they are in the log, compressed or not."""
    async with LogReader(serve(wrap)) as reader:
        entries = await reader.entries(0, SIZE)
        assert entries == [entry(index) for index in range(SIZE)]
        assert await reader.leaf_hashes(0, SIZE) == [leaf_hash(each) for each in entries]
        assert await reader.compute(lambda read: inclusion_proof(3, SIZE, read)) == tree().inclusion(3, SIZE)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda _: ("gzip", gzip.compress(bytes(100_000_000))),
        lambda data: ("gzip", gzip.compress(data)[:-9]),
        lambda data: ("gzip", data),
        lambda data: ("br", data),
    ],
    ids=["bomb", "cut short", "no gzip", "not asked for"],
)
async def test_a_server_that_errs(serve: Callable[[Wrap], str], wrap: Wrap) -> None:
    """What cannot be unwrapped within bounds is refused, with the address."""
    async with LogReader(serve(wrap)) as reader:
        with pytest.raises(ValueError, match="tile/entries/000: "):
            await reader.read_tile(TilePath(ENTRIES, 0))


@pytest.mark.parametrize("where", ["head", "body"])
async def test_a_server_that_trickles(answer: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A byte now and then, each in time, does not hold the reader up: the whole answer has its time."""
    monkeypatch.setattr(log_reader, "ANSWER_TIMEOUT_S", 0.5)

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"X: " if where == "head" else b"Content-Length: 1000\r\n\r\n"))
        with contextlib.suppress(OSError):  # the reader has hung up
            for _ in range(100):
                request.wfile.write(b"x")
                time.sleep(0.1)

    async with LogReader(answer(trickle)) as reader:
        started = time.monotonic()
        with pytest.raises(LogUnavailableError, match=r"/log/checkpoint: not answered in whole within 0\.5 s"):
            await reader.checkpoint()
        assert time.monotonic() - started < 5


async def test_a_server_that_asks_for_patience(answer: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it asks to wait for (429) is not part of the answer's time."""
    monkeypatch.setattr(log_reader, "ANSWER_TIMEOUT_S", 0.5)
    statuses = iter([429, 200])

    def refuse_once(request: BaseHTTPRequestHandler) -> None:
        request.send_response(next(statuses))
        request.send_header("Retry-After", "1")
        request.send_header("Content-Length", "4")
        request.end_headers()
        request.wfile.write(b"head")

    async with LogReader(answer(refuse_once)) as reader:
        assert await reader.checkpoint() == b"head"
