"""A log's public files and staging objects in directories: atomic to see, durable when a method returns.

    <public>/checkpoint            replaced under a lock, never by a smaller one
    <public>/tile/...              C2SP tlog-tiles
    <public>/.tmp-<epoch>/         files being written, renamed into place when whole
    <staging>/<name>               staging objects

What is written is synced before it is renamed, and so are the names after.
"""

import errno
import fcntl
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.tiles import ENTRIES, TilePath
from tallystick.notary.staging import is_stale
from tallystick.notary.storage import missing, other_bytes, refuse_if_after
from tallystick.runtime.durable_files import sync
from tallystick.runtime.settings import SettingError

PASSING_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
"""What a disk says that is full or away: others repair it, and it is waited for."""
SYNCERS = 8  # a disk answers several fsyncs at once faster than one after the other


class LogDirectory:
    """See `LogStorage`."""

    component = "disk"

    def __init__(self, public: Path, staging: Path) -> None:
        self._public, self._staging = public, staging
        self._scratch = public / ".tmp"
        self._syncers = ThreadPoolExecutor(SYNCERS, thread_name_prefix="fsync")

    def prepare(self) -> None:
        """See `LogStorage`."""
        for field, directory in (("log_dir", self._public), ("staging_dir", self._staging)):
            try:
                _try_out(directory)
            except OSError as error:
                raise SettingError(field, f"cannot make files in {directory}: {error.strerror}") from error

    def begin(self, epoch: int, staged: str | None) -> None:
        """See `LogStorage`."""
        self._scratch = self._public / f".tmp-{epoch:08d}"
        for directory in (self._scratch, self._staging):
            directory.mkdir(parents=True, exist_ok=True)
        for path in self._public.glob(".tmp-*"):
            if int(path.name.removeprefix(".tmp-")) < epoch:
                shutil.rmtree(path, ignore_errors=True)
        for path in self._staging.iterdir():
            if is_stale(path.name, epoch, staged):
                path.unlink(missing_ok=True)

    def stage(self, name: str, data: bytes) -> None:
        """See `LogStorage`."""
        # The name holds size, root and epoch: a file of this name has this content or is torn, so writing it in place is safe;
        # its digest tells. It is renamed all the same, so that reading never sees half of it.
        temporary = self._staging / f"{name}.tmp"
        _write(temporary, data)
        temporary.rename(self._staging / name)
        sync(self._staging)

    def read_staged(self, name: str) -> bytes | None:
        """See `LogStorage`."""
        try:
            return (self._staging / name).read_bytes()
        except FileNotFoundError:
            return None

    def drop_staged(self, name: str) -> None:
        """See `LogStorage`."""
        (self._staging / name).unlink(missing_ok=True)

    def publish(self, files: Mapping[TilePath, bytes]) -> None:
        """See `LogStorage`."""
        targets = {path: self._public / path.path() for path, data in files.items() if not self._holds(path, data)}
        for parent in {target.parent for target in targets.values()}:
            parent.mkdir(parents=True, exist_ok=True)
        # All written, then all made durable, then all renamed: so the file system can journal them together.
        temporaries = {path: self._temporary(target) for path, target in targets.items()}
        for path, temporary in temporaries.items():
            temporary.write_bytes(files[path])
        list(self._syncers.map(sync, temporaries.values()))
        for path, target in targets.items():
            temporaries[path].rename(target)
        # All the way up, though most of it is old: a directory may have been made by an attempt that died before its fsync.
        list(self._syncers.map(sync, self._ancestors(self._public / path.path() for path in files)))
        for path in files:
            if path.is_full:
                shutil.rmtree(f"{self._public / path.path()}.p", ignore_errors=True)

    def read_tile(self, path: TilePath) -> bytes:
        """See `LogStorage`."""
        with suppress(FileNotFoundError):
            return (self._public / path.path()).read_bytes()
        with suppress(FileNotFoundError):
            if path.level != ENTRIES:
                return (self._public / path.full().path()).read_bytes()[: path.width * HASH_SIZE]
        raise missing(str(self._public / path.path()))

    def read_checkpoint(self) -> bytes | None:
        """See `LogStorage`."""
        try:
            return (self._public / "checkpoint").read_bytes()
        except FileNotFoundError:
            return None

    def replace_checkpoint(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `LogStorage`."""
        with self._locked():
            # Compared and replaced under one lock: a notary that was fenced and slept may wake at this very line.
            if (present := self.read_checkpoint()) is not None:
                refuse_if_after(present, checkpoint)
            target = self._public / "checkpoint"
            temporary = self._temporary(target)
            _write(temporary, note)
            temporary.rename(target)
        sync(self._public)

    def _holds(self, path: TilePath, data: bytes) -> bool:
        """Whether a file is public already. Raises CorruptLogError if it is, with other bytes."""
        target = self._public / path.path()
        try:
            present = target.read_bytes()
        except FileNotFoundError:
            return False
        if present != data:
            raise other_bytes(str(target))
        return True

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


def _try_out(directory: Path) -> None:
    """Make a directory if there is none, and see whether files can be made in it.

    Raises OSError if not, unless that may pass (`PASSING_ERRORS`).
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        if error.errno not in PASSING_ERRORS:
            raise


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    sync(path)
