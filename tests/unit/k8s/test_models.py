"""How a model's file gets to where scoring reads it: the script in the pod that may write there."""

import hashlib
import os
import subprocess
from pathlib import Path

from .services import ROOT

SCRIPT = ROOT / "k8s/base/models/receive.sh"
MODEL = b'{"learner": {}}' * 1_000


def receive(folder: Path, digest: str, sent: bytes, *kind: str) -> "subprocess.CompletedProcess[bytes]":
    """Send a file as `kubectl exec -i` does."""
    environment = {"PATH": os.environ["PATH"], "MODELS": str(folder)}
    return subprocess.run(["sh", SCRIPT, digest, *kind], input=sent, env=environment, capture_output=True, check=False)


def test_a_model_is_kept_under_its_digest(tmp_path: Path) -> None:
    """A file that came whole has its digest's name, is readable by the services, and may be sent again."""
    digest = hashlib.sha256(MODEL).hexdigest()
    for _ in range(2):
        assert receive(tmp_path, digest, MODEL).returncode == 0
    kept = tmp_path / f"{digest}.json"
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_bytes() == MODEL
    assert kept.stat().st_mode & 0o777 == 0o644


def test_a_list_is_kept_as_one(tmp_path: Path) -> None:
    """A policy's list lies beside the models, under the name by which scoring finds it."""
    digest = hashlib.sha256(b"list").hexdigest()
    assert receive(tmp_path, digest, b"list", "list").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{digest}.list"]


def test_a_file_that_broke_off_is_not_kept(tmp_path: Path) -> None:
    """What has another digest leaves nothing behind, and the digest that came is named."""
    done = receive(tmp_path, hashlib.sha256(MODEL).hexdigest(), MODEL[:-1])
    assert done.returncode == 1
    assert hashlib.sha256(MODEL[:-1]).hexdigest().encode() in done.stderr
    assert list(tmp_path.iterdir()) == []
