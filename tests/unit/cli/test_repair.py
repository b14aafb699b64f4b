"""`tallystick repair`: hash tiles come back from the entries, to the byte; nothing else is touched, whatever happens."""

import fcntl
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

import tallystick.cli.repair
from tallystick.cli.main import main
from tallystick.cli.repair import files as repair_files
from tallystick.merkle.tiles import TilePath

from ..trust.helpers import World
from .logs import decision_log, decisions, publish
from .test_fsck_any_log import fsck, write

SIZE = 600
SOME = 5
SOURCES = str(Path(tallystick.cli.repair.__file__).parent)
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__])
KILLED = -9


def _a_directory(file: Path, _: bytes) -> None:
    file.unlink()
    file.mkdir()
    (file / "in it").write_bytes(b"x")


def _a_pipe(file: Path, _: bytes) -> None:
    file.unlink()
    os.mkfifo(file)


def _a_link(file: Path, _: bytes) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def _gone(file: Path, _: bytes) -> None:
    file.unlink()


DAMAGES: dict[str, Callable[[Path, bytes], object]] = {
    "gone": _gone,
    "a bit": lambda file, data: file.write_bytes(bytes([data[0] ^ 1]) + data[1:]),
    "empty": lambda file, _: file.write_bytes(b""),
    "too short": lambda file, data: file.write_bytes(data[:-1]),
    "too long": lambda file, data: file.write_bytes(data + b"x"),
    "a directory": _a_directory,
    "a pipe": _a_pipe,
    "a link to nothing": _a_link,
}


def repair(folder: Path, *more: str) -> int:
    """Run the command on the log in `folder`."""
    return main(["repair", str(folder / "log"), "--policy", str(folder / "policy"), *more])


def contents(folder: Path) -> dict[str, bytes]:
    """Return a log's public files."""
    log = folder / "log"
    found = {path.relative_to(log).as_posix(): path.read_bytes() for path in log.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if not name.startswith(".")}


def tiles(folder: Path) -> list[Path]:
    """Return the hash tiles' files."""
    return sorted(path for path in (folder / "log/tile").rglob("*") if path.is_file() and "entries" not in path.parts)


