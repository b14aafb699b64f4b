"""`tallystick demo`, as a newcomer runs it."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tallystick.embedded.service_process import console_script

from .processes import descendants, wait_gone

FIELDS = {
    *("transactions", "decisions", "rejected", "log_size", "root", "decisions_per_s", "provable_p50_ms", "provable_p99_ms"),
    *("average_precision", "bundle", "policy", "verified", "tampered_refused", "replay_identical"),
}
SERVERS_AND_SERVICES = 7


def test_the_demo_can_be_interrupted_and_run_again(tmp_path: Path) -> None:
    """Ctrl-C while servers and services run leaves no process; the next run in the same folder does the whole story.

    It exits with 0, leaves no process either, and `demo.json` holds every figure.
    """
    demo = _demo(tmp_path)
    started = _wait_for_services(demo)
    demo.send_signal(signal.SIGINT)
    out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, out
    assert wait_gone(started) == []

    demo = _demo(tmp_path)
    started = _wait_for_services(demo)
    out, errors = demo.communicate(timeout=150)
    assert demo.returncode == 0, out + errors
    assert wait_gone(started) == []
    said = json.loads((tmp_path / "demo.json").read_bytes())
    assert said.keys() >= FIELDS
    assert (said["transactions"], said["decisions"], said["log_size"], said["rejected"]) == (2_000, 2_000, 2_000, 0)
    assert said["verified"]
    assert said["tampered_refused"]
    assert said["replay_identical"]
    assert said["average_precision"] > 5 * said["fraud"] / said["transactions"], "no better than chance"
    assert Path(said["bundle"]).exists()
    assert Path(said["policy"]).is_dir()


def _demo(build: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [console_script("tallystick"), "demo", "--transactions", "2000", "--build", str(build)],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for_services(demo: "subprocess.Popen[str]") -> list[int]:
    """Wait until servers and services run; return their process ids, and those of whatever they started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and demo.poll() is None:
        found = descendants(demo.pid)
        names = [Path(f"/proc/{pid}/cmdline") for pid in found]
        if sum(b"tallystick-" in name.read_bytes() for name in names if name.exists()) >= 4:
            return found
        time.sleep(0.1)
    demo.kill()
    pytest.fail("the demo's services did not start")
