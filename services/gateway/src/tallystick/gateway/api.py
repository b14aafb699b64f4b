"""HTTP: `POST /v1/transactions`, and which problem details (RFC 9457) each failure makes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tallystick.contracts import Answer
from tallystick.gateway.answers import encode, with_proof
from tallystick.gateway.asking import Question, RefusedError, read
from tallystick.gateway.callers import Callers
from tallystick.gateway.deciding import BusyError, Decider, KeyReusedError, NoAnswerError, OutstandingError
from tallystick.gateway.settings import GatewaySettings
from tallystick.gateway.telemetry import Telemetry
from tallystick.gateway.tls import CHANNEL
from tallystick.runtime.health import Health
from tallystick.runtime.problems import Kind, http_error, problem

_UNKNOWN_CALLER = Kind(
    "token-missing",
    401,
    "A token is needed",
    "This needs a caller's bearer token in Authorization.",
    {"WWW-Authenticate": "Bearer"},
)
_TOO_LARGE = Kind("content-too-large", 413, "The body is too large", "The body has more than 1000000 bytes.")
_TOO_SLOW = Kind("request-timeout", 408, "The body did not arrive", "It did not arrive within 5 s.", {"Connection": "close"})
_BUSY = Kind("too-many-requests", 429, "Come back later", "Scoring is behind; try again shortly.", {"Retry-After": "1"})
_OUTSTANDING = Kind(
    "request-outstanding",
    409,
    "A request with this key is being answered",
    "Another replica is at work on a request with this key; ask again with the same key.",
    {"Retry-After": "1"},
)
_REUSED = Kind(
    "key-reused", 422, "The key belongs to another request", "This key was used for another transaction; take a new key."
)
_NO_ANSWER = Kind("no-answer", 503, "No answer", "No decision came in time; ask again with the same key.", {"Retry-After": "1"})
_KINDS: dict[type[Exception], Kind] = {
    BusyError: _BUSY,
    OutstandingError: _OUTSTANDING,
    KeyReusedError: _REUSED,
    NoAnswerError: _NO_ANSWER,
}


@dataclass(frozen=True, slots=True)
class Api:
    """The application's one operation."""

    settings: GatewaySettings
    callers: Callers | None
    decider: Decider
    telemetry: Telemetry

    def app(self, health: Health) -> Starlette:
        """Return the application; wrap it in `Shield` to serve it."""
        app = health.app([Route("/v1/transactions", self.post, methods=["POST"])])
        app.add_exception_handler(HTTPException, http_error)
        return app

    async def post(self, request: Request) -> Response:
        """Answer one request."""
        with self.telemetry.request() as seen:
            response = await self._respond(request)
            seen(response.status_code)
        return response

    async def _respond(self, request: Request) -> Response:
        authorization, certificate = request.headers.get("authorization"), request.scope.get("state", {}).get(CHANNEL)
        channel = (self.callers or Callers({})).channel(authorization, certificate)
        if channel is None:
            return problem(_UNKNOWN_CALLER, _UNKNOWN_CALLER.example)
        try:
            question = read(request.headers, await self._body(request), channel, self.settings)
            return self._told(question, await self._answers(question))
        except RefusedError as refused:
            return problem(refused.kind, refused.detail, refused.errors or None)
        except (BusyError, OutstandingError, KeyReusedError, NoAnswerError) as error:
            kind = _KINDS[type(error)]
            return problem(kind, str(error) or kind.example)

    async def _body(self, request: Request) -> bytes:
        most = self.settings.max_body_bytes
        too_large = RefusedError(_TOO_LARGE, f"The body has more than {most} bytes.")
        announced = request.headers.get("content-length", "0")
        if not announced.isdigit() or int(announced) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.settings.body_timeout_s):
                async for piece in request.stream():
                    body += piece
                    if len(body) > most:
                        raise too_large
        except (TimeoutError, ClientDisconnect):
            raise RefusedError(_TOO_SLOW, f"The body did not arrive within {self.settings.body_timeout_s:g} s.") from None
        return bytes(body)

    async def _answers(self, question: Question) -> Sequence[Answer]:
        if len(question.asked) == 1:
            return [await self.decider.answer(question.asked[0])]
        # All are asked; if one has no answer the message has none, and is asked for again under the same key.
        found = await asyncio.gather(*map(self.decider.answer, question.asked), return_exceptions=True)
        answers = []
        for one in found:
            if isinstance(one, BaseException):
                raise one
            answers.append(one)
        return answers

    def _told(self, question: Question, answers: Sequence[Answer]) -> Response:
        told = []
        for answer, end_to_end_id in zip(answers, question.end_to_end_ids, strict=True):
            mine = Answer()
            mine.CopyFrom(answer)  # the same request at the same time has the same one
            mine.end_to_end_id = end_to_end_id
            told.append(with_proof(mine, self.settings.audit_url))
            self.telemetry.answered(mine)
        return Response(encode(told, question.media_type, several=question.several), media_type=question.media_type)
