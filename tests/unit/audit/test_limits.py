"""How often somebody may ask, how large a body may be, and what is packed: in process, by a clock that is given."""

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tallystick.audit.api.compression import MIN_BYTES, Compressed, accepts_gzip
from tallystick.audit.api.limits import MAX_BODY_BYTES, Bounded, Limits
from tallystick.audit.api.problems import http_error
from tallystick.audit.buckets import Buckets, Rate
from tallystick.audit.errors import TooManyError

ANY = Rate(0, 1)


def test_a_bucket_fills_as_time_goes() -> None:
    """A burst, then as fast as it fills; never more than it holds, however long one waits."""
    buckets = Buckets(Rate(2, 3))
    assert [buckets.take("ada", 1, 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("grace", 1, 0.0) == 0
    assert buckets.take("ada", 1, 0.5) == 0
    assert buckets.take("ada", 1, 0.5) == 0.5
    assert [buckets.take("ada", 1, 1_000.0) for _ in range(4)] == [0, 0, 0, 0.5]


def test_what_costs_more_than_a_bucket_holds() -> None:
    """A full bucket gives it, and owes the rest."""
    buckets = Buckets(Rate(1, 2))
    assert buckets.take("ada", 10, 0.0) == 0
    assert buckets.take("ada", 1, 0.0) == 9
    assert buckets.take("ada", 1, 9.0) == 0


def test_buckets_are_forgotten() -> None:
    """Names are made up by whoever asks: so many are remembered, and no more; the longest unused go."""
    buckets = Buckets(Rate(1, 1), most=2)
    for name in ("a", "b", "c"):
        buckets.take(name, 1, 0.0)
    assert buckets.take("a", 1, 0.0) == 0
    assert buckets.take("c", 1, 0.0) > 0


def test_a_rate_of_nothing_bounds_nothing() -> None:
    """0 is any number."""
    assert all(Buckets(ANY).take("ada", 1e9, 0.0) == 0 for _ in range(5))


def client(app: Any, limits: Limits | None = None) -> httpx.AsyncClient:
    """Return a caller of an application in its layers."""
    layers = Compressed(Bounded(app, limits or Limits(ANY, ANY)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(layers), base_url="http://audit", headers={"accept-encoding": ""})


TEXT = {"entries": ["base64 " * 16] * (MIN_BYTES // 100)}


async def _json(_: Request) -> Response:
    return JSONResponse(TEXT, headers={"ETag": '"tag"'})


async def _binary(_: Request) -> Response:
    return Response(bytes(8192), media_type="application/octet-stream", headers={"ETag": '"tag"'})


async def _small(_: Request) -> Response:
    return JSONResponse({})


async def _lines(_: Request) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d\n" % number

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _size(request: Request) -> Response:
    return JSONResponse({"size": len(await request.body())})


APP = Starlette(
    routes=[
        Route("/json", _json),
        Route("/binary", _binary),
        Route("/small", _small),
        Route("/lines", _lines),
        Route("/size", _size, methods=["POST"]),
        Route("/health", _small),
    ],
    exception_handlers={413: http_error},
)


async def test_an_address_that_asks_too_often() -> None:
    """Is told when to come again, in a problem like others; health is never counted."""
    now_s = 0.0
    limits = Limits(Rate(0.1, 2), ANY, clock=lambda: now_s)
    async with client(APP, limits) as caller:
        answers = [await caller.get("/small") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "10"
        assert answers[2].json()["type"] == "urn:tallystick:problem:too-many"
        assert (await caller.get("/health")).status_code == 200
        now_s = 10.0
        assert (await caller.get("/small")).status_code == 200


def test_a_caller_that_asks_too_often() -> None:
    """Callers are counted by name, and by what they ask for."""
    limits = Limits(ANY, Rate(1, 100), clock=lambda: 0.0)
    limits.caller("ada", 100)
    with pytest.raises(TooManyError, match="You ask"):
        limits.caller("ada")
    limits.caller("grace")


@pytest.mark.parametrize("streamed", [False, True])
async def test_bodies_are_bounded(streamed: bool) -> None:
    """Whether its size was announced or not."""

    async def pieces(size: int) -> AsyncIterator[bytes]:
        yield bytes(size - 1)
        yield b"x"

    async with client(APP) as caller:
        for size, status in ((MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)):
            answer = await caller.post("/size", content=pieces(size) if streamed else bytes(size))
            assert answer.status_code == status, answer.text
        assert answer.json()["type"] == "urn:tallystick:problem:too-large"


async def test_text_is_packed() -> None:
    """For whoever takes it, with its length and a weaker tag; the same content; and caches are told that it depends."""
    async with client(APP) as caller:
        plain = await caller.get("/json")
        assert "content-encoding" not in plain.headers
        assert (plain.headers["etag"], plain.headers["vary"]) == ('"tag"', "Accept-Encoding")
        async with caller.stream("GET", "/json", headers={"accept-encoding": "gzip"}) as answer:
            packed = b"".join([piece async for piece in answer.aiter_raw()])
        assert (answer.headers["content-encoding"], answer.headers["etag"]) == ("gzip", 'W/"tag"')
        assert int(answer.headers["content-length"]) == len(packed) < len(plain.content)
        assert gzip.decompress(packed) == plain.content


@pytest.mark.parametrize("path", ["/binary", "/small"])
async def test_what_is_not_packed(path: str) -> None:
    """Tiles are random, and small answers not worth it."""
    async with client(APP) as caller:
        answer = await caller.get(path, headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.content)


async def test_what_is_streamed_is_packed_piece_by_piece() -> None:
    """Without a length, and each piece can be read when it has come."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/lines", "headers": [(b"accept-encoding", b"gzip")], "query_string": b""}
    asked: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return asked.pop() if asked else {"type": "http.disconnect"}

    await Compressed(APP)(scope, receive, send)
    headers = dict(sent[0]["headers"])
    assert headers[b"content-encoding"] == b"gzip"
    assert b"content-length" not in headers
    unpacker = zlib.decompressobj(31)
    assert [unpacker.decompress(message["body"]) for message in sent[1:4]] == [b"0\n", b"1\n", b"2\n"]


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("identity", False),
    ],
)
def test_who_takes_gzip(accepted: str, taken: bool) -> None:
    """As the header says it (RFC 9110 §12.5.3)."""
    assert accepts_gzip(accepted) is taken
