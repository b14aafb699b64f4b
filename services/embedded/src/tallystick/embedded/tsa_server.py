"""`openssl ts -reply` behind HTTP (RFC 3161 §3.4). Run by `Tsa`, as a process.

    python -m tallystick.embedded.tsa_server PORT DIRECTORY

GET answers 200, to be seen alive. One query at a time: openssl's file of serial numbers has no lock of its own.
"""

import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from tallystick.embedded.process import StartError
from tallystick.embedded.tsa import run_openssl

MAX_QUERY_BYTES = 4_096


class _Handler(BaseHTTPRequestHandler):
    directory: Path
    timeout = 5.0  # one query at a time: nobody may hold the line

    def do_GET(self) -> None:
        """Say that it is there."""
        self._answer(200, "text/plain", b"time stamps by POST\n")

    def do_POST(self) -> None:
        """Answer a query."""
        length = int(self.headers.get("content-length", "0"))
        if self.headers.get("content-type") != "application/timestamp-query" or not 0 < length <= MAX_QUERY_BYTES:
            self._answer(400, "text/plain", b"not a time-stamp query\n")
            return
        with tempfile.NamedTemporaryFile(dir=self.directory, suffix=".tsq") as query:
            query.write(self.rfile.read(length))
            query.flush()
            try:
                reply = run_openssl(["ts", "-reply", "-config", "tsa.conf", "-queryfile", query.name], self.directory)
            except StartError as error:
                sys.stderr.write(f"{error}\n")
                self._answer(500, "text/plain", b"openssl failed\n")
                return
        self._answer(200, "application/timestamp-reply", reply)

    def _answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing of single requests."""


def main() -> None:
    """Serve until killed."""
    port, directory = int(sys.argv[1]), Path(sys.argv[2])
    with HTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"directory": directory})) as server:
        server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
