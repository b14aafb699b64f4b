"""An HTTP proxy before Vault that remembers everything that was ever to be signed, and can be slow to answer."""

import base64
import http.client
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from .naive import parse_checkpoint

SIGN = "/v1/transit/sign/"


class SigningRecorder:
    """Listens on a port of its own; a context manager.

    Attributes:
        delay_s: how long an answer is held back after Vault has given it.
        signed: by key, all that Vault was asked to sign, written down before it was asked.

    """

    def __init__(self, vault_address: str) -> None:
        self.delay_s = 0.0
        self.signed: defaultdict[str, list[bytes]] = defaultdict(list)
        self._strikes: dict[str, tuple[int, Callable[[], None]]] = {}
        target = urlsplit(vault_address).netloc
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece: in two, the second waits 40 ms for the first one's acknowledgement

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                recorder.note(self.path, body)
                with closing(http.client.HTTPConnection(target, timeout=30)) as vault:
                    vault.request(self.command, self.path, body, dict(self.headers))
                    answer = vault.getresponse()
                    data = answer.read()
                time.sleep(recorder.delay_s)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that were killed hang up
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def at_signature(self, key: str, number: int, strike: Callable[[], None]) -> Iterator[None]:
        """Call `strike` once in the block, when Vault is about to be asked for a key's n-th signature (1: the first)."""
        self._strikes[key] = (number, strike)
        try:
            yield
            assert key not in self._strikes, "it was not asked so often"
        finally:
            self._strikes.pop(key, None)

    def note(self, path: str, body: bytes) -> None:
        """Write down what a request asks to be signed."""
        if path.startswith(SIGN):
            key = path.removeprefix(SIGN).split("/")[0]
            self.signed[key].append(base64.b64decode(json.loads(body)["input"]))
            number, strike = self._strikes.get(key, (0, None))
            if strike is not None and len(self.signed[key]) >= number:
                del self._strikes[key]
                strike()

    def roots(self, key: str) -> dict[int, bytes]:
        """Return every size that a key was to sign, with its root. Asserts that no size had two."""
        found: dict[int, bytes] = {}
        for text in self.signed[key]:
            _, size, root = parse_checkpoint(text)
            assert found.setdefault(size, root) == root, f"{key}: two trees of size {size} were signed"
        return found
