"""Connections to PostgreSQL with the password from its file, read anew for each connection."""

import asyncio
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from tallystick.runtime.health import Health
from tallystick.runtime.settings import DatabaseSettings, read_secret

CONNECT_TIMEOUT_S = 5.0
# Well below health's `max_silence_s`: a database that hangs must not make a service look dead.
COMMAND_TIMEOUT_S = 15.0
PROBE_TIMEOUT_S = 3.0


def connect_options(settings: DatabaseSettings) -> dict[str, Any]:
    """Return the options of `asyncpg.connect` and `asyncpg.create_pool`."""
    options: dict[str, Any] = {
        "dsn": settings.database_url,
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": COMMAND_TIMEOUT_S,
    }
    path = settings.database_password_file
    if path is not None:
        options["password"] = lambda: read_secret(path)
    return options


def url_with_password(settings: DatabaseSettings) -> str:
    """Return the URL with the password in it: to hand on, never to show. Raises SecretFileError."""
    if settings.database_password_file is None:
        return settings.database_url
    parts = urlsplit(settings.database_url)
    user, _, host = parts.netloc.rpartition("@")
    password = quote(read_secret(settings.database_password_file), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))


async def connect(settings: DatabaseSettings) -> asyncpg.Connection:
    """Open one connection. Raises OSError or asyncpg's errors (retry them with `tallystick.runtime.backoff`)."""
    return await asyncpg.connect(**connect_options(settings))


async def pool(settings: DatabaseSettings, *, min_size: int = 1, max_size: int = 4) -> asyncpg.Pool:
    """Open a pool of connections, which replaces those that break."""
    return await asyncpg.create_pool(**connect_options(settings), min_size=min_size, max_size=max_size)


class Probe:
    """Asks PostgreSQL whether it answers, on a connection of its own that is dropped as soon as it does not.

    A pool's connection is not dropped: it is waited for, up to the command timeout and more, until the server that hangs has
    cancelled the query.
    """

    def __init__(self, settings: DatabaseSettings, timeout_s: float = PROBE_TIMEOUT_S) -> None:
        self._settings, self._timeout_s = settings, timeout_s
        self._connection: asyncpg.Connection | None = None

    async def __call__(self) -> None:
        """Ask. Raises TimeoutError, OSError or asyncpg's errors; not to be called again before it is done."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await connect(self._settings)
                await self._connection.fetchval("SELECT 1")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection, without waiting for the server."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


async def watch(settings: DatabaseSettings, health: Health, *, component: str = "database", every_s: float = 2.0) -> None:
    """Ask PostgreSQL every few seconds and say in health whether it answers; until cancelled.

    A commit on a server that hangs says so only after the command timeout.
    """
    probe = Probe(settings)
    try:
        while True:
            try:
                await probe()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                health.failing(component, str(error) or f"no answer within {PROBE_TIMEOUT_S:g} s")
            else:
                health.ok(component)
            await asyncio.sleep(every_s)
    finally:
        probe.close()