def others(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of everything but hash tiles."""
    kept = [path for path in (folder / "log").rglob("*") if path.is_file() and path not in tiles(folder)]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in kept if ".lock" not in path.name}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("size", [1, 255, 256, 257, SIZE])
def test_every_tile_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int, damage: str) -> None:
    """Whatever became of all the tiles, they are what they were; entries and checkpoint were not touched; nothing is lost."""
    write(tmp_path, size)
    sound, untouched, all_tiles = contents(tmp_path), others(tmp_path), tiles(tmp_path)
    for tile in all_tiles:
        DAMAGES[damage](tile, tile.read_bytes())
    damaged = {tile.relative_to(tmp_path / "log").as_posix(): tile.read_bytes() for tile in all_tiles if tile.is_file()}
    assert repair(tmp_path, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert contents(tmp_path) == sound
    assert {name: others(tmp_path)[name] for name in untouched} == untouched
    assert (said["size"], said["tiles"]) == (size, len(all_tiles))
    assert [tmp_path / "log" / path for path in said["written"]] == all_tiles
    assert all((kept is None) == (damage == "gone") for kept in said["written"].values())
    assert {path: Path(said["written"][path]).read_bytes() for path in damaged} == damaged
    assert not (tmp_path / "log/.repair").exists()
    assert fsck(tmp_path) == 0


def test_only_what_differs_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bit in one tile: that one is written, and people are told which, and where the other is."""
    write(tmp_path, 65_537)
    before = {tile: tile.stat().st_ino for tile in tiles(tmp_path)}
    wrong = tmp_path / "log/tile/0/003"
    DAMAGES["a bit"](wrong, wrong.read_bytes())
    assert repair(tmp_path) == 0
    told = capsys.readouterr().out
    assert told.startswith("REPAIRED\n")
    assert "259 hash tiles: 0 were missing, 1 damaged" in told
    assert f"tile/0/003: written; the damaged one is kept as {tmp_path}/log/.damaged/tile/0/003.1" in told
    after = {tile: tile.stat().st_ino for tile in tiles(tmp_path)}
    assert {tile for tile in after if after[tile] != before[tile]} == {wrong}
    assert (tmp_path / "log/.damaged").stat().st_mode & 0o777 == 0o700
    assert repair(tmp_path) == 0
    assert capsys.readouterr().out.startswith("NOTHING TO REPAIR\n")


def test_a_tile_that_is_damaged_again_is_kept_again(tmp_path: Path) -> None:
    """What was kept before stays."""
    write(tmp_path, 3)
    (tile,) = tiles(tmp_path)
    for byte in (b"1", b"2"):
        tile.write_bytes(byte)
        assert repair(tmp_path) == 0
    kept = tmp_path / "log/.damaged/tile/0/000.p"
    assert [(kept / name).read_bytes() for name in ("3.1", "3.2")] == [b"1", b"2"]


def test_an_empty_log_has_nothing_to_repair(tmp_path: Path) -> None:
    """No entries, no tiles."""
    write(tmp_path, 0)
    assert repair(tmp_path) == 0
    assert list(contents(tmp_path)) == ["checkpoint"]


def test_a_partial_tile_for_which_a_full_one_stands_is_not_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A notary that was stopped between tiles and checkpoint has put the full tile there, and the partial one away."""
    write(tmp_path, 257)
    log = tmp_path / "log"
    write(tmp_path / "more", 512)
    shutil.rmtree(log / "tile/0/001.p")
    shutil.copy(tmp_path / "more/log/tile/0/001", log / "tile/0/001")
    assert repair(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["written"] == {}
    DAMAGES["a bit"](log / "tile/0/001", (log / "tile/0/001").read_bytes())
    assert repair(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["written"] == {"tile/0/001.p/1": None}


def test_a_full_tile_that_is_too_long_stands_for_no_partial_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads the log refuses it, though it begins as it should."""
    write(tmp_path, 257)
    log = tmp_path / "log"
    write(tmp_path / "more", 512)
    shutil.rmtree(log / "tile/0/001.p")
    (log / "tile/0/001").write_bytes((tmp_path / "more/log/tile/0/001").read_bytes() + b"x")
    assert fsck(tmp_path) != 0
    capsys.readouterr()
    assert repair(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["written"] == {"tile/0/001.p/1": None}
    assert fsck(tmp_path) == 0


def _flip(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "an entry is another": (lambda log: _flip(log / "tile/entries/001"), "600 entries hash to the root"),
    "a bundle is cut": (lambda log: (log / "tile/entries/001").write_bytes(b"\0"), "tile/entries/001"),
    "a bundle is gone": (lambda log: (log / "tile/entries/002.p/88").unlink(), "a file is missing"),
    "the checkpoint is broken": (lambda log: _flip(log / "checkpoint"), "the checkpoint is refused"),
    "the checkpoint is none": (lambda log: (log / "checkpoint").write_bytes(b"x"), "the checkpoint is refused"),
    "too few witnesses": (lambda log: write(log.parent, SIZE, cosigned=1), "the checkpoint is refused"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_changed_where_the_entries_are_not_the_checkpoint_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """A tile cannot be told from a wrong one then; people are told to restore."""
    spoil, reason = REFUSED[case]
    write(tmp_path, SIZE)
    spoil(tmp_path / "log")
    for tile in tiles(tmp_path):
        DAMAGES["a bit"](tile, tile.read_bytes())
    before = contents(tmp_path)
    assert repair(tmp_path, "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["repaired"]
    assert reason in said["reason"]
    assert "Nothing was changed. Restore the log's files from a backup" in said["reason"]
    assert contents(tmp_path) == before
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == [".lock", "checkpoint", "tile"]


def test_it_is_said_that_the_policy_s_own_keys_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A governance log, which may have added keys or retired them, is not read: help and refusal say so."""
    write(tmp_path, 3, cosigned=1)
    assert repair(tmp_path) == 1
    refusal = " ".join(capsys.readouterr().out.split())
    assert "only a policy's own keys count here, not what the governance log added or retired since" in refusal
    with pytest.raises(SystemExit):
        main(["repair", "--help"])
    assert "not what the governance log added or retired since" in " ".join(capsys.readouterr().out.split())


def test_a_trust_policy_s_folder_will_do(folder: Path) -> None:
    """An operator's logs are named by a trust policy."""
    publish(decision_log(decisions(World(), SIZE)), folder / "log")
    sound = contents(folder)
    for tile in tiles(folder):
        tile.unlink()
    assert repair(folder) == 0
    assert contents(folder) == sound


def test_what_cannot_be_read_is_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No log there, or no policy: nothing is made."""
    write(tmp_path, 3)
    assert main(["repair", str(tmp_path), "--policy", str(tmp_path / "policy")]) == 2
    assert "checkpoint: not found" in capsys.readouterr().err
    assert not (tmp_path / ".lock").exists()
    assert main(["repair", str(tmp_path / "log"), "--policy", str(tmp_path / "no")]) == 2


def test_one_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """While another holds the log's lock nothing is done, and it is held while tiles are put in place."""
    monkeypatch.setattr(repair_files, "LOCK_WITHIN_S", 0.1)
    write(tmp_path, 3)
    (tile,) = tiles(tmp_path)
    tile.unlink()
    with (tmp_path / "log/.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert repair(tmp_path) == 2
        assert "another repair is at work" in capsys.readouterr().err
        assert not tile.exists()
    put = repair_files.TileFiles.put

    def put_under_the_lock(self: repair_files.TileFiles, path: TilePath) -> str | None:
        with (tmp_path / "log/.lock").open("a") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return put(self, path)

    monkeypatch.setattr(repair_files.TileFiles, "put", put_under_the_lock)
    assert repair(tmp_path) == 0
    assert tile.exists()


def test_what_replaces_a_tile_is_on_disk_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new bytes, then the damaged tile's second name, then the new tile's, each durable before the next is done."""
    write(tmp_path, 3)
    (tile,) = tiles(tmp_path)
    tile.write_bytes(b"damaged")
    done, log = list[tuple[str, str]](), tmp_path / "log"
    fsync, replace, link = os.fsync, Path.replace, os.link

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        done.append(("sync", os.path.relpath(Path(f"/proc/self/fd/{descriptor}").readlink(), log)))

    def replaced(path: Path, target: Path) -> Path:
        done.append(("name", os.path.relpath(target, log)))
        return replace(path, target)

    def linked(path: Path, target: Path) -> None:
        done.append(("name", os.path.relpath(target, log)))
        link(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(os, "link", linked)
    assert repair(tmp_path) == 0
    below = "tile/0/000.p"
    assert done == [
        ("sync", f".repair/{below}/3"),
        ("name", f".damaged/{below}/3.1"),
        *(("sync", folder) for folder in (f".damaged/{below}", ".damaged/tile/0", ".damaged/tile", ".damaged", ".")),
        ("name", f"{below}/3"),
        *(("sync", folder) for folder in (below, "tile/0", "tile", ".")),
    ]


def work(folder: Path, kill_at: tuple[str, int] | None, lines_file: Path | None) -> None:
    """Repair in a process of its own; killed (SIGKILL) when a line is about to run, if one is given."""
    seen: dict[tuple[str, int], None] = {}

    def step(frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
        line = (Path(frame.f_code.co_filename).name, frame.f_lineno)
        if event == "line" and line == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)  # until it strikes
        seen[line] = None
        return step

    sys.settrace(lambda frame, event, arg: step if frame.f_code.co_filename.startswith(SOURCES) else None)
    code = repair(folder, "--json")
    sys.settrace(None)
    if lines_file:
        lines_file.write_text(json.dumps(list(seen)))
    sys.exit(code)


def worked(folder: Path, kill_at: tuple[str, int] | None, lines_file: Path | None = None) -> int | None:
    """Let a repair work; return how it ended."""
    process = FORKED.Process(target=work, args=(folder, kill_at, lines_file))
    process.start()
    process.join(60)
    return process.exitcode


def test_killed_at_every_line_it_goes_on(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """At no moment is a tile another than it was or should be; the next run does what is left; every damaged one is kept.

    Between keeping the damaged tile and putting the new one in its place, and at some more lines, chosen by the run's seed;
    where REQUIRE_ALL=1 (CI) at each.
    """

    def damaged(name: str) -> Path:
        folder = tmp_path / name
        write(folder, SIZE)
        for tile, damage in zip(tiles(folder), ("a bit", "gone", "too short", "a directory"), strict=False):
            DAMAGES[damage](tile, tile.read_bytes())
        return folder

    write(tmp_path / "sound", SIZE)
    sound = contents(tmp_path / "sound")
    assert worked(damaged("undisturbed"), None, tmp_path / "lines") == 0
    lines = [(file, number) for file, number in json.loads((tmp_path / "lines").read_text()) if file == "files.py"]
    assert len(lines) > 40
    if os.environ.get("REQUIRE_ALL") != "1":
        some = Random(str(request.config.getoption("randomly_seed", 0))).sample(lines, SOME)
        inside = {number for *_, number in repair_files.TileFiles.put.__code__.co_lines()}
        lines = [line for line in lines if line[1] in inside or line in some]
    for number, line in enumerate(lines):
        folder = damaged(str(number))
        before = contents(folder)
        assert worked(folder, line) == KILLED, f"{line} did not run"
        now = contents(folder)
        assert all(data in (before.get(path), sound.get(path)) for path, data in now.items()), line
        gone = {path for path in before if path not in now}
        assert all(path.startswith("tile/1/000.p") for path in gone), f"{line}: {gone}"  # the directory, being put aside
        assert worked(folder, None) == 0
        assert contents(folder) == sound, line
        kept = sorted(
            path.relative_to(folder / "log/.damaged").as_posix() for path in (folder / "log/.damaged").rglob("*.[0-9]")
        )
        assert kept == KEPT, line


KEPT = ["tile/0/000.1", "tile/0/002.p/88.1", "tile/1/000.p/2.1"]
"""Of the damaged tiles those that were there, each once."""
