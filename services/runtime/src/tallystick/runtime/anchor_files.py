"""The anchors beside a log: where they lie, in a directory or in a bucket, and reading and writing them.

    <log>/anchors/<size div 10^9, 10 digits>/<size mod 10^9, 9 digits>.checkpoint     the signed checkpoint of that size
    <log>/anchors/<10 digits>/<9 digits>.<by>.json                                  the receipt of authority or contract <by>

With leading zeros, the order of names is the order of sizes, and no folder grows without end. A folder holds hundreds of
thousands of names after a year, so what is in it is remembered for as long as it stays as it is.
"""

import asyncio
import os
import re
import sys
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from tallystick.runtime.bucket import Bucket, ObjectChangedError, ObjectExistsError, ObjectNotFoundError
from tallystick.runtime.durable_files import replace_file, sync
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.runtime.regular_files import open_regular
from tallystick.runtime.settings import S3Settings

T = TypeVar("T")
FOLDER = "anchors"
MAX_FILE_BYTES = 2**19
_SHARD = 10**9
_FOLDER = re.compile(r"[0-9]{10}")
_RECEIPT = re.compile(r"([0-9]{9})\.([a-z0-9][a-z0-9-]{0,31})\.json")
_SETTLED_S = 2.0
"""How old a folder's last change must be for its time to tell it from the next one: clocks of file systems have steps."""
_BUCKET_S = 10.0
"""For how long a bucket's folder is believed to be as it was, apart from what was written here."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """The receipts in a folder, in the order of their sizes: two columns of one length, and who has any."""

    state: object
    sizes: "array[int]"
    whose: Sequence[str]
    active: frozenset[str]

    def backwards(self) -> Iterator[tuple[int, str]]:
        """Give all of them from the largest size on."""
        return zip(reversed(self.sizes), reversed(self.whose), strict=True)

    def since(self, first: int) -> Iterator[tuple[int, str]]:
        """Give those of sizes from `first` on."""
        for at in range(bisect_left(self.sizes, first), len(self.sizes)):
            yield self.sizes[at], self.whose[at]


class AnchorFiles:
    """The anchors beside one log; what is read is not verified. All methods raise LogUnavailableError, and ValueError.

    Args:
        url: the log's: `file:///directory`, or, with settings for it, `s3://bucket/prefix`. Beside one that is read over HTTP
            nothing can be listed, so there are none.
        s3: where the S3-compatible store is and who we are to it.

    """

    def __init__(self, url: str, s3: S3Settings | None = None) -> None:
        parts = urlsplit(url)
        self._place: _Place = _Nowhere()
        if parts.scheme == "file":
            self._place = _Directory(Path(unquote(parts.path)))
        elif parts.scheme == "s3" and s3 is not None:
            self._place = _Bucket(Bucket(url, s3))
        self._listed: dict[int, _Listed] = {}

    async def sizes(self, first: int = 0, limit: int = 1000) -> Sequence[int]:
        """Return the sizes, `first` and greater in their order, that have a receipt; at most `limit`."""
        return await _answered(self._sizes, first, limit)

    async def newest(self, by: str) -> int | None:
        """Return the largest size that has a receipt of `by`, None if there is none."""
        return await _answered(self._newest, by)

    async def receipts(self, size: int) -> Mapping[str, bytes]:
        """Return the receipts for the head of `size` entries, by whose they are."""
        return await _answered(self._receipts, size)

    async def checkpoint(self, size: int) -> bytes | None:
        """Return the signed checkpoint of an anchored head, None if `size` is none's."""
        return await _answered(self._place.read, f"{_stem(size)}.checkpoint")

    async def covering(self, size: int) -> Mapping[str, tuple[int, bytes]]:
        """Return, for each of those who anchor, the receipt for the smallest head of `size` or more entries, with its size."""
        return await _answered(self._covering, size)

    async def keep(self, size: int, checkpoint: bytes, by: str, receipt: bytes) -> None:
        """Write a receipt and its head's signed checkpoint, in place of earlier ones. Durable when this returns."""
        # The checkpoint first: a receipt without it could not be explained.
        await _answered(self._place.write, f"{_stem(size)}.checkpoint", checkpoint)
        await _answered(self._place.write, f"{_stem(size)}.{by}.json", receipt)
        self._listed.pop(size // _SHARD, None)

    async def drop(self, size: int, by: str) -> None:
        """Delete a receipt; fine if it is gone."""
        await _answered(self._place.delete, f"{_stem(size)}.{by}.json")
        self._listed.pop(size // _SHARD, None)

    def _sizes(self, first: int, limit: int) -> Sequence[int]:
        found: dict[int, None] = {}
        for size, _ in self._from(first):
            if size not in found and len(found) == limit:
                break
            found[size] = None
        return list(found)

    def _newest(self, by: str) -> int | None:
        for shard in reversed(self._shards()):
            listed = self._in(shard)
            if by in listed.active:
                return next(size for size, whose in listed.backwards() if whose == by)
        return None

    def _receipts(self, size: int) -> Mapping[str, bytes]:
        names = takewhile(lambda found: found[0] == size, self._in(size // _SHARD).since(size))
        return {by: self._receipt(size, by) for _, by in names}

    def _covering(self, size: int) -> Mapping[str, tuple[int, bytes]]:
        shards = self._shards()
        # Whoever has not anchored lately is not looked for: that could mean to read every name there is.
        active = self._in(shards[-1]).active if shards else frozenset()
        found: dict[str, tuple[int, bytes]] = {}
        for at, by in self._from(size):
            if by in active and by not in found:
                found[by] = (at, self._receipt(at, by))
            if len(found) == len(active):
                break
        return found

    def _receipt(self, size: int, by: str) -> bytes:
        data = self._place.read(f"{_stem(size)}.{by}.json")
        if data is None:
            raise FileNotFoundError(f"the receipt of {by} for {size} entries is gone")
        return data

    def _from(self, first: int) -> Iterator[tuple[int, str]]:
        for shard in self._shards():
            if shard >= first // _SHARD:
                yield from self._in(shard).since(first)

    def _shards(self) -> Sequence[int]:
        return sorted(int(name) for name in self._place.names(FOLDER) if _FOLDER.fullmatch(name))

    def _in(self, shard: int) -> _Listed:
        folder = f"{FOLDER}/{shard:010d}"
        state, known = self._place.state(folder), self._listed.get(shard)
        if known is not None and state is not None and known.state == state:
            return known
        matches = [match for name in self._place.names(folder) if (match := _RECEIPT.fullmatch(name))]
        found = sorted((shard * _SHARD + int(match[1]), sys.intern(match[2])) for match in matches)
        sizes, whose = array("q", (size for size, _ in found)), [by for _, by in found]
        self._listed[shard] = listed = _Listed(state, sizes, whose, frozenset(whose))
        return listed


class _Place(Protocol):
    """Files below a log. Each method blocks and may raise OSError."""

    def names(self, folder: str) -> Sequence[str]:
        """Return what is in a folder, nothing if there is none."""
        ...

    def state(self, folder: str) -> object:
        """Return what is another as soon as other names are in a folder, None if that cannot be told now."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return a file, None if there is none."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a file so that it is whole or not there; durable when this returns."""
        ...

    def delete(self, path: str) -> None:
        """Delete a file; fine if it is gone."""
        ...


class _Nowhere:
    def names(self, folder: str) -> Sequence[str]:
        return []

    def state(self, folder: str) -> object:
        return None

    def read(self, path: str) -> bytes | None:
        return None

    def write(self, path: str, data: bytes) -> None:
        raise OSError("a log that is read over HTTP is not written beside")

    def delete(self, path: str) -> None:
        pass


class _Directory:
    def __init__(self, log: Path) -> None:
        self._log = log

    def names(self, folder: str) -> Sequence[str]:
        path = self._log / folder
        return os.listdir(path) if path.is_dir() else []  # noqa: PTH208  a Path a name takes ten times as long

    def state(self, folder: str) -> object:
        path = self._log / folder
        changed_ns = path.stat().st_mtime_ns if path.is_dir() else 0
        return changed_ns if time.time_ns() - changed_ns > _SETTLED_S * 1e9 else None

    def read(self, path: str) -> bytes | None:
        try:
            with os.fdopen(open_regular(self._log / path), "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(data) > MAX_FILE_BYTES:
            raise ValueError(f"{self._log / path}: more than {MAX_FILE_BYTES} bytes")
        return data

    def write(self, path: str, data: bytes) -> None:
        target = self._log / path
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, data)
        for directory in (target.parent.parent, self._log):  # any of them may be new
            sync(directory)

    def delete(self, path: str) -> None:
        (self._log / path).unlink(missing_ok=True)


class _Bucket:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def names(self, folder: str) -> Sequence[str]:
        return self._bucket.names(f"{folder}/")

    def state(self, folder: str) -> object:
        return time.monotonic() // _BUCKET_S

    def read(self, path: str) -> bytes | None:
        try:
            return self._bucket.get(path, MAX_FILE_BYTES).data
        except ObjectNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        try:
            self._bucket.create(path, data)
        except ObjectExistsError:
            present = self._bucket.get(path, MAX_FILE_BYTES)
            if present.data == data:
                return
            try:
                self._bucket.replace(path, data, present.tag)
            except ObjectChangedError as error:
                raise OSError(f"{path}: somebody else writes there") from error

    def delete(self, path: str) -> None:
        self._bucket.delete(path)


def _stem(size: int) -> str:
    return f"{FOLDER}/{size // _SHARD:010d}/{size % _SHARD:09d}"


async def _answered(function: Callable[..., T], *arguments: object) -> T:
    try:
        return await asyncio.to_thread(function, *arguments)
    except OSError as error:
        raise LogUnavailableError(f"{FOLDER}: {error}") from error
