"""`tallystick repair` in directories as they are found: links, pipes, foreign owners, file systems without hard links."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tallystick.cli.repair import files as repair_files
from tallystick.merkle.tiles import TilePath

from .test_fsck_any_log import fsck, write
from .test_repair import DAMAGES, SIZE, repair, tiles


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """Make new files for their owner alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o664])
def test_whoever_could_read_a_tile_still_can(tmp_path: Path, mode: int, request: pytest.FixtureRequest) -> None:
    """A new tile has the damaged one's mode, or a neighbour's, or one by the directory's, whatever the user's umask is."""
    write(tmp_path, SIZE)
    log = tmp_path / "log"
    readers = mode & 0o066
    for path in (log, *log.rglob("*")):
        path.chmod(0o700 | readers | readers >> 2 if path.is_dir() else mode)
    request.getfixturevalue("strict_umask")
    DAMAGES["a bit"](log / "tile/0/000", (log / "tile/0/000").read_bytes())
    (log / "tile/0/001").unlink()
    shutil.rmtree(log / "tile/1")
    assert repair(tmp_path) == 0
    assert {path.relative_to(log).as_posix(): path.stat().st_mode & 0o777 for path in tiles(tmp_path)} == {
        path.relative_to(log).as_posix(): mode for path in tiles(tmp_path)
    }
    assert {(log / name).stat().st_mode & 0o077 for name in ("tile/1", "tile/1/000.p")} == {readers | readers >> 2}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_tile_is_still_the_notary_s_if_root_repaired_it(tmp_path: Path) -> None:
    """Owner and group are those of the damaged one, of a neighbour, or of the directory."""
    write(tmp_path, SIZE)
    log = tmp_path / "log"
    for path in (log, *log.rglob("*")):
        os.chown(path, 1234, 2345)
    DAMAGES["a bit"](log / "tile/0/000", (log / "tile/0/000").read_bytes())
    (log / "tile/0/001").unlink()
    shutil.rmtree(log / "tile/1")
    assert repair(tmp_path) == 0
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (log / "tile").rglob("*")} == {(1234, 2345)}


def _elsewhere(folder: Path, name: str) -> None:
    """Put a link in the place of a directory or file of the log; what was there lies elsewhere."""
    place = folder / "log" / name
    if place.exists():
        place.rename(folder / "elsewhere")
    elif name == ".lock":
        (folder / "elsewhere").write_bytes(b"")
    else:
        (folder / "elsewhere").mkdir()
    place.symlink_to(folder / "elsewhere")


def _a_file(folder: Path, name: str) -> None:
    place = folder / "log" / name
    shutil.rmtree(place, ignore_errors=True)
    place.write_bytes(b"x")


def _dangling(folder: Path, name: str) -> None:
    place = folder / "log" / name
    shutil.rmtree(place, ignore_errors=True)
    place.symlink_to("nowhere/at/all")


ODD: dict[str, tuple[Callable[[Path, str], object], str]] = {
    f"{name} is {what.__name__.strip('_')}": (what, name)
    for name in (".lock", ".repair", ".damaged", "tile", "tile/0", "tile/1", "tile/0/002.p")
    for what in (_elsewhere, _a_file, _dangling)
    if (name, what) != (".lock", _a_file) and (name, what) not in (("tile", _a_file), ("tile", _dangling))
} | {
    "the lock is a pipe": (lambda folder, name: os.mkfifo(folder / "log" / name), ".lock"),
    "the lock is a directory": (lambda folder, name: (folder / "log" / name).mkdir(), ".lock"),
}


@pytest.mark.parametrize("case", ODD)
def test_nothing_is_followed_out_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    """Where a directory of the log is a link, a file or a pipe, nothing is written anywhere; people are told which it is."""
    spoil, name = ODD[case]
    write(tmp_path, SIZE)
    for tile in tiles(tmp_path):
        DAMAGES["a bit"](tile, tile.read_bytes())
    spoil(tmp_path, name)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*") if path.name != ".lock"}
    assert repair(tmp_path) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path}/log/{name} is " in told
    assert "no hash tile was changed" in told
    assert "run this again" in told
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*") if path.name != ".lock"} == before


@pytest.mark.parametrize("form", ["--json", "text"])
def test_what_was_written_is_said_also_if_more_could_not_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The disk is full in the middle: the tiles that are in place already are named, and where the damaged ones are."""
    write(tmp_path, SIZE)
    for tile in tiles(tmp_path):
        DAMAGES["a bit"](tile, tile.read_bytes())
    put = repair_files.TileFiles.put

    def put_some(self: repair_files.TileFiles, path: TilePath) -> str | None:
        if path.index == 2:
            raise OSError(28, "No space left on device")
        return put(self, path)

    monkeypatch.setattr(repair_files.TileFiles, "put", put_some)
    assert repair(tmp_path, *([form] if form == "--json" else [])) == 2
    said = capsys.readouterr()
    kept = {f"tile/0/00{number}": f"{tmp_path}/log/.damaged/tile/0/00{number}.1" for number in range(2)}
    assert "tile/0/002.p/88 cannot be put in place: [Errno 28] No space left on device" in said.err
    if form == "--json":
        assert json.loads(said.out)["written"] == kept
    else:
        assert all(f"{path}: written; the damaged one is kept as {place}" in said.err for path, place in kept.items())
    monkeypatch.undo()
    assert repair(tmp_path) == 0
    assert fsck(tmp_path) == 0


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOTSUP])
def test_where_no_file_has_two_names_the_damaged_one_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    """On disk before the tile is replaced; ended between the two and begun again, there is one copy."""
    write(tmp_path, 3)
    (tile,) = tiles(tmp_path)
    sound, kept, log = tile.read_bytes(), tmp_path / "log/.damaged/tile/0/000.p", tmp_path / "log"
    tile.write_bytes(b"damaged")
    done, fsync, replace = list[str](), os.fsync, Path.replace

    def refused(*_: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        done.append(os.path.relpath(Path(f"/proc/self/fd/{descriptor}").readlink(), log))

    def ends(path: Path, target: Path) -> Path:
        if target == tile:
            assert (tile.read_bytes(), (kept / "3.1").read_bytes()) == (b"damaged", b"damaged")
            assert ".damaged/tile/0/000.p/.3.1.new" in done
            assert done[-1] == "."
            raise OSError(errno.EIO, "the end")
        return replace(path, target)

    monkeypatch.setattr(os, "link", refused)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", synced)
        patch.setattr(Path, "replace", ends)
        assert repair(tmp_path) == 2
    assert repair(tmp_path) == 0
    assert tile.read_bytes() == sound
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {"3.1": b"damaged"}
