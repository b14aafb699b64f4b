"""Answers in gzip for whoever takes it (RFC 9110 §8.4.1): text, whole or streamed. Never hash tiles: they do not pack."""

import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES = 2_048
LEVEL = 1
"""Most of what is compressed is base64 of hashes: more effort finds nothing more in it."""
_GZIP = 16 + zlib.MAX_WBITS
_TYPES = ("application/json", "application/x-ndjson", "application/problem+json", "text/")


class Compressed:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        takes = accepts_gzip(Headers(scope=scope).get("accept-encoding", ""))
        await self._app(scope, receive, _Sender(send, takes))


def accepts_gzip(accepted: str) -> bool:
    """Tell whether an `Accept-Encoding` takes gzip: named, or by a star, and not with a weight of 0."""
    weights: dict[str, str] = {}
    for part in accepted.lower().split(","):
        coding, _, parameter = part.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "").removeprefix("q=") or "1"
    return weights.get("gzip", weights.get("*", "0")).strip("0.") != ""


class _Sender:
    """Sends one answer; whether in gzip, its first piece decides."""

    def __init__(self, send: Send, takes_gzip: bool) -> None:
        self._send, self._takes = send, takes_gzip
        self._start: Message | None = None
        self._packer: zlib._Compress | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message of the application."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            if self._begin(start, body, more):
                body = self._pack(body, more)
                if not more:
                    MutableHeaders(scope=start)["Content-Length"] = str(len(body))
            await self._send(start)
        elif self._packer is not None:
            body = self._pack(body, more)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _begin(self, start: Message, body: bytes, more: bool) -> bool:
        headers = MutableHeaders(scope=start)
        if not headers.get("content-type", "").startswith(_TYPES) or "content-encoding" in headers:
            return False
        headers.add_vary_header("Accept-Encoding")
        if not self._takes or not (more or len(body) >= MIN_BYTES):
            return False
        headers["Content-Encoding"] = "gzip"
        del headers["Content-Length"]
        tag = headers.get("etag")
        if tag is not None and not tag.startswith("W/"):
            headers["ETag"] = f"W/{tag}"  # the same in other bytes (RFC 9110 §8.8.1)
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        return True

    def _pack(self, body: bytes, more: bool) -> bytes:
        assert self._packer is not None  # noqa: S101  begun before
        # Flushed with each piece: whoever streams sees what is there.
        return self._packer.compress(body) + self._packer.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)
