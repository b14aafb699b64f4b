"""Serving an ASGI application inside a service: uvicorn without its signal handlers, on a socket that is bound first."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import uvicorn

from tallystick.runtime.settings import SettingError

STOP_WITHIN_S = 3
_PORT_ERRORS = (errno.EADDRINUSE, errno.EACCES)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are the service's business (tallystick.runtime.service), which stops this server in its turn.
        yield


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket; port 0 takes a free one. Raises SettingError: `http_host` or `http_port` cannot be used here."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, for asyncio switches Nagle off only there: a client that delays its ACK would wait 40 ms for every answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        field = "http_port" if isinstance(error, OSError) and error.errno in _PORT_ERRORS else "http_host"
        reason = error.strerror if isinstance(error, OSError) else "not a host's name"
        raise SettingError(field, f"cannot listen on {host}:{port}: {reason}") from error
    return listener


@contextlib.asynccontextmanager
async def serving(app: Any, host: str, port: int, options: Mapping[str, Any] | None = None) -> AsyncIterator[int]:
    """Serve an ASGI application while the block runs; gives the port. Raises SettingError as `listen`.

    `options` are further ones of `uvicorn.Config`, such as those for TLS.
    """
    with listen(host, port) as listener:
        config = uvicorn.Config(
            app,
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
            **(options or {}),
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        try:
            while not server.started and not task.done():  # noqa: ASYNC110  uvicorn offers a flag and no event
                await asyncio.sleep(0.005)
            if task.done():
                await task
                raise OSError(f"the HTTP server on {host}:{port} did not start")
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await task


async def serve(app: Any, host: str, port: int) -> None:
    """Serve an ASGI application until cancelled."""
    async with serving(app, host, port):
        await asyncio.Event().wait()
