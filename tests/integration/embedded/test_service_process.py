"""A service as a process: found beside the interpreter, given its settings, waited for, stopped."""

import json
import signal
from pathlib import Path

import pytest

from tallystick.embedded import ServiceProcess, StartError, free_port

_SERVICE = """\
import asyncio, json, os, sys
from tallystick.runtime.health import Health
from tallystick.runtime.http import serve
from tallystick.runtime.service import run
print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("TALLYSTICK_")}), flush=True)
async def main():
    await serve(Health("test").app(), "127.0.0.1", int(os.environ["TALLYSTICK_HTTP_PORT"]))
sys.exit(run(main()))
"""


@pytest.fixture
def service(tmp_path: Path) -> ServiceProcess:
    """Make a small service on a free port."""
    return ServiceProcess("test", ["python", "-c", _SERVICE], {"TALLYSTICK_HTTP_PORT": str(free_port())}, tmp_path / "log")


def test_starts_stops_and_starts_again(service: ServiceProcess) -> None:
    """Ready, then a clean stop with exit code 0, then the same again; output is appended."""
    for _ in range(2):
        service.start()
        service.wait_ready()
        assert service.is_alive
        assert service.stop() == 0
    assert len(service.child.log_file.read_text().splitlines()) == 2


def test_sees_no_settings_but_those_it_is_given(service: ServiceProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """TALLYSTICK_* names of the caller's environment do not leak in."""
    monkeypatch.setenv("TALLYSTICK_LEAKED", "1")
    service.start()
    service.wait_ready()
    service.stop()
    assert json.loads(service.child.log_file.read_text()) == service.env


def test_a_frozen_service_can_be_stopped(service: ServiceProcess) -> None:
    """SIGSTOP does not keep it from ending."""
    service.start()
    service.wait_ready()
    service.send(signal.SIGSTOP)
    assert service.stop() == 0


def test_kill_is_at_once(service: ServiceProcess) -> None:
    """SIGKILL, and the exit code says so."""
    service.start()
    service.wait_ready()
    service.kill()
    assert service.exit_code == -signal.SIGKILL


def test_a_service_that_ends_early_is_not_waited_for(tmp_path: Path) -> None:
    """The error has the exit code and the log's last lines."""
    service = ServiceProcess(
        "test", ["python", "-c", "import sys; sys.exit('wrong settings')"], {"TALLYSTICK_HTTP_PORT": "1"}, tmp_path / "log"
    )
    service.start()
    with pytest.raises(StartError, match=r"(?s)test ended with code 1 before it had been ready.*wrong settings"):
        service.wait_ready()


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says where it was looked for."""
    with pytest.raises(StartError, match="no command 'tallystick-nothing'"):
        ServiceProcess("test", ["tallystick-nothing"], {}, tmp_path / "log")
