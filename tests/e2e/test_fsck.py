"""`tallystick fsck` and `monitor-log` over a running chain, from its directory and through the audit service."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

from tallystick.cli.demo.platform import Platform
from tallystick.embedded.service_process import console_script

from .bank import stream, transactions
from .reading import read_run


def run(*arguments: str) -> tuple[int, dict[str, object]]:
    """Run a command of `tallystick` with --json; return its exit code and what it said last."""
    done = subprocess.run([console_script("tallystick"), *arguments, "--json"], capture_output=True, text=True, timeout=60)
    said: dict[str, object] = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
    return done.returncode, said


def test_the_whole_log_of_a_run_is_sound(platform: Platform, tmp_path: Path) -> None:
    """Every entry in both logs is checked, over HTTP as from the files; one bit in a copy of them is found."""
    asyncio.run(stream(platform.kafka, transactions(900, "checked")))
    read_run(platform)
    policy = ["--policy", str(platform.policy)]
    code, said = run("fsck", str(platform.log_dir), *policy)
    assert code == 0, said
    token = ["--token-file", str(platform.auditor_token_file)]
    code, served = run("fsck", platform.url("audit"), *policy, *token)
    assert code == 0, served
    assert served["unchecked"] == said["unchecked"]  # the service lists the anchors, too
    logs = said["logs"]
    assert isinstance(logs, list)
    assert sum(logs[1]["counts"].values()) == logs[1]["size"] >= 900

    copy = tmp_path / "copy"
    shutil.copytree(platform.log_dir, copy, ignore=shutil.ignore_patterns(".tmp-*", ".lock"))
    bundle = copy / "decisions/tile/entries/001"
    data = bytearray(bundle.read_bytes())
    data[700] ^= 1
    bundle.write_bytes(data)
    code, said = run("fsck", str(copy), *policy)
    assert code == 1
    assert "do not hash to hash" in str(said["reason"])


def test_a_running_log_is_followed(platform: Platform, tmp_path: Path) -> None:
    """A monitor that keeps the head sees the log grow; when the log is put back, it alarms with evidence."""
    log, state = tmp_path / "log", tmp_path / "head"
    watch = ("monitor-log", str(log), "--policy", str(platform.policy), "--state", str(state), "--once")
    for name in ("earlier", "later"):
        asyncio.run(stream(platform.kafka, transactions(300, name)))
        read_run(platform)
        shutil.copytree(platform.log_dir / "decisions", tmp_path / name)
    shutil.copytree(tmp_path / "earlier", log)
    assert run(*watch)[0] == 0
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "later", log)
    assert run(*watch)[0] == 0
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "earlier", log)
    code, said = run(*watch)
    assert code == 1
    assert "is rolled back" in str(said["alarm"])
