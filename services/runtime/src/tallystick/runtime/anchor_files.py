"""The anchors beside a log: where they lie, in a directory or in a bucket, and reading and writing them.

    <log>/anchors/<size div 10^9, 10 digits>/<size mod 10^9, 9 digits>.checkpoint     the signed checkpoint of that size
    <log>/anchors/<10 digits>/<9 digits>.<by>.json                                  the receipt of authority or contract <by>

With leading zeros, the order of names is the order of sizes, and no folder grows without end.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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

    async def drop(self, size: int, by: str) -> None:
        """Delete a receipt; fine if it is gone."""
        await _answered(self._place.delete, f"{_stem(size)}.{by}.json")

    def _sizes(self, first: int, limit: int) -> Sequence[int]:
        found: dict[int, None] = {}
        for size, _ in self._from(first):
            if size not in found and len(found) == limit:
                break
            found[size] = None
        return list(found)

    def _newest(self, by: str) -> int | None:
        for shard in reversed(self._shards()):
            if sizes := [size for size, whose in self._in(shard) if whose == by]:
                return sizes[-1]
        return None

    def _receipts(self, size: int) -> Mapping[str, bytes]:
        names = [by for _, by in self._in(size // _SHARD, f"{size % _SHARD:09d}.")]
        return {by: self._receipt(size, by) for by in names}

    def _covering(self, size: int) -> Mapping[str, tuple[int, bytes]]:
        shards = self._shards()
        # Whoever has not anchored lately is not looked for: that could mean to read every name there is.
        active = {by for _, by in self._in(shards[-1])} if shards else set()
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
                yield from (found for found in self._in(shard) if found[0] >= first)

    def _shards(self) -> Sequence[int]:
        return sorted(int(name) for name in self._place.names(FOLDER) if _FOLDER.fullmatch(name))

    def _in(self, shard: int, beginning: str = "") -> Sequence[tuple[int, str]]:
        # There may be hundreds of thousands: what is not asked for is dropped before it is looked at closely.
        names = [name for name in self._place.names(f"{FOLDER}/{shard:010d}") if name.startswith(beginning)]
        matches = [match for name in names if (match := _RECEIPT.fullmatch(name))]
        return sorted((shard * _SHARD + int(match[1]), match[2]) for match in matches)


class _Place(Protocol):
    """Files below a log. Each method blocks and may raise OSError."""

    def names(self, folder: str) -> Sequence[str]:
        """Return what is in a folder, nothing if there is none."""
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
        prefix = f"{folder}/"
        return list({key.removeprefix(prefix).partition("/")[0]: None for key in self._bucket.keys(prefix)})

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
