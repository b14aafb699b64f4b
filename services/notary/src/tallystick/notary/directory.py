"""A log's public files and staging objects in directories: atomic to see, durable when a method returns.

    <public>/checkpoint            replaced under a lock, never by a smaller one
    <public>/tile/...              C2SP tlog-tiles
    <public>/.tmp-<epoch>/         files being written, renamed into place when whole
    <staging>/<name>               staging objects

Everything here blocks; call it from a thread.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.notes import Note
from tallystick.merkle.tiles import ENTRIES, TilePath
from tallystick.notary.errors import CorruptLogError, FencedError, ForkError
from tallystick.notary.staging import epoch_of

PASSING_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
"""What a disk says that is full or away: others repair it, and it is waited for."""
SYNCERS = 8  # a disk answers several fsyncs at once faster than one after the other


class LogDirectory:
    """One log's files. `begin` comes first; any method may raise OSError, a full disk's included, and may then be repeated."""

    def __init__(self, public: Path, staging: Path) -> None:
        self._public, self._staging = public, staging
        self._scratch = public / ".tmp"
        self._syncers = ThreadPoolExecutor(SYNCERS, thread_name_prefix="fsync")

    def begin(self, epoch: int, staged: str | None) -> None:
        """Make the directories; delete what writers before `epoch` left unfinished, but not the committed object `staged`.

        Requires that `epoch` is ours: nothing of an earlier writer can be committed any more, so what it staged is garbage.
        What a later writer stages is not touched, should we have been overtaken meanwhile.
        """
        self._scratch = self._public / f".tmp-{epoch:08d}"
        for directory in (self._scratch, self._staging):
            directory.mkdir(parents=True, exist_ok=True)
        for path in self._public.glob(".tmp-*"):
            if int(path.name.removeprefix(".tmp-")) < epoch:
                shutil.rmtree(path, ignore_errors=True)
        for path in self._staging.iterdir():
            if path.name != staged and epoch_of(path.name) <= epoch:
                path.unlink(missing_ok=True)

    def stage(self, name: str, data: bytes) -> None:
        """Write a staging object."""
        # The name holds size, root and epoch: a file of this name has this content or is torn, so writing it in place is safe;
        # its digest tells. It is renamed all the same, so that reading never sees half of it.
        temporary = self._staging / f"{name}.tmp"
        _write(temporary, data)
        temporary.rename(self._staging / name)
        _sync(self._staging)

    def read_staged(self, name: str) -> bytes | None:
        """Return a staging object, None if there is none of that name."""
        try:
            return (self._staging / name).read_bytes()
        except FileNotFoundError:
            return None

    def drop_staged(self, name: str) -> None:
        """Delete a staging object; fine if it is gone."""
        (self._staging / name).unlink(missing_ok=True)

    def publish(self, files: Mapping[TilePath, bytes]) -> None:
        """Write files to their public paths; delete the partial ones that a full one now stands for."""
        targets = {path: self._public / path.path() for path in files}
        for parent in {target.parent for target in targets.values()}:
            parent.mkdir(parents=True, exist_ok=True)
        # All written, then all made durable, then all renamed: so the file system can journal them together.
        temporaries = {path: self._temporary(target) for path, target in targets.items()}
        for path, temporary in temporaries.items():
            temporary.write_bytes(files[path])
        list(self._syncers.map(_sync, temporaries.values()))
        for path, target in targets.items():
            temporaries[path].rename(target)
        # All the way up, though most of it is old: a directory may have been made by an attempt that died before its fsync.
        list(self._syncers.map(_sync, self._ancestors(targets.values())))
        for path, target in targets.items():
            if path.is_full:
                shutil.rmtree(f"{target}.p", ignore_errors=True)

    def read_tile(self, path: TilePath) -> bytes:
        """Return a tile or bundle; a partial hash tile also from the full one. Raises CorruptLogError if there is neither."""
        with suppress(FileNotFoundError):
            return (self._public / path.path()).read_bytes()
        with suppress(FileNotFoundError):
            if path.level != ENTRIES:
                return (self._public / path.full().path()).read_bytes()[: path.width * HASH_SIZE]
        raise CorruptLogError(
            f"{self._public / path.path()} is missing: restore the log directory from a backup that is as new as the database"
        )

    def read_checkpoint(self) -> bytes | None:
        """Return the public checkpoint's note, None before the first."""
        try:
            return (self._public / "checkpoint").read_bytes()
        except FileNotFoundError:
            return None

    def replace_checkpoint(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Publish a checkpoint's note. Raises FencedError or ForkError if the one that is public forbids it."""
        with self._locked():
            # Compared and replaced under one lock: a notary that was fenced and slept may wake at this very line.
            if (present := self.read_checkpoint()) is not None:
                _refuse_if_after(Checkpoint.parse(Note.parse(present).text), checkpoint)
            target = self._public / "checkpoint"
            temporary = self._temporary(target)
            _write(temporary, note)
            temporary.rename(target)
        _sync(self._public)

    def _temporary(self, target: Path) -> Path:
        return self._scratch / target.relative_to(self._public).as_posix().replace("/", "_")

    def _ancestors(self, targets: Iterable[Path]) -> set[Path]:
        above = {parent for target in targets for parent in target.parents if parent.is_relative_to(self._public)}
        return above | {self._public.parent}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._public / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield  # closing the file releases the lock


def prepare(directory: Path) -> None:
    """Make a directory if there is none, and see whether files can be made in it.

    Raises OSError if not, unless that may pass (`PASSING_ERRORS`).
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        if error.errno not in PASSING_ERRORS:
            raise


def _refuse_if_after(present: Checkpoint, new: Checkpoint) -> None:
    if present.size > new.size:
        raise FencedError(
            f"{new.origin}: a checkpoint of size {present.size} is public, this notary's is {new.size}: it is not the only one"
        )
    if present.size == new.size and present.root != new.root:
        raise ForkError(f"{new.origin}: another root than this notary's is public for size {new.size}")


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    _sync(path)


def _sync(path: Path) -> None:
    """Make a file's content, or a directory's names, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
