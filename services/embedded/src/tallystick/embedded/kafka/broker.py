"""One broker: a Java process that may be killed, paused and started again on the same records."""

import signal
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from tallystick.embedded.kafka.properties import HOST
from tallystick.embedded.process import Child

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
# Metadata v1 (key 3) of no topic: correlation id 1, no client id. The answer begins with the brokers that are known.
_METADATA = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)


class Broker:
    """One of a cluster's brokers; made by `ApacheKafka`. Port and records outlive its end.

    Args:
        number: its node id.
        port: where it answers, in the clear.
        argv: the program, with all that it is told.
        log_file: where its output goes.
    """

    def __init__(self, number: int, port: int, argv: Sequence[str | Path], log_file: Path) -> None:
        self.number = number
        self.port = port
        self.child = Child(f"Apache Kafka, broker {number}", log_file)
        self._argv = argv

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs, paused or not."""
        return self.child.is_alive

    def spawn(self) -> None:
        """Start the process without waiting for it. Raises StartError."""
        self.child.spawn(self._argv)

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S, brokers: int = 1) -> None:
        """Wait until it answers and knows at least so many brokers. Raises StartError."""
        self.child.wait_until(lambda: self._known() >= brokers, f"answered, with {brokers} in the cluster,", timeout_s)

    def start(self) -> None:
        """Start it, and wait until it answers. Raises StartError."""
        self.spawn()
        self.wait_ready()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask it to hand over what it leads and to end; kill it after `timeout_s`, for without a majority it never does."""
        self.child.stop(timeout_s=timeout_s)

    def kill(self) -> None:
        """Kill it at once (SIGKILL)."""
        self.child.kill()

    def pause(self) -> None:
        """Let it stand still (SIGSTOP): connections stay open, and nothing is answered."""
        self.child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.child.send(signal.SIGCONT)

    def _known(self) -> int:
        """Return how many brokers it knows, 0 if it does not answer."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
                connection.sendall(_METADATA)
                with connection.makefile("rb") as answer:
                    _, _, brokers = struct.unpack(">iii", answer.read(12))
                    return int(brokers)
        except (OSError, struct.error):
            time.sleep(0.05)
            return 0
