"""A log of another implementation, served by a plain HTTP server that compresses bundles unasked (C2SP tlog-tiles)."""

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import ENTRIES, TilePath, inclusion_proof
from tallystick.runtime.log_reader import LogReader

from ...vectors.tlog.cases.log import entry, tree
from ...vectors.tlog.cases.tiles import files

SIZE = 257
FILES = dict(files(SIZE))

Wrap = Callable[[bytes], tuple[str, bytes]]
"""Returns the coding's name and the body."""


@pytest.fixture
def serve() -> Iterator[Callable[[Wrap], str]]:
    """Return what serves the log with its bundles wrapped, and gives the prefix."""
    servers = []

    def start(wrap: Wrap) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = FILES.get(self.path.removeprefix("/log/"))
                coding, body = wrap(data) if data is not None and "/entries/" in self.path else ("", data or b"")
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(body)))
                if coding:
                    self.send_header("Content-Encoding", coding)
                self.end_headers()
                self.wfile.write(body)

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
