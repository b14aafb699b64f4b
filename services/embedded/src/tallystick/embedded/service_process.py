"""One of Tallystick's services as a process of its own, through its console script."""

import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tallystick.embedded.process import Child, StartError

READY_TIMEOUT_S = 60.0


class ServiceProcess:
    """A service: start, wait until ready, stop, kill, start again. Output goes to `log_file`.

    `argv[0]` is a console script: the one beside this interpreter, or else on PATH, or a path. `env` is added to this process's
    environment, of which `TALLYSTICK_*` names are left out.
    """

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], log_file: Path) -> None:
        self.name = name
        self.argv = [console_script(argv[0]), *argv[1:]]
        self.env = dict(env)
        self.child = Child(name, log_file)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    @property
    def is_alive(self) -> bool:
        """True while the service runs."""
        return self.child.is_alive

    @property
    def exit_code(self) -> int | None:
        """The exit code, None while it runs."""
        return self.child.exit_code

    @property
    def health_url(self) -> str:
        """Where its health is, by the settings it is given. Raises StartError if these hold no port."""
        port = self.env.get("TALLYSTICK_HTTP_PORT")
        if not port:
            raise StartError(f"{self.name}: give TALLYSTICK_HTTP_PORT, else nobody knows where its health is")
        return f"http://{self.env.get('TALLYSTICK_HTTP_HOST', '127.0.0.1')}:{port}/health"

    def start(self) -> None:
        """Start the process without waiting for it. Raises StartError."""
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("TALLYSTICK_")}
        self.child.spawn(self.argv, env=inherited | self.env)

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S, url: str | None = None) -> None:
        """Wait until `<health>/ready` (or `url`) answers 200. Raises StartError with the log's last lines."""
        address = url or f"{self.health_url}/ready"
        self.child.wait_until(lambda: _answers_ok(address), "been ready", timeout_s)

    def stop(self, timeout_s: float = 25.0) -> int | None:
        """Stop it (SIGTERM; SIGKILL after `timeout_s`) and return its exit code."""
        return self.child.stop(timeout_s=timeout_s)

    def kill(self) -> None:
        """Kill it at once (SIGKILL)."""
        self.child.kill()

    def pause(self) -> None:
        """Let it stand still (SIGSTOP)."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.child.send(number)


def console_script(name: str) -> str:
    """Return the path of a console script: beside this interpreter, or else on PATH. Raises StartError."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if "/" not in name and beside.exists() else shutil.which(name)
    if found is None:
        raise StartError(f"there is no command {name!r} beside {sys.executable} nor on PATH: is its package installed?")
    return found


def _answers_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  the scheme is ours
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
