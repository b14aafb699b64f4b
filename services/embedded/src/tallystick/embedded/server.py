"""What every embedded server can do: start, be waited for, stop, be killed and stand still."""

import signal
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from tallystick.embedded.process import Child


class Server(ABC):
    """One server in one child process; a context manager. Its port and files outlive its end.

    Args:
        child: not started.
        port: where it answers, on loopback.
    """

    START_TIMEOUT_S: ClassVar[float] = 20.0
    STOP_TIMEOUT_S: ClassVar[float] = 5.0
    STOP_SIGNAL: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port

    @abstractmethod
    def spawn(self) -> None:
        """Start the process without waiting for it. Raises StartError."""

    @abstractmethod
    def answers(self) -> bool:
        """Ask whether it does its work already; quick, and raises nothing."""

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs, standing still or not."""
        return self.child.is_alive

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until it answers. Raises StartError."""
        self.child.wait_until(self.answers, "answered", timeout_s or self.START_TIMEOUT_S)

    def start(self) -> None:
        """Start it and wait until it answers. Raises StartError."""
        self.spawn()
        self.wait_ready()

    def stop(self, timeout_s: float | None = None) -> None:
        """Stop it; kill it if it takes too long."""
        self.child.stop(self.STOP_SIGNAL, timeout_s or self.STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Kill it at once (SIGKILL)."""
        self.child.kill()

    def pause(self) -> None:
        """Let it stand still (SIGSTOP): connections stay open, and nothing is answered."""
        self.child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.child.send(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
