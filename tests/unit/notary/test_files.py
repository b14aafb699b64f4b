"""Staging objects, the right edge, and the files."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.tiles import ENTRIES, TilePath
from tallystick.notary.directory import LogDirectory
from tallystick.notary.errors import CorruptLogError, FencedError, ForkError
from tallystick.notary.staging import Staged
from tallystick.notary.tree import Tree
from tallystick.runtime.settings import SettingError

STAGED = Staged(
    2, bytes(range(32)), {TilePath(ENTRIES, 0, 2): b"\n 12\n", TilePath(0, 1234): b"", TilePath(0, 0, 2): bytes(64)}
)


def test_a_staging_object_is_read_as_it_was_written() -> None:
    """Size, root and every file come back, whatever bytes they hold."""
    assert Staged.decode(STAGED.encode()) == STAGED


@pytest.mark.parametrize("at", [0, 30, 100, -1])
def test_a_damaged_staging_object_is_refused(at: int) -> None:
    """One flipped bit or a lost end is found by the digest."""
    data = bytearray(STAGED.encode())
    data[at] ^= 1

    with pytest.raises(CorruptLogError, match="digest"):
        Staged.decode(bytes(data))
    with pytest.raises(CorruptLogError, match="digest"):
        Staged.decode(STAGED.encode()[:-1])


def directory(tmp_path: Path, epoch: int = 1, staged: str | None = None) -> LogDirectory:
    """Return a directory that has begun."""
    made = LogDirectory(tmp_path / "public", tmp_path / "staging")
    made.begin(epoch, staged)
    return made


def test_a_full_tile_takes_the_place_of_its_partial_ones(tmp_path: Path) -> None:
    """Partial tiles go once the full one is there, and are read from it from then on; partial bundles cannot be."""
    log = directory(tmp_path)
    log.publish({TilePath(0, 0, 3): b"a" * 96, TilePath(ENTRIES, 0, 3): b"abc"})

    log.publish({TilePath(0, 0): b"a" * 8192, TilePath(ENTRIES, 0): b"all"})

    assert not (tmp_path / "public/tile/0/000.p").exists()
    assert log.read_tile(TilePath(0, 0, 3)) == b"a" * 96
    with pytest.raises(CorruptLogError, match="missing"):
        log.read_tile(TilePath(ENTRIES, 0, 3))


def test_a_beginning_writer_deletes_only_what_nobody_can_commit(tmp_path: Path) -> None:
    """Garbage of earlier writers goes; the committed object, and whatever a later writer staged, stays."""
    log = directory(tmp_path, 2)
    names = ["00000001-1-a", "00000002-2-b", "00000002-3-c", "00000003-4-d"]
    for name in names:
        log.stage(name, b"")
    (tmp_path / "staging/00000002-9-e.tmp").touch()
    (tmp_path / "public/.tmp-00000001").mkdir()
    (tmp_path / "public/.tmp-00000003").mkdir()

    log.begin(2, "00000002-2-b")

    assert sorted(path.name for path in (tmp_path / "staging").iterdir()) == [names[1], names[3]]
    assert sorted(path.name for path in (tmp_path / "public").iterdir()) == [".tmp-00000002", ".tmp-00000003"]


def note(size: int, root: bytes) -> tuple[Checkpoint, bytes]:
    """Return a checkpoint and a note of it; the directory does not verify signatures."""
    checkpoint = Checkpoint("example/log", size, root)
    return checkpoint, Note(checkpoint.encode(), (SignatureLine("example/log", b"1234", bytes(64)),)).encode()


def test_no_smaller_checkpoint_and_no_second_root_replaces_the_public_one(tmp_path: Path) -> None:
    """The file itself refuses what a fenced notary, waking up late, might still write; the same again is fine."""
    log, roots = directory(tmp_path), [hashlib.sha256(bytes([at])).digest() for at in range(2)]
    log.replace_checkpoint(*note(5, roots[0]))
    log.replace_checkpoint(*note(5, roots[0]))

    with pytest.raises(FencedError, match="size 5 is public"):
        log.replace_checkpoint(*note(4, roots[0]))
    with pytest.raises(ForkError, match="another root"):
        log.replace_checkpoint(*note(5, roots[1]))

    assert log.read_checkpoint() == note(5, roots[0])[1]


def test_a_tree_is_refused_if_its_files_are_not_what_was_committed(tmp_path: Path) -> None:
    """A wrong root, a changed tile, a changed entry, a missing file: each is found before anything is signed."""
    log, tree = directory(tmp_path), Tree()
    log.publish(tree.append([b"a", b"b", b"c"]))
    assert Tree.load(3, tree.root(), log.read_tile).root() == tree.root()

    with pytest.raises(CorruptLogError, match="the tiles hash to"):
        Tree.load(3, bytes(32), log.read_tile)
    with pytest.raises(CorruptLogError, match="missing"):
        Tree.load(2, tree.root(), log.read_tile)
    (tmp_path / "public/tile/entries/000.p/3").write_bytes(b"\0\1a\0\1b\0\1d")
    with pytest.raises(CorruptLogError, match="do not hash"):
        Tree.load(3, tree.root(), log.read_tile)


def test_a_public_file_is_never_changed(tmp_path: Path) -> None:
    """The same bytes again are fine; others are refused, and none of the batch's files is written."""
    log = directory(tmp_path)
    log.publish({TilePath(0, 0): b"a" * 8192})
    log.publish({TilePath(0, 0): b"a" * 8192})

    with pytest.raises(CorruptLogError, match="with other bytes"):
        log.publish({TilePath(0, 1): b"b" * 8192, TilePath(0, 0): b"b" * 8192})

    assert (tmp_path / "public/tile/0/000").read_bytes() == b"a" * 8192
    assert not (tmp_path / "public/tile/0/001").exists()


