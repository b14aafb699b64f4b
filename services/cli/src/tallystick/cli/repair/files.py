"""The hash tiles in a log's directory: compared, replaced whole and durably, the damaged ones kept.

    <log>/.lock              held all the while: a notary publishes no checkpoint meanwhile
    <log>/.repair/tile/...   what was made anew, until the tree is known to be the checkpoint's
    <log>/.damaged/tile/...  what was there before, with a number at the end of its name; for the owner alone to read

Killed anywhere, it leaves each tile as it was or as it should be, and the next run does what is left.
"""

import errno
import fcntl
import filecmp
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.tiles import TILE_WIDTH, TilePath
from tallystick.runtime.durable_files import sync
from tallystick.runtime.regular_files import IrregularFileError, open_regular

STAGED, DAMAGED, LOCK = ".repair", ".damaged", ".lock"
LOCK_WITHIN_S = 5.0
"""A notary holds the lock for a moment at a time; whoever holds it for longer is another repair."""
_READABLE_AGAIN = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing of the file."""
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""What says that a file cannot have a second name here: vfat, some FUSE, `fs.protected_hardlinks`."""


class LockedError(OSError):
    """Somebody else is at work in the log's directory."""


class OddPlaceError(OSError):
    """What is on the way to a file is not what a log has there: a link leads elsewhere, a pipe keeps waiting."""

    def __init__(self, path: Path, wanted: str) -> None:
        is_link = path.is_symlink()
        super().__init__(
            f"{path} is {'a symbolic link' if is_link else 'something else'}, not {wanted}: no hash tile was changed. "
            f"{f'Put {wanted} in its place' if is_link else 'Move it away'}, and run this again"
        )


class TileFiles:
    """One log's hash tiles. All methods raise OSError."""

    def __init__(self, log: Path) -> None:
        self._log = log

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the log's lock, and begin with nothing staged. Raises LockedError."""
        self._require_directories(self._log / STAGED)
        with _open_lock(self._log / LOCK) as lock:
            self._lock(lock.fileno())
            shutil.rmtree(self._log / STAGED, ignore_errors=True)
            yield  # closing the file releases the lock

    def holds(self, path: TilePath, tile: bytes) -> bool:
        """Whether a tile can be read as it should be; a partial one also from the full one."""
        present = self._read(path)
        if present is None and not path.is_full:
            full = self._read(path.full())
            return full is not None and len(full) == TILE_WIDTH * HASH_SIZE and full.startswith(tile)
        return present == tile

    def stage(self, path: TilePath, tile: bytes) -> None:
        """Write a tile that is to be put in place later, durably. Raises OddPlaceError if it could not be put there."""
        for place in (self._log, self._log / DAMAGED):
            self._require_directories((place / path.path()).parent)
        target = self._log / STAGED / path.path()
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.write(tile)
            file.flush()
            like = self._like(self._log / path.path())
            _own(file.fileno(), like, stat.S_IMODE(like.st_mode) & 0o666 | stat.S_IRUSR)
            os.fsync(file.fileno())

    def put(self, path: TilePath) -> str | None:
        """Put a staged tile in its place, durably; return where what was there is kept, None if nothing was there."""
        target = self._log / path.path()
        kept = self._keep(target, path)
        self._make_directories(target.parent)
        (self._log / STAGED / path.path()).replace(target)
        self._sync_up(target.parent)
        return kept

    def clear(self) -> None:
        """Take away what was only for the work."""
        shutil.rmtree(self._log / STAGED, ignore_errors=True)

    def _lock(self, descriptor: int) -> None:
        deadline_s = time.monotonic() + LOCK_WITHIN_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    raise LockedError(f"{self._log / LOCK} is held by another process: another repair is at work") from None
                time.sleep(0.05)
            else:
                return

    def _read(self, path: TilePath) -> bytes | None:
        """Return a file, None if there is none, nothing if it cannot be read any more or is no file."""
        try:
            with os.fdopen(open_regular(self._log / path.path()), "rb") as file:
                return file.read(TILE_WIDTH * HASH_SIZE + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in _READABLE_AGAIN:
                raise
            return b""

    def _keep(self, target: Path, path: TilePath) -> str | None:
        if not os.path.lexists(target):
            return None
        (self._log / DAMAGED).mkdir(mode=0o700, exist_ok=True)
        for number in count(1):
            kept = self._log / DAMAGED / f"{path.path()}.{number}"
            if not os.path.lexists(kept):
                break
            if _is_same(kept, target):  # by a run that was killed then
                return str(kept)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if _is_regular(target):
            _keep_beside(target, kept)
        else:
            target.rename(kept)
        self._sync_up(kept.parent)
        return str(kept)

    def _like(self, target: Path) -> os.stat_result:
        """Return whose mode and owner a new tile has: the damaged one's, else a tile's beside it, else a directory's above."""
        with suppress(OSError):
            if stat.S_ISREG((damaged := target.lstat()).st_mode):
                return damaged
        if target.parent.is_dir():
            with os.scandir(target.parent) as beside:
                for each in beside:
                    if each.is_file(follow_symlinks=False):
                        return each.stat()
        return next(directory for directory in target.parents if directory.is_dir()).stat()

    def _make_directories(self, directory: Path) -> None:
        """Make a directory, and those above it, each with the mode and owner of the one that it is in."""
        if directory.is_dir():
            return
        self._make_directories(directory.parent)
        directory.mkdir()
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            like = directory.parent.stat()
            _own(descriptor, like, stat.S_IMODE(like.st_mode))
        finally:
            os.close(descriptor)

    def _require_directories(self, directory: Path) -> None:
        """Raise OddPlaceError if anything from the log's directory down to this one is there and no directory itself."""
        below = [each for each in (directory, *directory.parents) if each.is_relative_to(self._log) and each != self._log]
        for each in reversed(below):
            if os.path.lexists(each) and (each.is_symlink() or not each.is_dir()):
                raise OddPlaceError(each, "a directory")

    def _sync_up(self, directory: Path) -> None:
        """Make names durable, up to the log's directory: any on the way may be new."""
        for each in (directory, *directory.parents):
            sync(each)
            if each == self._log:
                return


def _open_lock(path: Path) -> BinaryIO:
    """Open the lock's file, made if there is none; never what a link names, and without waiting for a pipe's other end."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise OddPlaceError(path, "a regular file") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OddPlaceError(path, "a regular file")
    return os.fdopen(descriptor, "rb")


def _own(descriptor: int, like: os.stat_result, mode: int) -> None:
    """Give a file the mode, and the owner of another: whoever read that reads this, whatever the umask and the user are.

    Where that is not permitted (only root gives files away), or the file system has no such thing, it stays as it is.
    """
    with suppress(OSError):
        os.fchown(descriptor, like.st_uid, like.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, mode)


def _keep_beside(target: Path, kept: Path) -> None:
    """Give a file a second name, so that nobody who reads it misses it for a moment; a copy where there are no such names."""
    try:
        os.link(target, kept)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        temporary = kept.with_name(f".{kept.name}.new")
        with os.fdopen(open_regular(target), "rb") as source, temporary.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        temporary.replace(kept)


def _is_same(kept: Path, target: Path) -> bool:
    if kept.lstat().st_ino == target.lstat().st_ino:
        return True
    return _is_regular(kept) and _is_regular(target) and filecmp.cmp(kept, target, shallow=False)


def _is_regular(path: Path) -> bool:
    if path.is_symlink():
        return False
    try:
        os.close(open_regular(path))
    except IrregularFileError:
        return False
    except OSError:
        return not path.is_dir()
    return True
