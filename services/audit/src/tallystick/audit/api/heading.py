"""HEAD wherever GET is answered (RFC 9110 §9.3.2): the same status and headers, without the content.

What a GET leaves behind, a HEAD does, too: asking so for evidence is recorded as being shown it.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Headed:
    """Wraps an application, outside of what changes an answer's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_headers(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_headers)
