"""`tallystick repair --head`: what a notary committed and nobody signed yet, made anew by the head that it names."""

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.tiles import TileBuilder, encode_bundle
from tallystick.notary.directory import LogDirectory
from tallystick.notary.errors import CorruptLogError
from tallystick.notary.tree import Tree

from ...vectors.tlog.cases.log import entry, tree
from .test_fsck_any_log import write
from .test_repair import DAMAGES, contents, repair, tiles

SIGNED, COMMITTED = 257, 400


def ahead(folder: Path) -> str:
    """Write a log whose notary committed and published more than is signed yet; return its head as `--head` takes it."""
    write(folder / "signed", SIGNED)
    write(folder, COMMITTED)
    shutil.copytree(folder / "signed/log", folder / "log", dirs_exist_ok=True)
    return f"{COMMITTED}:{b64encode(tree().root(COMMITTED)).decode()}"


@pytest.mark.parametrize("damage", ["gone", "a bit", "too short"])
def test_what_is_committed_and_not_signed_is_repaired_by_the_head_that_the_notary_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """The notary says what to do; the signed checkpoint alone does not know that tile. Then the notary goes on."""
    head = ahead(tmp_path)
    sound = contents(tmp_path)
    files = LogDirectory(tmp_path / "log", tmp_path / "staging")
    root = tree().root(COMMITTED)
    assert Tree.load(COMMITTED, root, files.read_tile).root() == root
    for tile in (tmp_path / "log/tile/0/001.p").iterdir():
        DAMAGES[damage](tile, tile.read_bytes())
    with pytest.raises(CorruptLogError, match="anew from the entries") as stopped:
        Tree.load(COMMITTED, root, files.read_tile)
    assert f"`tallystick repair --head {head}`" in str(stopped.value)
    assert repair(tmp_path) == 0
    assert "if the notary named a head, give it with --head" in capsys.readouterr().out
    with pytest.raises(CorruptLogError):
        Tree.load(COMMITTED, root, files.read_tile)
    assert repair(tmp_path, "--head", head) == 0
    told = capsys.readouterr().out
    assert told.startswith("REPAIRED\n")
    assert f"{COMMITTED} entries, root {root.hex()}" in told
    assert f"nobody signed yet what is beyond {SIGNED}" in told
    assert contents(tmp_path) == sound
    assert Tree.load(COMMITTED, root, files.read_tile).root() == root


def test_with_a_head_the_signed_checkpoint_s_own_tiles_are_repaired_too(tmp_path: Path) -> None:
    """Both are read: the one by whoever checks the log, the other by the notary."""
    head = ahead(tmp_path)
    sound = contents(tmp_path)
    for tile in tiles(tmp_path):
        tile.unlink()
    assert repair(tmp_path, "--head", head) == 0
    assert contents(tmp_path) == sound
    assert repair(tmp_path, "--head", head) == 0


def _root(entries: list[bytes]) -> str:
    builder = TileBuilder()
    builder.append(leaf_hashes(entries))
    return f"{len(entries)}:{b64encode(builder.root()).decode()}"


def _another_beginning(log: Path) -> str:
    """Change an entry that is signed; return the head that the entries have then."""
    bundle = log / "tile/entries/000"
    bundle.write_bytes(encode_bundle([b"another", *(entry(index) for index in range(1, 256))]))
    return _root([b"another", *(entry(index) for index in range(1, COMMITTED))])


HEADS: dict[str, tuple[Callable[[Path], str], str]] = {
    "another root": (lambda _: _root([b"x"] * COMMITTED), "or --head is not this log's"),
    "larger than the entries": (lambda _: _root([entry(index) for index in range(COMMITTED + 1)]), "a file is missing"),
    "smaller than the checkpoint": (lambda _: _root([entry(index) for index in range(SIGNED - 1)]), "Leave --head out"),
    "another root than the checkpoint's": (lambda _: _root([b"x"] * SIGNED), "and --head says"),
    "not with the checkpoint as its prefix": (_another_beginning, "257 entries hash to the root"),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_head_that_is_not_this_log_s_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    """The entries must have its root, and begin with the signed checkpoint's."""
    ahead(tmp_path)
    make, reason = HEADS[case]
    head = make(tmp_path / "log")
    for tile in tiles(tmp_path):
        DAMAGES["a bit"](tile, tile.read_bytes())
    before = contents(tmp_path)
    assert repair(tmp_path, "--json", "--head", head) == 1
    said = json.loads(capsys.readouterr().out)
    assert reason in said["reason"]
    assert "Nothing was changed" in said["reason"]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("head", ["", "400", "x:" + "A" * 43 + "=", "-1:" + "A" * 43 + "=", "400:AAAA", "400:" + "é" * 44])
def test_what_is_no_head_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str) -> None:
    """Its form is named."""
    with pytest.raises(SystemExit, match="2"):
        repair(tmp_path, f"--head={head}")
    assert "is not SIZE:ROOT" in capsys.readouterr().err
