"""`tallystick monitor-log`: growth is followed; forks and rollbacks raise an alarm that others can check."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tallystick.cli.main import main
from tallystick.cli.monitor_log import command, keeping
from tallystick.cli.monitor_log.evidence import FORMAT

from ..trust.helpers import DECISIONS, Log, log_policy
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


def check(folder: Path, name: str = "head.evidence.json") -> int:
    """Check the evidence."""
    return main(["monitor-log", "--policy", str(folder / "policy"), "--check", str(folder / name)])


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


def test_evidence_is_never_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rollback after a fork leaves a file of its own, named by its heads; the same alarm again leaves no more."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 400, forked_at=100)
    assert monitor(folder) == 1
    proof = (folder / "head.evidence.json").read_bytes()
    files = set()
    for size, forked_at in [(200, None), (400, 100), (200, None), (250, None)]:
        show(folder, size, forked_at)
        assert monitor(folder) == 1
        files.add(Path(told(capsys)["evidence"]).name)
        assert (folder / "head.evidence.json").read_bytes() == proof
    assert len(files) == 3
    assert files == {path.name for path in folder.glob("*evidence*")}
    for name in files - {"head.evidence.json"}:
        assert re.fullmatch(r"head\.evidence-[0-9a-f]{16}\.json", name)
        assert check(folder, name) == 0
    assert check(folder) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"PROVEN: {DECISIONS} has signed two histories")


def test_what_is_torn_is_not_taken_for_the_evidence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever has the name already is left as it is, a directory too."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 400, forked_at=100)
    torn = []
    for _ in range(2):
        assert monitor(folder) == 1
        torn.append(Path(told(capsys)["evidence"]))
        torn[-1].write_bytes(torn[-1].read_bytes()[:100])
    torn[-1].with_stem(f"{torn[-1].stem}-2").mkdir()
    assert monitor(folder) == 1
    whole = Path(told(capsys)["evidence"])
    assert whole.stem == f"{torn[-1].stem}-3"
    assert check(folder, whole.name) == 0
    assert [path.stat().st_size for path in torn] == [100, 100]


def test_an_alarm_whose_evidence_cannot_be_written_is_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, with the reason, and the exit code is the alarm's."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 400, forked_at=100)
    assert monitor(folder, "--evidence", str(folder / "nowhere" / "file")) == 1
    said = told(capsys)
    assert "is forked" in said["alarm"]
    assert "cannot write" in said["alarm"]
    assert said["evidence"] is None


def test_what_is_kept_is_on_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Head and evidence are synced before anything is said of them, and so are their names."""
    synced: list[str] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    show(folder, 300)
    assert monitor(folder) == 0
    assert synced == [".head.new", folder.name]
    show(folder, 400, forked_at=100)
    assert monitor(folder) == 1
    assert synced[2:] == ["head.evidence.json", folder.name]


def unproven(folder: Path) -> list[str]:
    """Return the files of heads that nothing proves yet."""
    return sorted(path.name for path in folder.glob("head.unproven-*"))


def withhold(folder: Path) -> None:
    """Take the log's tiles away."""
    shutil.rmtree(folder / "log/tile")


@pytest.mark.parametrize("returned", [600, 700])
def test_a_signed_head_without_its_tiles_is_kept(folder: Path, capsys: pytest.CaptureFixture[str], returned: int) -> None:
    """A fork whose tiles are withheld is proven by the log's true history, once that has grown as far."""
    show(folder, 300)
    assert monitor(folder) == 0
    for _ in range(2):
        show(folder, 600, forked_at=400)
        withhold(folder)
        assert monitor(folder) == 2
        said = told(capsys)
        (name,) = unproven(folder)
        assert name.startswith("head.unproven-600-")
        assert f"the signed head of 600 entries is kept in {folder / name}" in said["trouble"]
        assert said["unproven"] == [str(folder / name)]
    show(folder, 500)
    assert monitor(folder) == 0
    assert unproven(folder) == [name]
    assert told(capsys)["unproven"] == [str(folder / name)]
    show(folder, returned)
    assert monitor(folder) == 1
    assert "is forked" in told(capsys)["alarm"]
    assert unproven(folder) == [name]
    shutil.rmtree(folder / "log")
    assert check(folder) == 0
    assert capsys.readouterr().out.startswith(f"PROVEN: {DECISIONS} has signed two ")


def test_a_head_that_is_proven_later_is_no_longer_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Storage that was away for a while leaves nothing behind."""
    show(folder, 300)
    assert monitor(folder) == 0
    for size in (310, 320):
        show(folder, size)
        withhold(folder)
        assert monitor(folder) == 2
    assert len(unproven(folder)) == 2
    show(folder, 320)
    assert monitor(folder) == 0
    assert unproven(folder) == []
    assert told(capsys)["size"] == 320


def test_heads_without_proof_are_bounded(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that signs one after the other does not fill the disk, and that one is not kept is said."""
    monkeypatch.setattr(command, "MAX_UNPROVEN", 2)
    monkeypatch.setattr(keeping, "MAX_UNPROVEN", 2)
    show(folder, 300)
    assert monitor(folder) == 0
    for size in (310, 320, 330):
        show(folder, size)
        withhold(folder)
        assert monitor(folder) == 2
    assert "the signed head of 330 entries is not kept: 2 such heads are" in told(capsys)["trouble"]
    assert [name.split("-")[1] for name in unproven(folder)] == ["310", "320"]


@pytest.mark.parametrize("data", [b"", bytes(31)])
def test_a_rollback_with_tiles_of_another_length_alarms(folder: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    """Whoever rolls back may serve anything; that a tile is none is no way out."""
    show(folder, 300)
    assert monitor(folder) == 0
    show(folder, 200)
    (folder / "log/tile/0/000").write_bytes(data)
    assert monitor(folder) == 1
    assert "is rolled back" in told(capsys)["alarm"]


def test_a_head_without_a_quorum_is_not_the_last(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What too few witnesses have signed continues the log, but is not what the next head is held to; it is kept apart."""
    (folder / "policy/log.policy").write_bytes(log_policy("notary-clock"))
    show(folder, 300)
    assert monitor(folder) == 0
    kept = (folder / "head").read_bytes()
    show(folder, 400, cosigners=())
    assert monitor(folder) == 2
    assert "lacks the cosignatures" in told(capsys)["trouble"]
    assert (folder / "head").read_bytes() == kept
    assert len(unproven(folder)) == 1
    show(folder, 350)
    assert monitor(folder) == 0
    show(folder, 400)
    assert monitor(folder) == 0
    assert unproven(folder) == []


HOSTILE: list[dict[str, object]] = [
    {"prefix": {"start": "AA==", "path": [1]}},
    {"prefix": {"start": "AA==", "path": [None, "AA=="]}},
    {"prefix": {"start": 1, "path": []}},
    {"prefix": []},
    {"first": "\ud800"},
    {"kind": "rollback", "first": "—"},
]


@pytest.mark.parametrize("changed", HOSTILE)
def test_hostile_evidence_proves_nothing(folder: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, object]) -> None:
    """Values of other types are refused, not tripped over."""
    sound = {"format": FORMAT, "kind": "fork", "first": "a", "second": "b", "seen_at": ""}
    (folder / "head.evidence.json").write_text(json.dumps(sound | changed))
    assert check(folder) == 1
    assert capsys.readouterr().out.startswith("NOT PROVEN: ")


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
