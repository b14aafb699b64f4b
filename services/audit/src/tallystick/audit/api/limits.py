"""How much may be asked: bodies are bounded, and so is how often one address, and one caller, asks.

Addresses are counted before anything is looked at; callers when their token was (`access`). An address is the connection's, or
what a proxy says that the settings name (uvicorn's `forwarded_allow_ips`).
"""

import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.audit.api.problems import TOO_LARGE, audit_error
from tallystick.audit.buckets import Buckets, Rate
from tallystick.audit.errors import TooLargeError, TooManyError

MAX_BODY_BYTES = 2**20
_FREE = ("/health", "/metrics")


class Limits:
    """The buckets of one process; `clock` is monotonic, in seconds."""

    def __init__(self, address: Rate, caller: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._addresses, self._callers, self._clock = Buckets(address), Buckets(caller), clock

    def address(self, address: str) -> None:
        """Count a request of an address. Raises TooManyError."""
        self._take(self._addresses, address, 1.0, "This address asks")

    def caller(self, subject: str, cost: float = 1.0) -> None:
        """Count a request of a caller, as much as so many. Raises TooManyError."""
        self._take(self._callers, subject, cost, "You ask")

    def _take(self, buckets: Buckets, name: str, cost: float, who: str) -> None:
        wait_s = buckets.take(name, cost, self._clock())
        if wait_s:
            raise TooManyError(f"{who} more often than is allowed; again in {max(wait_s, 0.1):.1f} s.", wait_s)


class Bounded:
    """Wraps an application: refuses what comes too often, and bodies that are too large, however they are sent."""

    def __init__(self, app: ASGIApp, limits: Limits, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app, self._limits, self._max = app, limits, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(_FREE):
            await self._app(scope, receive, send)
            return
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max:
                raise HTTPException(TOO_LARGE.status)  # the one kind that the framework lets pass while it reads a body
            return message

        try:
            self._limits.address((scope.get("client") or ("",))[0])
            if _announced(scope) > self._max:
                raise TooLargeError(TOO_LARGE.example)
        except (TooManyError, TooLargeError) as error:
            await (await audit_error(Request(scope), error))(scope, receive, send)
            return
        await self._app(scope, receive_bounded, send)


def _announced(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0
