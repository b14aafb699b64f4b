"""PostgreSQL through `runtime`, on a real server."""

import asyncio
import time

import asyncpg
import pytest

from tallystick.runtime import database
from tallystick.runtime.backoff import Backoff, is_transient, retry
from tallystick.runtime.health import Health

from ..proxy import CuttableProxy
from ..stack import ProvisionedStack


async def test_connects_with_the_password_from_its_file(stack: ProvisionedStack) -> None:
    """The role is the service's own, and its schema comes first."""
    connection = await database.connect(stack.database_settings("notary"))
    try:
        assert await connection.fetchval("SELECT current_user || ' ' || current_schema()") == "notary notary"
    finally:
        await connection.close()


async def test_a_cut_connection_is_waited_for_and_said_in_health(stack: ProvisionedStack) -> None:
    """A pool behind a cut proxy answers again once it is restored; health says so meanwhile."""
    health = Health("test", components=["database"])
    with CuttableProxy(stack.servers.database.port) as proxy:
        pool = await database.pool(stack.database_settings("notary", port=proxy.port))
        assert await pool.fetchval("SELECT 1") == 1
        proxy.cut()
        asking = asyncio.create_task(
            retry(lambda: pool.fetchval("SELECT 2"), health=health, component="database", backoff=Backoff(cap_s=0.1))
        )
        deadline = time.monotonic() + 60
        while not health.state("database").startswith("not answering since"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        proxy.restore()
        assert await asyncio.wait_for(asking, 60) == 2
        assert health.ready
        pool.terminate()


async def test_a_wrong_password_is_not_retried(stack: ProvisionedStack) -> None:
    """A refusal reaches the caller at once."""
    settings = stack.database_settings("notary").model_copy(
        update={"database_password_file": stack.provisioned.password_file("audit")}
    )
    with pytest.raises(asyncpg.InvalidPasswordError):
        await retry(lambda: database.connect(settings), health=Health("test"), component="database")


async def test_a_connection_between_its_last_message_and_its_end_is_waited_for(stack: ProvisionedStack) -> None:
    """A server that is shut down says so and then hangs up; a query begun between the two is one to repeat."""
    administrator = await asyncpg.connect(stack.servers.database.admin_url)
    with CuttableProxy(stack.servers.database.port, linger_s=1.0) as proxy:
        connection = await database.connect(stack.database_settings("notary", port=proxy.port))
        await administrator.fetchval("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        await asyncio.sleep(0.3)  # it has said so, and not hung up yet

        with pytest.raises(asyncpg.InternalClientError, match="another operation") as refused:
            await connection.fetchval("SELECT 1")

        assert is_transient(refused.value)
        connection.terminate()
    await administrator.close()