def test_a_directory_is_prepared(tmp_path: Path) -> None:
    """It is made with all above it, nothing is left in it, and what is in it already stays."""
    log = LogDirectory(tmp_path / "a/b", tmp_path / "c")
    log.prepare()
    assert list((tmp_path / "a/b").iterdir()) == list((tmp_path / "c").iterdir()) == []
    (tmp_path / "a/b/file").touch()
    log.prepare()
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["file"]


Done = list[tuple[str, str]]
"""What was done, in its order: "sync" or "rename", and the path (a rename's new one)."""


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Done:
    """Return what is synced and renamed from now on; an empty file is not synced before it is written."""
    steps: Done = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size > 0
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(("sync", str(path.relative_to(tmp_path))))

    def renamed(path: Path, target: Path) -> Path:
        steps.append(("rename", str(target.relative_to(tmp_path))))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    return steps


def test_a_staging_object_is_on_disk_before_it_has_its_name(tmp_path: Path, done: Done) -> None:
    """Its bytes, then its name, and the name is durable when the method returns."""
    directory(tmp_path).stage("one", b"bytes")
    assert done == [("sync", "staging/one.tmp"), ("rename", "staging/one"), ("sync", "staging")]


def test_files_are_on_disk_before_they_have_their_names(tmp_path: Path, done: Done) -> None:
    """All bytes, then all names, and every directory up to that which holds the log, which may be new as well."""
    log = directory(tmp_path)
    log.publish({TilePath(0, 0): b"a" * 8192, TilePath(ENTRIES, 0, 3): b"abc"})
    scratch, names = "public/.tmp-00000001", {"public/tile/0/000", "public/tile/entries/000.p/3"}
    assert {path for what, path in done[:2]} == {f"{scratch}/tile_0_000", f"{scratch}/tile_entries_000.p_3"}
    assert {path for what, path in done[2:4]} == names
    above = {"public/tile/0", "public/tile/entries/000.p", "public/tile/entries", "public/tile", "public", "."}
    assert {path for what, path in done[4:]} == above
    assert [what for what, _ in done] == ["sync"] * 2 + ["rename"] * 2 + ["sync"] * len(above)
    done.clear()
    log.publish({TilePath(0, 0): b"a" * 8192})
    assert sorted(done) == [("sync", "."), ("sync", "public"), ("sync", "public/tile"), ("sync", "public/tile/0")]


def test_a_checkpoint_is_on_disk_before_it_is_public(tmp_path: Path, done: Done) -> None:
    """Its bytes, then its name, which is durable when the method returns."""
    checkpoint = Checkpoint("example.com/log", 1, bytes(32))
    directory(tmp_path).replace_checkpoint(checkpoint, b"note")
    assert done == [("sync", "public/.tmp-00000001/checkpoint"), ("rename", "public/checkpoint"), ("sync", "public")]


@pytest.mark.parametrize("path", ["/proc/tallystick", "/proc", "/dev/null", "/dev/null/x", "/" + "x" * 300])
def test_a_directory_that_cannot_be_is_refused(tmp_path: Path, path: str) -> None:
    """No such place, a place for no files, a file: by the setting's name."""
    with pytest.raises(SettingError, match="TALLYSTICK_LOG_DIR: cannot make files in /"):
        LogDirectory(Path(path), tmp_path).prepare()
    with pytest.raises(SettingError, match="TALLYSTICK_STAGING_DIR: cannot make files in /"):
        LogDirectory(tmp_path, Path(path)).prepare()


def test_a_disk_that_is_full_is_no_wrong_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That may pass, and is waited for later; a disk that is read-only stays so."""
    log = LogDirectory(tmp_path / "public", tmp_path / "staging")
    monkeypatch.setattr(tempfile, "TemporaryFile", _failing(errno.ENOSPC))
    log.prepare()
    monkeypatch.setattr(tempfile, "TemporaryFile", _failing(errno.EROFS))
    with pytest.raises(SettingError, match="Read-only"):
        log.prepare()


def _failing(code: int) -> Callable[..., NoReturn]:
    def fail(**_: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail
