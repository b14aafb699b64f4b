"""A service's life, as a process of its own: signals, failures, exit codes."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_PROGRAM = """\
import asyncio, sys, time
from tallystick.runtime.http import serve, serving
from tallystick.runtime.logging import configure
from tallystick.runtime.service import run
configure("test")
async def main():
    print("running", flush=True)
    {body}
sys.exit(run(main(), stop_timeout_s=0.5))
"""
_WAIT = """
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)
        print("cleaned up", flush=True)
"""


def _start(body: str) -> subprocess.Popen[str]:
    program = _PROGRAM.format(body=body)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


def _lines(stderr: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in stderr.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(number: signal.Signals) -> None:
    """What is open is closed, and the exit code is 0."""
    process = _start(_WAIT)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, "cleaned up\n")
    assert [(line["message"], line["signal"]) for line in _lines(stderr)] == [("stopping", number.name)]


def test_a_service_that_is_done_ends_with_0() -> None:
    """Returning is success."""
    process = _start("pass")
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")


def test_an_unhandled_error_is_one_line_and_exit_code_1() -> None:
    """The line says what and where; nothing else is on stderr."""
    process = _start("raise ValueError('the root differs')")
    _, stderr = process.communicate(timeout=60)
    (line,) = _lines(stderr)
    assert process.returncode == 1
    assert (line["level"], line["error"]) == ("critical", "ValueError: the root differs")


def test_an_error_in_a_task_group_is_told_by_its_cause() -> None:
    """Not as "unhandled errors in a TaskGroup"."""
    process = _start("async with asyncio.TaskGroup() as group: group.create_task(asyncio.to_thread(lambda: 1 / 0))")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert [line["error"] for line in _lines(stderr)] == ["ZeroDivisionError: division by zero"]


def test_a_stop_that_takes_too_long_is_cut_short() -> None:
    """After the timeout the process ends with 1, whatever it still does."""
    process = _start("\n    try: await asyncio.Event().wait()\n    finally: await asyncio.sleep(60)")
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert time.monotonic() - started < 45
    assert "took longer than 0.5 s" in stderr


def test_a_second_signal_ends_it_at_once() -> None:
    """Who is impatient need not reach for kill -9."""
    process = _start(
        "\n    try: await asyncio.Event().wait()\n    finally: print('stopping', flush=True); await asyncio.sleep(60)"
    )
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "second signal" in stderr


def test_wrong_settings_end_it_with_2_before_anything_runs(tmp_path: Path) -> None:
    """The setting's name on stderr, and nothing else."""
    program = "from tallystick.runtime.settings import *; load(KafkaSettings)"
    environment = {"TALLYSTICK_KAFKA_BOOTSTRAP": "nowhere", "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("TALLYSTICK_KAFKA_BOOTSTRAP: 'nowhere' is not host:port")


@pytest.mark.parametrize("body", ["{}", "\n    async with asyncio.TaskGroup() as group: group.create_task({})"])
def test_a_setting_that_only_use_shows_to_be_wrong_ends_it_with_2(body: str) -> None:
    """One line that begins with its name, wherever in the service it was found, and no trace."""
    call = "serve(None, '999.9.9.9', 0)"
    process = _start(body.format(f"await {call}" if body == "{}" else call))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    (line,) = stderr.splitlines()
    assert line.startswith("TALLYSTICK_HTTP_HOST: cannot listen on 999.9.9.9:0")


def test_the_http_servers_own_chatter_is_not_in_the_log() -> None:
    """From start to stop a service says what it does, in lines of its own."""
    process = _start("\n    async with serving(None, '127.0.0.1', 0):" + _WAIT.replace("\n", "\n    "))
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert [line["message"] for line in _lines(stderr)] == ["stopping"]
