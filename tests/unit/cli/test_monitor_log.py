"""`tallystick monitor-log`: growth is followed; forks and rollbacks raise an alarm that others can check."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tallystick.cli.main import main

from ..trust.helpers import DECISIONS, Log
from .logs import publish

SIZES = [1, 2, 3, 7, 255, 256, 257, 300, 512]


def entries(count: int, forked_at: int | None = None) -> list[bytes]:
    """Return a log's entries, those from `forked_at` on of another history."""
    return [b"%d%s" % (index, b"" if forked_at is None or index < forked_at else b"'") for index in range(count)]


def show(folder: Path, count: int, forked_at: int | None = None, **checkpoint: Any) -> None:
    """Let the log show `count` entries."""
    shutil.rmtree(folder / "log", ignore_errors=True)
    log = Log(DECISIONS, entries(count, forked_at))
    publish(log, folder / "log", log.checkpoint(**checkpoint))


def monitor(folder: Path, *more: str) -> int:
    """Look once."""
    state, policy = str(folder / "head"), str(folder / "policy")
    return main(["monitor-log", str(folder / "log"), "--policy", policy, "--state", state, "--once", "--json", *more])


def check(folder: Path) -> int:
    """Check the evidence."""
    return main(["monitor-log", "--policy", str(folder / "policy"), "--check", str(folder / "head.evidence.json")])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the last look's JSON line."""
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_a_log_that_grows_is_followed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each head that continues the last one is kept."""
    for size in [0, *SIZES, 512]:
        show(folder, size)
        assert monitor(folder) == 0
        assert told(capsys)["size"] == size
    assert b"\n512\n" in (folder / "head").read_bytes()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("more", [0, 1, 300])
def test_a_fork_is_proven(folder: Path, capsys: pytest.CaptureFixture[str], size: int, more: int) -> None:
    """A head of another history raises the alarm, the kept head stays, and the evidence convinces whoever has the log's key."""
    show(folder, size)
    assert monitor(folder) == 0
    kept = (folder / "head").read_bytes()
    show(folder, size + more, forked_at=size // 2)
    assert monitor(folder) == 1
    assert f"{DECISIONS} is forked" in told(capsys)["alarm"]
    assert (folder / "head").read_bytes() == kept
    shutil.rmtree(folder / "log")
    assert check(folder) == 0
    assert capsys.readouterr().out.startswith(f"PROVEN: {DECISIONS} has signed two ")


def test_a_fork_that_no_witness_has_signed_is_one_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log's own signature on both is enough."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 400, forked_at=100, cosigners=())
    assert monitor(folder) == 1
    assert "forked" in told(capsys)["alarm"]


@pytest.mark.parametrize("forked_at", [None, 100])
def test_a_rollback_alarms(folder: Path, capsys: pytest.CaptureFixture[str], forked_at: int | None) -> None:
    """A smaller head after a larger one: of the same history the evidence is somebody's word, and says so."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 200, forked_at)
    assert monitor(folder) == 1
    assert "is rolled back: it shows 200 entries, and had shown 300" in told(capsys)["alarm"]
    assert check(folder) == 0
    assert "rests on the word of who saw it" in capsys.readouterr().out


def test_tiles_that_prove_nothing_are_no_alarm(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A larger head without the tiles that lead to it is neither believed nor called a fork."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 600)
    tile = folder / "log/tile/0/001"
    data = tile.read_bytes()
    tile.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert monitor(folder) == 2
    assert "tiles are not those of its head of 600 entries" in told(capsys)["trouble"]
    tile.unlink()
    assert monitor(folder) == 2
    assert "not found" in told(capsys)["trouble"]
    assert b"\n300\n" in (folder / "head").read_bytes()


@pytest.mark.parametrize(
    ("checkpoint", "trouble"),
    [({"signer": "ada"}, "is not signed by"), ({"signer": "tallystick.example/test/governance"}, "is not signed by")],
)
def test_a_head_by_another_key_is_not_believed(
    folder: Path, capsys: pytest.CaptureFixture[str], checkpoint: dict[str, Any], trouble: str
) -> None:
    """What the log has not signed says nothing about the log."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 200, **checkpoint)
    assert monitor(folder) == 2
    assert trouble in told(capsys)["trouble"]


def test_evidence_that_proves_nothing_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two heads of one history, a proof that leads elsewhere, a signature that is not the log's: not proven."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 400, forked_at=10)
    assert monitor(folder) == 1
    file = folder / "head.evidence.json"
    sound = json.loads(file.read_text())
    own = Log(DECISIONS, entries(400)).checkpoint().decode()
    broken: list[dict[str, object]] = [
        sound | {"prefix": None},
        sound | {"second": own},
        sound | {"first": sound["second"]},
        sound | {"second": Log(DECISIONS, entries(400, 10)).checkpoint(signer="ada").decode()},
        sound | {"prefix": {"start": sound["prefix"]["start"], "path": []}},
        sound | {"prefix": {"start": "AAAA", "path": sound["prefix"]["path"]}},
        sound | {"format": "tallystick/log-evidence/v0"},
        sound | {"more": 1},
    ]
    for document in broken:
        file.write_text(json.dumps(document))
        assert check(folder) == 1, document
        assert capsys.readouterr().out.splitlines()[-1].startswith("NOT PROVEN: ")


def test_any_c2sp_log_can_be_followed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bare tlog-policy will do for a policy; one that does not know the log is told so."""
    show(folder, 5)
    command = ["monitor-log", str(folder / "log"), "--state", str(folder / "head"), "--once", "--policy"]
    assert main([*command, str(folder / "policy/log.policy")]) == 0
    (folder / "other").write_bytes(b"quorum none\n")
    assert main([*command, str(folder / "other")]) == 2
    assert "is not one that this policy's logs have signed" in capsys.readouterr().err


def test_what_is_kept_must_be_the_logs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A state file that no log of the policy has signed is refused, not replaced."""
    show(folder, 5)
    (folder / "head").write_text("nothing")
    assert monitor(folder) == 2
    assert "is not one that this policy's logs have signed" in capsys.readouterr().err
    assert (folder / "head").read_text() == "nothing"
