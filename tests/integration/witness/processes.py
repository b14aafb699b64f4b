"""A witness as its people run it: key, list of logs, state, a process."""

import asyncio
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tallystick.embedded.ports import free_port
from tallystick.embedded.service_process import ServiceProcess, console_script
from tallystick.witness.key import WitnessKey
from tallystick.witness.postgresql_store import PostgresqlStore
from tallystick.witness.sqlite_store import SqliteStore
from tallystick.witness.store import Store, sqlite_path

from ...unit.witness.logs import Log


@dataclass
class Installation:
    """A witness's files in a folder, and the processes that run on them."""

    directory: Path
    state: str
    password_file: Path | None = None
    name: str = "witness.example/w1"
    logs: Sequence[Log] = (Log(),)
    processes: list[ServiceProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the key and the list of logs; the state is for `init`."""
        self.verifier = WitnessKey.make(self.name, self.key_file).verifier
        self.write_logs(*self.logs)

    @property
    def key_file(self) -> Path:
        """The private key."""
        return self.directory / "key"

    @property
    def logs_file(self) -> Path:
        """The list of logs."""
        return self.directory / "logs"

    def write_logs(self, *logs: Log) -> None:
        """Write the list of logs anew."""
        lines = [f"log {log.key}" + (f"\norigin {log.origin}" if log.key_name else "") for log in logs]
        self.logs_file.write_text("".join(f"{line}\n" for line in lines))

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the settings."""
        settings = {"NAME": self.name, "KEY_FILE": str(self.key_file), "LOGS_FILE": str(self.logs_file), "STATE": self.state}
        if self.password_file and not self.state.startswith("sqlite:"):
            settings["STATE_PASSWORD_FILE"] = str(self.password_file)
        return {f"TALLYSTICK_{name}": value for name, value in (settings | changes).items()}

    def run(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        environment = {"PATH": os.environ["PATH"], **self.environment(**changes)}
        command = [console_script("tallystick-witness"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def init(self) -> None:
        """Make the state, as `--init` does, whose process would take longer to start than its work."""
        path, password = sqlite_path(self.state), self.password_file
        store: Store = SqliteStore(path) if path else PostgresqlStore(self.state, password.read_text if password else None)

        async def create() -> None:
            await store.create(self.verifier)
            await store.close()

        asyncio.run(create())

    def start(self, *, wait: bool = True, **changes: str) -> ServiceProcess:
        """Start one more process."""
        number = len(self.processes)
        environment = self.environment(HTTP_PORT=str(free_port()), **changes)
        process = ServiceProcess(f"witness {number}", ["tallystick-witness"], environment, self.directory / f"log-{number}")
        self.processes.append(process)
        process.start()
        if wait:
            process.wait_ready()
        return process

    def kill(self) -> None:
        """Kill every process that still runs."""
        for process in self.processes:
            process.kill()


def url(process: ServiceProcess) -> str:
    """Return where a witness listens."""
    return process.health_url.removesuffix("/health")


def ask(process: ServiceProcess, body: bytes) -> httpx.Response:
    """Send an add-checkpoint request."""
    return httpx.post(f"{url(process)}/add-checkpoint", content=body, timeout=30)
