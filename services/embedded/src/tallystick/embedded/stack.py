"""All three servers in one directory, started side by side."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tallystick.embedded.kafka import ApacheKafka
from tallystick.embedded.openbao import OpenBao
from tallystick.embedded.postgres import Postgres
from tallystick.embedded.tansu import Tansu


class EmbeddedStack:
    """Kafka, Vault and PostgreSQL with their files in `directory`, on free ports; a context manager.

        with EmbeddedStack(Path("build/stack")) as stack:
            stack.kafka.address, stack.vault.address, stack.vault.root_token, stack.database.admin_url

    Each server may be stopped and started by itself; port and data stay (Tansu's records do not). Blocking: from a coroutine,
    use `asyncio.to_thread(stack.start)`.

    Args:
        directory: made if it does not exist.
        kafka: the brokers; None for Tansu, which keeps its records in memory.
    """

    def __init__(self, directory: Path, kafka: Tansu | ApacheKafka | None = None) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.kafka = kafka or Tansu(self.directory)
        self.vault = OpenBao(self.directory)
        self.database = Postgres(self.directory)

    def start(self) -> Self:
        """Start all servers; if one does not, stop the others. Raises StartError."""
        servers = (self.kafka, self.vault, self.database)
        try:
            for server in servers:
                server.spawn()
            for server in servers:
                server.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all servers; what a server keeps outside the directory is deleted."""
        with ExitStack() as everything:  # each, whatever becomes of the others
            for stop in (self.database.remove, self.kafka.stop, self.vault.stop, self.database.stop):
                everything.callback(stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
