"""The outermost layer: security headers on every answer; no exception's words to the caller, nor to the log."""

import logging
import traceback

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.runtime.problems import INTERNAL, problem

_log = logging.getLogger(__name__)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""Set where a route has not said otherwise; whatever names a person's transaction must not stay in a cache."""


class Shield:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = ended = False

        async def send_shielded(message: Message) -> None:
            nonlocal started, ended
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            elif message["type"] == "http.response.body":
                ended = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_shielded)
        except Exception as error:  # noqa: BLE001  whatever it is: it is logged, and told as a problem
            # Not the path, which may hold a transaction's id, nor the error's words, which may repeat what was sent. Nothing is
            # raised again, for the server would log it with them; an answer without its end it cuts off by itself.
            _log.error(
                "a request failed",
                extra={"kind": type(error).__name__, "cut_off": started and not ended, "trace": _trace(error)},
            )
            if not started:
                await problem(INTERNAL, INTERNAL.example)(scope, receive, send_shielded)


def _trace(error: BaseException) -> str:
    """Return where an error came from, and those that it came of, without their words."""
    told = "".join([*traceback.format_tb(error.__traceback__), type(error).__qualname__])
    before = error.__cause__ or error.__context__
    return told if before is None else f"{_trace(before)}\n{told}"
