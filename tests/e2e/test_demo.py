"""`tallystick demo`, as a newcomer runs it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallystick.embedded.service_process import console_script

from .processes import command_line, descendants, wait_gone

FIELDS = {
    *("transactions", "decisions", "rejected", "log_size", "root", "decisions_per_s"),
    *("roots", "provable_p50_ms", "provable_p99_ms"),
    *("average_precision", "bundle", "policy", "verified", "tampered_refused", "replay_identical", "complete"),
    *("anchored", "cosigned"),
}
PROCESSES = 9
"""Services, witnesses and the sealer."""


@pytest.mark.timeout(400)
def test_the_demo_can_be_interrupted_and_run_again(tmp_path: Path) -> None:
    """Ctrl-C while servers and services run leaves no process; the next run in the same folder does the whole story.

    It exits with 0, leaves no process either, and `demo.json` holds every figure.
    """
    with _demo(tmp_path) as demo:
        started = _wait_for_services(demo)
        demo.send_signal(signal.SIGINT)
        out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, out
    assert wait_gone(started) == []

    with _demo(tmp_path) as demo:
        started = _wait_for_services(demo)
        out, errors = demo.communicate(timeout=240)
    assert demo.returncode == 0, out + errors
    assert wait_gone(started) == []
    said = json.loads((tmp_path / "demo.json").read_bytes())
    assert said.keys() >= FIELDS
    assert (said["transactions"], said["decisions"], said["log_size"], said["rejected"]) == (2_000, 2_000, 2_000, 0)
    assert said["verified"]
    assert said["tampered_refused"]
    assert said["replay_identical"]
    assert said["complete"], "every decision is on what the sealer read"
    assert len(said["cosigned"]) >= 2, "two of the three witnesses must"
    assert said["anchored"] == (["chain1", "tsa1"] if shutil.which("openssl") else ["chain1"])
    assert said["average_precision"] > 5 * said["fraud"] / said["transactions"], "no better than chance"
    assert Path(said["bundle"]).exists()
    assert Path(said["policy"]).is_dir()


@contextmanager
def _demo(build: Path) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        [console_script("tallystick"), "demo", "--transactions", "2000", "--build", str(build)],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        try:
            yield demo
        finally:
            demo.terminate()  # does nothing to one that has ended


def _wait_for_services(demo: "subprocess.Popen[str]") -> list[int]:
    """Wait until servers and services run; return their process ids, and those of whatever they started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and demo.poll() is None:
        found = descendants(demo.pid)
        if sum(b"tallystick-" in command_line(pid) for pid in found) >= PROCESSES:
            return found
        time.sleep(0.1)
    pytest.fail("the demo's services did not start")
