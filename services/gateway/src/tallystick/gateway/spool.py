r"""Fallbacks on disk: appended and synced before they are given, kept until the log's topic has them.

The file `spool`: `TALLYSTICK-SPOOL-1\n`, the spool's id (16 random bytes), its first entry's number (8 bytes); then frames:
length (4 bytes), CRC-32 of what follows (4 bytes), and `SpooledFallback`s, each after its length (4 bytes); all numbers are
big-endian. A frame is what was synced at once, so a last one that is not whole was being written when the process died: nobody
was given what is in it, and it is cut off. When everything is done the file is replaced by an empty one of the same id, whose
numbers go on.

A write or sync that fails answers nobody, and what it wrote is cut off; if even that fails, nothing more is taken until the
service is restarted.
"""

import asyncio
import fcntl
import os
import struct
from binascii import crc32
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tallystick.contracts import SpooledFallback
from tallystick.runtime.durable_files import replace_file

_MAGIC = b"TALLYSTICK-SPOOL-1\n"
_HEADER = struct.Struct(">16sQ")
_FRAME = struct.Struct(">II")
_LENGTH = struct.Struct(">I")
_START = len(_MAGIC) + _HEADER.size
FILE, LOCK = "spool", "lock"


class SpoolError(OSError):
    """An entry is not safely on disk, or a file is not this program's spool."""


class Spool:
    """A spool in a directory, for one process.

    Args:
        directory: made if it is not there.
        fresh_id: 16 random bytes, the id of a spool that does not exist yet.
        max_bytes: how large the file may become.

    Raises:
        SpoolError: another process has it, or it is damaged before its end.
        OSError: the directory cannot be used.
    """

    def __init__(self, directory: Path, fresh_id: bytes, max_bytes: int) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path, self._max_bytes = directory / FILE, max_bytes
        self._lock = (directory / LOCK).open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise SpoolError(f"{directory} is another gateway's spool, and that one runs") from error
        try:
            self._open(fresh_id)
        except BaseException:
            self._lock.close()
            raise
        self._broken = False
        self._peeked = _START
        self._queue: list[tuple[SpooledFallback, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    def _open(self, fresh_id: bytes) -> None:
        if not self._path.exists():
            _replace(self._path, fresh_id, 0)
        with self._path.open("rb") as file:
            self.id, self._first = _read_header(file, self._path)
        self._read, self._end, self._next = _START, _START, self._first
        for end, entries in _frames(self._path, self._path.stat().st_size):
            for entry in entries:
                if entry.fallback.number != self._next:
                    raise SpoolError(f"{self._path}: an entry has number {entry.fallback.number} where {self._next} is next")
                self._next += 1
            self._end = end
        self._file = self._path.open("r+b", buffering=0)
        self._file.truncate(self._end)
        os.fsync(self._file.fileno())

    @property
    def size_bytes(self) -> int:
        """How large the file is."""
        return self._end

    @property
    def next_number(self) -> int:
        """The number that the next entry will have."""
        return self._next

    @property
    def waiting(self) -> bool:
        """Whether there is an entry that is not done."""
        return self._read < self._end

    async def append(self, entry: SpooledFallback) -> None:
        """Put an entry on disk, with its number; it is safe once this returns.

        Raises:
            SpoolError: it is not, and will not be given out by `peek`.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((entry, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await done

    def peek(self, most: int) -> list[SpooledFallback]:
        """Return the oldest entries that are not done, about `most` of them, in their order. Requires `waiting`."""
        entries: list[SpooledFallback] = []
        for end, frame in _frames(self._path, self._end, self._read):
            self._peeked = end
            entries += frame
            if len(entries) >= most:
                break
        return entries

    def done(self) -> None:
        """Say that what `peek` gave is where it belongs. After a crash it may be given out once more."""
        self._read = self._peeked
        if self._read == self._end and not self._queue and (self._writing is None or self._writing.done()):
            self._empty()

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()
        self._lock.close()

    async def _write_all(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                await asyncio.to_thread(self._write, [entry for entry, _ in batch])
            except OSError as error:
                failed = error if isinstance(error, SpoolError) else SpoolError(f"{self._path}: {error.strerror}")
                for _, done in batch:
                    if not done.done():
                        done.set_exception(failed)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def _write(self, entries: list[SpooledFallback]) -> None:
        if self._broken:
            raise SpoolError(f"{self._path} could not be repaired after a failed write; restart the service")
        data = bytearray()
        for number, entry in enumerate(entries, start=self._next):
            entry.fallback.spool, entry.fallback.number = self.id, number
            value = entry.SerializeToString()
            data += _LENGTH.pack(len(value)) + value
        data[:0] = _FRAME.pack(len(data), crc32(data))
        if self._end + len(data) > self._max_bytes:
            raise SpoolError(f"{self._path} is full: {self._end} of {self._max_bytes} bytes")
        try:
            written = os.pwrite(self._file.fileno(), data, self._end)
            if written < len(data):
                raise SpoolError(f"{self._path}: only {written} of {len(data)} bytes could be written")
            os.fsync(self._file.fileno())
        except OSError:
            self._cut_off()
            raise
        self._end += len(data)
        self._next += len(entries)

    def _cut_off(self) -> None:
        try:
            self._file.truncate(self._end)
            os.fsync(self._file.fileno())
        except OSError:
            self._broken = True

    def _empty(self) -> None:
        _replace(self._path, self.id, self._next)
        self._file.close()
        self._file = self._path.open("r+b", buffering=0)
        self._read = self._end = _START


def _replace(path: Path, spool_id: bytes, first: int) -> None:
    """Put an empty spool in place of what is there, whole or not at all."""
    replace_file(path, _MAGIC + _HEADER.pack(spool_id, first))


def _read_header(file: BinaryIO, path: Path) -> tuple[bytes, int]:
    data = file.read(_START)
    if len(data) != _START or not data.startswith(_MAGIC):
        raise SpoolError(f"{path} is no spool of a gateway")
    spool_id, first = _HEADER.unpack(data[len(_MAGIC) :])
    return spool_id, first


def _frames(path: Path, end: int, start: int = _START) -> Iterator[tuple[int, list[SpooledFallback]]]:
    """Give the entries of each whole frame from `start`, with where it ends; stop before a last one that is not whole.

    Raises:
        SpoolError: one is damaged, and something follows: that was no crash.
    """
    with path.open("rb") as file:
        file.seek(start)
        while start + _FRAME.size <= end:
            size, check = _FRAME.unpack(file.read(_FRAME.size))
            data = file.read(size) if size <= end - start - _FRAME.size else b""
            if not size or len(data) < size or crc32(data) != check:
                if start + _FRAME.size + size < end and any(data + file.read()):  # what was never written is zeros
                    raise SpoolError(f"{path}: what begins at byte {start} is damaged, and more follows")
                return
            start += _FRAME.size + size
            yield start, list(_split(data))


def _split(data: bytes) -> Iterator[SpooledFallback]:
    place = 0
    while place < len(data):
        (size,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size + size
        yield SpooledFallback.FromString(data[place - size : place])
