"""P2: every decision of a run is in an append-only log, provable offline, and a damaged log is refused by all who read it."""

import asyncio
import json
import os
import shutil
import subprocess
from base64 import b64decode
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.proof import fetch, flip_one_bit, offline
from tallystick.cli.demo.steps import wait_until
from tallystick.embedded import ServiceProcess, free_port
from tallystick.embedded.service_process import console_script
from tallystick.merkle.proofs import verify_consistency
from tallystick.merkle.tiles import TilePath

from .bank import now_ms, send, sound, stream, transactions
from .reading import published, read_run

SAMPLE = 12


def test_bundles_of_the_run_verify_offline_and_break_when_touched(platform: Platform, tmp_path: Path) -> None:
    """A sample of decisions: each bundle verifies by `tallystick verify` without a network, and not with one bit flipped."""
    asyncio.run(stream(platform.kafka, transactions(700, "proven")))
    run = read_run(platform)
    bundle, tampered = tmp_path / "bundle.json", tmp_path / "tampered.json"
    policy = ["--policy", str(platform.policy)]
    for number, row in enumerate(np.random.default_rng(3).choice(700, SAMPLE, replace=False)):
        fetch(platform, f"proven-{row}", bundle)
        decision = run.of("proven")[str(row)]
        if number == 0:  # processes take a while; the rest in this one
            verdict = offline(["verify", str(bundle), *policy])
            assert verdict.code == 0, verdict.said
            flip_one_bit(bundle, tampered)
            assert offline(["verify", str(tampered), *policy]).code == 1
        assert _verify(bundle, platform)["margin_bits"] == f"{decision.margin_bits:08x}"


def test_a_rejected_record_is_proven_too(platform: Platform, tmp_path: Path) -> None:
    """What was not scored is in the log all the same: its bundle, asked for by place, verifies."""
    at_ms = now_ms()
    bad = sound("rejected-and-proven", at_ms, amount_minor=-5)
    asyncio.run(send(platform.kafka, [bad]))
    run = read_run(platform)
    ((partition, sequence),) = [
        (place[0], item.sequence) for place, item in run.decisions.items() if run.input(place).value == bad.value
    ]
    bundle = tmp_path / "bundle.json"
    url = f"{platform.url('audit')}/v1/positions/{partition}/{sequence}/bundle"
    bundle.write_bytes(httpx.get(url, headers=platform.auditor).content)
    assert _verify(bundle, platform)["outcome"] == "REJECTED"


def test_the_log_only_grows(platform: Platform) -> None:
    """Between checkpoints kept during a run, the audit service proves consistency to roots that were seen then."""
    seen = [published(platform)] if (platform.log_dir / "decisions" / "checkpoint").exists() else []
    for number in range(4):
        asyncio.run(stream(platform.kafka, transactions(333, f"growing{number}")))
        read_run(platform)
        seen.append(published(platform))
    seen = [checkpoint for checkpoint in seen if checkpoint.size]
    for first, second in pairwise(seen):
        url = f"{platform.url('audit')}/v1/logs/decisions/consistency"
        answer = httpx.get(url, params={"first": first.size, "second": second.size}).json()
        proof = [b64decode(node) for node in answer["proof"]]
        verify_consistency(first.size, second.size, first.root, second.root, proof)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_tile_is_refused(platform: Platform, tmp_path: Path, damage: str) -> None:
    """On a copy of the log with one tile damaged, audit gives no bundle that verifies, and says that something is wrong."""
    asyncio.run(stream(platform.kafka, transactions(300, f"damaged-{damage}")))
    size = read_run(platform).checkpoint.size
    shutil.copytree(platform.log_dir, tmp_path / "tiles")
    newest = TilePath(0, (size - 1) // 256, (size - 1) % 256 + 1)
    tile = tmp_path / "tiles" / "decisions" / newest.path()
    data = bytearray(tile.read_bytes())
    data[len(data) // 2] ^= 1
    tile.write_bytes(data if damage == "flipped" else data[:-32])

    environment = platform.services["audit"].env | {
        "TALLYSTICK_LOG_URL": (tmp_path / "tiles").as_uri(),
        "TALLYSTICK_HTTP_PORT": str(free_port()),
    }
    audit = ServiceProcess("audit", ["tallystick-audit"], environment, tmp_path / "audit.log")
    audit.start()
    try:
        wait_until(lambda: audit.is_alive and httpx.get(f"{audit.health_url}/live").status_code == 200, "audit to answer")
        url = f"{audit.health_url.removesuffix('/health')}/v1/decisions/damaged-{damage}-299/bundle"
        answer = httpx.get(url, headers=platform.auditor)
        bundle = tmp_path / "bundle.json"
        bundle.write_bytes(answer.content)
        sound_one = answer.status_code == httpx.codes.OK and not _refused(bundle, platform)
        assert not sound_one
        assert answer.status_code in (httpx.codes.INTERNAL_SERVER_ERROR, httpx.codes.SERVICE_UNAVAILABLE), answer.text
    finally:
        audit.stop()


def _verify(bundle: Path, platform: Platform) -> dict[str, str]:
    done = _run_verify(bundle, platform)
    assert done.returncode == 0, done.stdout
    said: dict[str, str] = json.loads(done.stdout)
    return said


def _refused(bundle: Path, platform: Platform) -> bool:
    return _run_verify(bundle, platform).returncode == 1


def _run_verify(bundle: Path, platform: Platform) -> subprocess.CompletedProcess[str]:
    arguments = [console_script("tallystick"), "verify", str(bundle), "--policy", str(platform.policy), "--json"]
    return subprocess.run(arguments, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
