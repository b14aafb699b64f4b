"""One broker: a Java process that may be killed, paused and started again on the same records."""

import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from tallystick.embedded.process import Child
from tallystick.embedded.server import Server

# Metadata v1 (key 3) of no topic: correlation id 1, no client id. The answer begins with the brokers that are known.
_METADATA = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)


class Broker(Server):
    """One of a cluster's brokers; made by `ApacheKafka`. Port and records outlive its end.

    Args:
        number: its node id.
        port: where it answers, in the clear.
        argv: the program, with all that it is told.
        log_file: where its output goes.
    """

    START_TIMEOUT_S = 60.0
    STOP_TIMEOUT_S = 10.0  # to hand over what it leads; without a majority it never ends by itself

    def __init__(self, number: int, port: int, argv: Sequence[str | Path], log_file: Path) -> None:
        super().__init__(Child(f"Apache Kafka, broker {number}", log_file), port)
        self.number = number
        self._argv = argv

    def spawn(self) -> None:
        """Start the process without waiting for it. Raises StartError."""
        self.child.spawn(self._argv)

    def answers(self) -> bool:
        """Ask what brokers it knows."""
        return self._known() > 0

    def wait_ready(self, timeout_s: float | None = None, brokers: int = 1) -> None:
        """Wait until it answers and knows at least so many brokers. Raises StartError."""
        what = f"answered, with {brokers} in the cluster,"
        self.child.wait_until(lambda: self._known() >= brokers, what, timeout_s or self.START_TIMEOUT_S)

    def _known(self) -> int:
        """Return how many brokers it knows, 0 if it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(_METADATA)
                with connection.makefile("rb") as answer:
                    _, _, brokers = struct.unpack(">iii", answer.read(12))
                    return int(brokers)
        except (OSError, struct.error):
            time.sleep(0.05)
            return 0
