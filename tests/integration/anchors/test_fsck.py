"""`tallystick fsck` over a log that a real authority has stamped: its anchors are verified, and held to the log's tiles."""

import asyncio
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from tallystick.cli.main import main
from tallystick.embedded.tsa import Tsa
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hashes
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.trust.anchors.receipts import StampReceipt, encode_receipt
from tallystick.trust.anchors.text import Head, encode_text

from ...unit.cli.logs import decision_log, decisions, publish
from ...unit.trust.helpers import DECISIONS, Log, World, log_policy, trust_toml

COUNT = 300


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    """Run an authority."""
    authority = Tsa(tmp_path_factory.mktemp("tsa"))
    authority.start()
    yield authority
    authority.stop()


@pytest.fixture
def folder(tmp_path: Path, tsa: Tsa) -> Path:
    """Return a folder with both logs, and a trust policy that pins the authority."""
    policy = tmp_path / "policy"
    policy.mkdir()
    pinned = f'[[timestamp_authorities]]\nname = "tsa1"\nroots = ["""\n{tsa.root_pem}"""]\n'
    (policy / "log.policy").write_bytes(log_policy())
    (policy / "trust.toml").write_bytes(trust_toml() + pinned.encode())
    publish(World().governance_log(), tmp_path / "logs/governance")
    publish(log(COUNT), tmp_path / "logs/decisions")
    return tmp_path


def log(count: int) -> Log:
    """Return the log of `count` decisions."""
    return decision_log(decisions(World(), count))


def anchor(folder: Path, tsa: Tsa, anchored: Log, by: str = "tsa1") -> None:
    """Have a log's head stamped, and keep the receipt beside the log in `folder`."""
    tree = Frontier()
    tree.append(leaf_hashes(anchored.entries))
    note = anchored.checkpoint()
    text = encode_text([Head(DECISIONS, tree.size, tree.root(), sha256(note).digest())])
    request = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build().as_bytes()
    response = httpx.post(tsa.url, content=request, headers={"content-type": "application/timestamp-query"}).content
    receipt = encode_receipt(StampReceipt(by, text, request, response))
    asyncio.run(AnchorFiles((folder / "logs/decisions").as_uri()).keep(tree.size, note, by, receipt))


def fsck(folder: Path) -> int:
    """Run the command."""
    return main(["fsck", str(folder / "logs"), "--policy", str(folder / "policy"), "--json"])


def test_sound_anchors_are_counted(folder: Path, tsa: Tsa, capsys: pytest.CaptureFixture[str]) -> None:
    """Heads of the log as it grew, the newest too; what nobody pinned has anchored is told and not looked at."""
    for count in (1, 256, COUNT):
        anchor(folder, tsa, log(count))
    anchor(folder, tsa, log(7), by="stranger")
    assert fsck(folder) == 0
    found = json.loads(capsys.readouterr().out)["logs"][1]
    assert found["anchors"] == {"tsa1": 3}
    assert found["notes"] == ["1 anchors are by nobody whom the trust policy names, and were not looked at"]


def test_an_anchored_log_cannot_be_rewritten(folder: Path, tsa: Tsa, capsys: pytest.CaptureFixture[str]) -> None:
    """A head that was stamped and is not this log's: all hashes and signatures are sound, and yet it was rewritten."""
    made = decisions(World(), COUNT)
    made[5].chain = bytes(32)
    anchor(folder, tsa, decision_log(made))
    assert fsck(folder) == 1
    assert f"tsa1 anchored another tree of {COUNT} entries than this: the log was rewritten" in capsys.readouterr().out


def test_an_anchored_log_cannot_be_rolled_back(folder: Path, tsa: Tsa, capsys: pytest.CaptureFixture[str]) -> None:
    """A head that was stamped is larger than the log."""
    anchor(folder, tsa, log(COUNT + 40))
    assert fsck(folder) == 1
    assert f"tsa1 anchored {COUNT + 40} entries, and the log has {COUNT}: it was rolled back" in capsys.readouterr().out


def test_a_broken_receipt_is_found(folder: Path, tsa: Tsa, capsys: pytest.CaptureFixture[str]) -> None:
    """A receipt that does not verify, or that is none, is named."""
    anchor(folder, tsa, log(256))
    (file,) = (folder / "logs/decisions/anchors").rglob("*.json")
    sound = file.read_bytes()
    file.write_bytes(sound.replace(b"response", b"answer"))
    assert fsck(folder) == 1
    assert "the anchor of 256 entries by tsa1 is refused" in capsys.readouterr().out
    anchor(folder, tsa, log(255))
    (other,) = (path for path in (folder / "logs/decisions/anchors").rglob("*.json") if path != file)
    file.write_bytes(other.read_bytes())
    assert fsck(folder) == 1
    assert "the anchor of 256 entries by tsa1 is refused" in capsys.readouterr().out
