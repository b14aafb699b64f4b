"""The witness over HTTP: C2SP tlog-witness's two calls, health and metrics. Refusals are plain text for people.

`POST /add-checkpoint`, `GET /<hex SHA-256 of the origin>/checkpoint`;
`GET /health/live`, `/health/ready`, `/health`, `/metrics`.
"""

import asyncio
import re
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tallystick.witness.decision import Refused
from tallystick.witness.request import MAX_REQUEST_SIZE
from tallystick.witness.status import Status
from tallystick.witness.store import StateError, StateUnavailableError
from tallystick.witness.witness import Witness

_LOG_ID = re.compile(r"[0-9a-f]{64}")
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class _BodyError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def application(witness: Witness, status: Status, patience_s: float) -> Starlette:
    """Return the ASGI application; a request's body must come within `patience_s`."""
    metrics = _Metrics(status)

    async def add_checkpoint(request: Request) -> Response:
        started = time.perf_counter()
        try:
            body = await _read_body(request, patience_s)
        except _BodyError as error:
            metrics.answered(error.status, started)
            return PlainTextResponse(f"{error}\n", error.status, {"Connection": "close"})
        answer = await witness.add_checkpoint(body)
        metrics.answered(answer.status, started)
        if isinstance(answer, Refused) and answer.forked:
            metrics.forks.inc()
        # Not as `media_type`, which would add a charset to the specification's type.
        return Response(answer.text, answer.status, {"Content-Type": answer.media_type})

    async def latest(request: Request) -> Response:
        log = request.path_params["log"]
        try:
            note = await witness.latest(log) if _LOG_ID.fullmatch(log) else None
        except (StateUnavailableError, StateError):
            return PlainTextResponse("this witness cannot read its state; try again\n", 503)
        if note is None:
            return PlainTextResponse("this witness has cosigned nothing for a log of this id\n", 404)
        return Response(note, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})

    async def live(_: Request) -> Response:
        return JSONResponse({"live": status.live}, 200 if status.live else 503)

    async def ready(_: Request) -> Response:
        return JSONResponse({"ready": status.ready, "state": status.state}, 200 if status.ready else 503)

    async def everything(_: Request) -> Response:
        return JSONResponse(
            {
                "service": "witness",
                "witness": str(witness.verifier),
                "live": status.live,
                "ready": status.ready,
                "state": status.state,
                "logs_file": status.logs,
                "logs": sorted(witness.logs),
            }
        )

    async def prometheus(_: Request) -> Response:
        return Response(metrics.text(len(witness.logs)), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/health", everything),
            Route("/metrics", prometheus),
            Route("/{log}/checkpoint", latest),
        ]
    )
    app.router.redirect_slashes = False
    return app


async def _read_body(request: Request, patience_s: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(patience_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_REQUEST_SIZE:
                    raise _BodyError(413, f"a request has at most {MAX_REQUEST_SIZE:,} bytes")
    except TimeoutError as error:
        raise _BodyError(408, f"the request's body did not come within {patience_s:g} s") from error
    except ClientDisconnect as error:
        raise _BodyError(400, "the request's body ended early") from error
    return bytes(body)


class _Metrics:
    def __init__(self, status: Status) -> None:
        self._status = status
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tallystick_witness_requests", "Answered add-checkpoint requests", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "tallystick_witness_request_seconds", "Time from a request to its answer", buckets=_BUCKETS, registry=self._registry
        )
        self.forks = Counter(
            "tallystick_witness_forks", "Two signed trees of one size that were shown", registry=self._registry
        )
        self._logs = Gauge("tallystick_witness_logs", "Logs that are known", registry=self._registry)
        self._up = Gauge("tallystick_component_up", "1 if the component answers", ["component"], registry=self._registry)

    def answered(self, status: int, started: float) -> None:
        self._requests.labels(str(status)).inc()
        self._seconds.observe(time.perf_counter() - started)

    def text(self, logs: int) -> bytes:
        self._logs.set(logs)
        self._up.labels("state").set(self._status.ready)
        self._up.labels("logs_file").set(self._status.logs == "ok")
        return generate_latest(self._registry)
