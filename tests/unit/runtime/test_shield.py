"""What nobody had foreseen: told as a problem, logged once, and in nobody's words."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tallystick.runtime.health import Health
from tallystick.runtime.shield import Shield

SECRET = "tx-of-somebody"


async def _fails(request: Request) -> Response:
    try:
        int(request.query_params["id"])
    except ValueError as error:
        raise RuntimeError(SECRET) from error
    raise AssertionError


async def _fails_at_once(_: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        raise RuntimeError(SECRET)
        yield b""

    return StreamingResponse(pieces())


async def _fails_midway(_: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a piece"
        raise RuntimeError(SECRET)

    return StreamingResponse(pieces())


async def _good(_: Request) -> Response:
    return Response("good", headers={"Cache-Control": "public"})


APP = Shield(
    Health("test").app(
        [
            Route("/good", _good),
            Route("/fails", _fails),
            Route("/fails-at-once", _fails_at_once),
            Route("/fails-midway", _fails_midway),
        ]
    )
)


def client() -> httpx.AsyncClient:
    """Return a caller of every service's application; what the layers let through is raised."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://service")


async def test_an_unexpected_error_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    """A 500 like every other error, under the same headers; the log has it once, with where it came from and no words of it."""
    async with client() as caller:
        answer = await caller.get("/fails", params={"id": SECRET})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["type"] == "urn:tallystick:problem:internal"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert SECRET not in answer.text
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.getMessage(), record.__dict__["kind"]) == ("a request failed", "RuntimeError")
    trace = record.__dict__["trace"]
    assert "in _fails" in trace
    assert "ValueError" in trace
    assert not any(SECRET in str(value) for value in vars(record).values())


@pytest.mark.parametrize("path", ["/fails-at-once", "/fails-midway"])
async def test_an_answer_that_breaks_off(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """What has been sent cannot be taken back; it has no end, and the log says so once."""
    messages: list[str] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        messages.append(f"{message['type']} {message.get('more_body')}")

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "asgi": {"spec_version": "2.4"}}
    await APP(scope, receive, send)
    assert "http.response.body False" not in messages
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.__dict__["cut_off"]


async def test_a_good_answer_stays_as_it_is() -> None:
    """Headers are added where the route has none."""
    async with client() as caller:
        answer = await caller.get("/good")
    assert (answer.status_code, answer.text) == (200, "good")
    assert (answer.headers["cache-control"], answer.headers["x-frame-options"]) == ("public", "DENY")
