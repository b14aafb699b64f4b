"""One process: the HTTP server, what goes on beside it, and the signals that end it."""

import asyncio
import errno
import logging
import signal
import socket

import uvicorn

from tallystick.witness.connection import PatientConnection
from tallystick.witness.http import application
from tallystick.witness.settings import WitnessSettings
from tallystick.witness.status import Status
from tallystick.witness.watch import watch_logs, watch_state
from tallystick.witness.witness import Witness

STOP_WITHIN_S = 3
_log = logging.getLogger(__name__)


class ListenError(OSError):
    """The address cannot be listened on; `field` is the setting to blame."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket; port 0 takes a free one. Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, for asyncio switches Nagle off only there: a client that delays its ACK would wait 40 ms for every answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        number, reason = (error.errno, error.strerror) if isinstance(error, OSError) else (None, "not a host's name")
        field = "http_port" if number in (errno.EADDRINUSE, errno.EACCES) else "http_host"
        raise ListenError(field, f"cannot listen on {host}:{port}: {reason}") from error
    return listener


async def serve(witness: Witness, settings: WitnessSettings, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the file of logs read again.

    Raises:
        StateError: the state is not there, is another key's or has forgotten something.
    """
    status, hangup = Status(), asyncio.Event()
    config = uvicorn.Config(
        application(witness, status, settings.client_timeout_s),
        http=PatientConnection.of(settings.client_timeout_s),
        timeout_keep_alive=int(2 * settings.client_timeout_s) + 1,  # the connection itself gives up sooner
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn obeys these by itself, but then raises them once more, and by default that is death.
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    _log.info("witness", extra={"vkey": str(witness.verifier), "port": listener.getsockname()[1], "logs": len(witness.logs)})
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    beside = [
        asyncio.create_task(watch_state(witness, status)),
        asyncio.create_task(watch_logs(settings.logs_file, witness, status, hangup)),
    ]
    try:
        done, _ = await asyncio.wait((serving, *beside), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in beside:
            task.cancel()
        stop()
        await serving
