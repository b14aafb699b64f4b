"""A child process that never stays behind: in a group of its own, output in a file, killed when this process dies.

The death signal (Linux, `prctl(2)` PR_SET_PDEATHSIG) is tied to the *thread* that made the child. So one thread, which lives as
long as this process, makes all children.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.01
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_spawner = ThreadPoolExecutor(1, thread_name_prefix="spawner")


class StartError(RuntimeError):
    """A process did not start, or was not ready in time; the message ends with its log's last lines."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom a child runs as."""

    uid: int
    gid: int


class Child:
    """One child process at a time: spawn, look at, signal and stop it; may be spawned again after it ended."""

    def __init__(self, name: str, log_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self, argv: Sequence[str | Path], env: Mapping[str, str] | None = None, user: User | None = None) -> None:
        """Start the program; output is appended to the log file. Raises StartError."""
        if self.is_alive:
            raise StartError(f"{self.name} runs already (pid {self.pid})")
        self._process = _spawner.submit(self._popen, argv, env, user).result()

    def _popen(self, argv: Sequence[str | Path], env: Mapping[str, str] | None, user: User | None) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def die_with_parent() -> None:
            if _LIBC is not None:
                _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:  # it died before the call above
                    os._exit(1)

        with self.log_file.open("ab") as log:
            try:
                return subprocess.Popen(  # noqa: S603  the programs are ours
                    [str(part) for part in argv],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    user=user.uid if user else None,
                    group=user.gid if user else None,
                    extra_groups=[] if user else None,
                    preexec_fn=die_with_parent,
                )
            except OSError as error:
                raise StartError(f"{self.name}: cannot run {argv[0]}: {error.strerror}") from error

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id. Raises StartError if it was never spawned."""
        if self._process is None:
            raise StartError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal that ended it), None while it runs or if it was never spawned."""
        return self._process.poll() if self._process is not None else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and its group, if it runs."""
        if self._process is not None and self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 10.0) -> int | None:
        """Ask the process to end, kill it after `timeout_s`, and return its exit code. Does nothing if it does not run."""
        if self._process is None or not self.is_alive:
            return self.exit_code
        os.kill(self._process.pid, number)
        self.send(signal.SIGCONT)  # one that is stopped would never hear it
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()
        except BaseException:
            self.kill()  # interrupted: nobody waits any longer, and nothing stays behind
            raise

    def kill(self) -> int | None:
        """Kill the process and its group at once (SIGKILL) and return its exit code."""
        self.send(signal.SIGKILL)
        return self._process.wait() if self._process is not None else None

    def wait_until(self, ready: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until `ready()`; raises StartError if the process ends before, or it takes longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        # Looking whether it runs comes second: on its port, somebody else's server may have answered.
        while not (ready() and self.is_alive):
            if not self.is_alive:
                raise StartError(f"{self.name} ended with code {self.exit_code} before it had {what}.\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} has not {what} within {timeout_s:g} s.\n{self.log_tail()}")
            time.sleep(_POLL_S)

    def log_tail(self, lines: int = 20) -> str:
        """Return the log's last lines, under a line that says where it is."""
        try:
            text = self.log_file.read_bytes()[-20_000:].decode(errors="replace")
        except OSError as error:
            text = f"(no log: {error.strerror})"
        return "\n".join([f"Last lines of {self.log_file}:", *text.splitlines()[-lines:]])
