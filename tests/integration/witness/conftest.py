"""Where witnesses keep their state in tests: files, and schemas of one real PostgreSQL."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from tallystick.embedded.postgres import Postgres
from tallystick.witness.postgresql_store import PostgresqlStore
from tallystick.witness.sqlite_store import SqliteStore
from tallystick.witness.store import Store

from .processes import Installation

_numbers = itertools.count()


@pytest.fixture(scope="package")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Run a PostgreSQL that this folder's tests share."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.remove()


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """Return the URL of an empty schema, without the password, which is in `postgres.password_file`."""
    name = f"witness_{next(_numbers)}"

    async def create() -> None:
        connection = await asyncpg.connect(postgres.admin_url)
        await connection.execute(f"CREATE SCHEMA {name}")  # a database of its own would cost a second
        await connection.close()

    asyncio.run(create())
    return f"postgresql://postgres@{postgres.address}/postgres?search_path={name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a state may be made, as TALLYSTICK_STATE says it."""
    return f"sqlite://{tmp_path}/state" if request.param == "sqlite" else str(request.getfixturevalue("database_url"))


@pytest.fixture
async def open_store(state: str, postgres: Postgres) -> AsyncIterator[Callable[[], Store]]:
    """Return what opens the state, as another process would; all are closed at the end."""
    opened: list[Store] = []

    def open_() -> Store:
        path = Path(state.removeprefix("sqlite://"))
        store: Store = (
            SqliteStore(path) if state.startswith("sqlite:") else PostgresqlStore(state, postgres.password_file.read_text)
        )
        opened.append(store)
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
def installation(tmp_path: Path, state: str, postgres: Postgres) -> Iterator[Installation]:
    """Return a witness with a key and a state, not started; what it starts is killed at the end."""
    made = Installation(tmp_path, state, postgres.password_file)
    made.init()
    yield made
    made.kill()


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Installation]:
    """Return a witness with its state in a file."""
    made = Installation(tmp_path, f"sqlite://{tmp_path}/state")
    made.init()
    yield made
    made.kill()
