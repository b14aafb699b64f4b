"""Reading a tiled log (C2SP tlog-tiles) from a directory, over HTTP or from an S3-compatible store.

Gives bytes as they are served, unverified: whoever asks checks them against a checkpoint whose signatures it has checked.
"""

import asyncio
import json
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TilePath, decode_bundle, encode_bundle
from tallystick.runtime.bucket import Bucket, BucketError, ObjectNotFoundError
from tallystick.runtime.cancellation import in_own_task
from tallystick.runtime.content_coding import ACCEPT_ENCODING, Body, ContentCodingError
from tallystick.runtime.page_cache import read_cached
from tallystick.runtime.regular_files import IrregularFileError, open_regular
from tallystick.runtime.settings import S3Settings

T = TypeVar("T")
MAX_CHECKPOINT_BYTES = 262_144  # 16 signatures must be accepted, and post-quantum ones have 5 kB (C2SP signed-note)
MAX_BUNDLE_BYTES = TILE_WIDTH * (65_535 + 2)
TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 60.0
"""How long a whole answer may take; `TIMEOUT_S` bounds each part of it only, and there may be many."""
CONCURRENCY = 8
_DENIED = {
    401: ": it wants a bearer token, and none was given, or not a right one",
    403: ": the bearer token that was given does not entitle to it",
}
INCONSISTENT = "urn:tallystick:problem:inconsistent"
"""The type of the problem by which an audit service says so."""
MAX_PROBLEM_BYTES = 16_384
MAX_DETAIL = 500
"""Characters of a problem's detail that are told on."""
PATIENCE_S = 30.0
"""How long a log over HTTP is waited for that says one asks too often (429, with a `Retry-After` in seconds)."""


class LogUnavailableError(OSError):
    """The log does not answer, or does not have what it should: try again."""


class LogNotFoundError(LogUnavailableError):
    """The log has no such resource (yet)."""


class LogIrregularError(LogUnavailableError):
    """What has the name of one of the log's files is a directory, a pipe or a device."""


class LogInconsistentError(LogUnavailableError):
    """Whoever serves the log says that what they have stored there contradicts itself, or cannot be read."""


class LogReader:
    """A log's public files; close it, or use it as an async context manager.

    All methods raise LogUnavailableError, and ValueError for what is served but is not what was asked for.

    Args:
        url: `file:///directory`, `http(s)://host/prefix`, or, with settings for it, `s3://bucket/prefix`.
        s3: where the S3-compatible store is and who we are to it.
        token: a bearer token for what is not served to everybody (HTTP only).

    """

    def __init__(self, url: str, s3: S3Settings | None = None, token: str | None = None) -> None:
        parts = _parts(url)
        self.url = url.rstrip("/")
        self._http: httpx.AsyncClient | None = None
        self._bucket: Bucket | None = None
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            self._root = str(Path(unquote(parts.path)))
        elif parts.scheme in ("http", "https") and parts.hostname:
            self._http = http_client(token)
        elif parts.scheme == "s3" and s3 is not None:
            self._bucket = Bucket(url, s3)
        else:
            raise ValueError(f"{url!r} is not file:///directory or http(s)://host/prefix")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def checkpoint(self) -> bytes:
        """Return the log's latest checkpoint, a signed note."""
        return await self._get("checkpoint", MAX_CHECKPOINT_BYTES)

    async def read_tile(self, path: TilePath) -> bytes:
        """Return a tile or an entry bundle of exactly `path.width` items; cut from the full one where the partial is gone."""
        limit = MAX_BUNDLE_BYTES if path.level == ENTRIES else TILE_WIDTH * HASH_SIZE
        try:
            data = await self._get(path.path(), limit)
        except LogNotFoundError:
            if path.width == TILE_WIDTH:
                raise
            full = await self._get(TilePath(path.level, path.index, TILE_WIDTH).path(), limit)
            if path.level == ENTRIES:
                return encode_bundle(decode_bundle(full, TILE_WIDTH)[: path.width])
            data = full[: path.width * HASH_SIZE]
        if path.level != ENTRIES and len(data) != path.width * HASH_SIZE:
            raise ValueError(f"{self.url}/{path.path()}: {len(data)} bytes, not {path.width} hashes")
        return data

    async def read_tiles(self, paths: Iterable[TilePath]) -> list[bytes]:
        """Return several tiles or bundles, as `read_tile` does, some at a time."""
        return await _gather(self.read_tile, paths)

    async def entries(self, start: int, stop: int, size: int | None = None) -> list[bytes]:
        """Return the entries `start <= index < stop` of the tree of `size` (a checkpoint's; `stop` if not given)."""

        async def read(path: TilePath) -> list[bytes]:
            return decode_bundle(await self.read_tile(path), path.width)

        return await self._range(ENTRIES, start, stop, size, read)

    async def leaf_hashes(self, start: int, stop: int, size: int | None = None) -> list[bytes]:
        """Return the leaf hashes `start <= index < stop` of the tree of `size` (a checkpoint's; `stop` if not given)."""

        async def read(path: TilePath) -> list[bytes]:
            data = await self.read_tile(path)
            return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]

        return await self._range(0, start, stop, size, read)

    async def compute(self, function: Callable[[Callable[[TilePath], bytes]], T]) -> T:
        """Return `function(read)`, a pure computation over tiles (a proof, a root, a frontier); fetches what it reads.

        The function is begun again after each fetch, so it must be cheap and free of effects.
        """
        tiles: dict[TilePath, bytes] = {}
        while True:
            try:
                return function(tiles.__getitem__)
            except KeyError as missing:
                (path,) = missing.args
                tiles[path] = await self.read_tile(path)

    async def _range(
        self, level: int, start: int, stop: int, size: int | None, read: Callable[[TilePath], Awaitable[list[T]]]
    ) -> list[T]:
        size = stop if size is None else size
        if not 0 <= start <= stop <= size:
            raise ValueError(f"no range of a tree of {size}: {start} to {stop}")
        if start == stop:
            return []
        tiles = await _gather(read, tile_paths(level, start, stop, size))
        first = start // TILE_WIDTH * TILE_WIDTH
        return [item for tile in tiles for item in tile][start - first : stop - first]

    async def _get(self, path: str, limit: int) -> bytes:
        if self._http is not None:
            return await fetch(self._http, f"{self.url}/{path}", limit)
        if self._bucket is not None:
            return await asyncio.to_thread(_read_object, self._bucket, path, limit)
        file = f"{self._root}/{path}"  # as text: pathlib takes as long as the reading
        try:
            data = read_cached(file, min(limit, MAX_CHECKPOINT_BYTES))
        except FileNotFoundError as error:
            raise LogNotFoundError(f"{file}: not found") from error
        return await asyncio.to_thread(_read_file, file, limit) if data is None else data


def _parts(url: str) -> SplitResult:
    """Return an address in its parts. Raises ValueError: it is none, or its port is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no address: {error}") from None
    return parts


@cache
def authorities() -> ssl.SSLContext:
    """Return whose certificates HTTPS believes, httpx's own choice; read once a process, as that takes 30 ms of CPU time."""
    return httpx.create_ssl_context()


def http_client(token: str | None = None) -> httpx.AsyncClient:
    """Return a client for `fetch`; close it. `token`: a bearer token for what is not served to everybody."""
    headers = {"accept-encoding": ACCEPT_ENCODING} | ({"authorization": f"Bearer {token}"} if token else {})
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, headers=headers, verify=authorities())


def retry_after_s(response: httpx.Response) -> int | None:
    """Return how long a service that is asked too often wants to be left alone, None if it does not say so."""
    wait = response.headers.get("retry-after", "")
    if response.status_code != httpx.codes.TOO_MANY_REQUESTS or not (wait.isascii() and wait.isdigit() and len(wait) < 5):
        return None
    return max(1, int(wait))


async def fetch(http: httpx.AsyncClient, url: str, limit: int) -> bytes:
    """Return what is at an address, at most `limit` bytes of it, within a bounded time. Raises as `LogReader` does."""
    patience_s = PATIENCE_S
    while True:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S), http.stream("GET", url) as response:
                if response.status_code == httpx.codes.OK:
                    return await _whole(response, limit)
                if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
                    await _look_for_inconsistency(response, url)
                wait_s = retry_after_s(response)
        except (ContentCodingError, httpx.InvalidURL, UnicodeError) as error:  # of a host name: UnicodeError
            raise ValueError(f"{url}: {error}") from error
        except TimeoutError as error:
            raise LogUnavailableError(f"{url}: not answered in whole within {ANSWER_TIMEOUT_S:g} s") from error
        except httpx.HTTPError as error:
            raise LogUnavailableError(f"{url}: {type(error).__name__} {error}".rstrip()) from error
        if response.status_code == httpx.codes.NOT_FOUND:
            raise LogNotFoundError(f"{url}: not found")
        if wait_s is None or wait_s > patience_s:
            why = _DENIED.get(response.status_code, "")
            raise LogUnavailableError(f"{url}: HTTP status {response.status_code}{why}")
        patience_s -= wait_s
        await asyncio.sleep(wait_s)


async def _whole(response: httpx.Response, limit: int) -> bytes:
    body = Body(response.headers.get("content-encoding", ""), limit)
    async for piece in response.aiter_raw():
        body.add(piece)
    return body.end()


async def _look_for_inconsistency(response: httpx.Response, url: str) -> None:
    """Raise LogInconsistentError if that is the problem (RFC 9457) that a service tells; whatever else it is, is none here."""
    try:
        problem = json.loads(await _whole(response, MAX_PROBLEM_BYTES))
        told = isinstance(problem, dict) and problem.get("type") == INCONSISTENT
        detail = problem.get("detail") if told else None
    except (ValueError, RecursionError):
        return
    if told:
        short = isinstance(detail, str) and 0 < len(detail) <= MAX_DETAIL
        raise LogInconsistentError(f"{url}: {detail if short else 'what is stored there contradicts itself'}")


def tile_paths(level: int, start: int, stop: int, size: int) -> list[TilePath]:
    """Return the paths at `level` (0 or ENTRIES) that hold the indexes `start <= index < stop` of a tree of `size`."""
    indexes = range(start // TILE_WIDTH, (stop - 1) // TILE_WIDTH + 1)
    return [TilePath(level, index, min(TILE_WIDTH, size - index * TILE_WIDTH)) for index in indexes]


async def _gather(read: Callable[[TilePath], Awaitable[T]], paths: Iterable[TilePath]) -> list[T]:
    permits = asyncio.Semaphore(CONCURRENCY)

    async def one(path: TilePath) -> T:
        async with permits:
            return await read(path)

    async def all_of_them() -> list[T]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(path)) for path in paths]
        return [task.result() for task in tasks]

    try:
        return await in_own_task(all_of_them(), "reading tiles")
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _read_object(bucket: Bucket, key: str, limit: int) -> bytes:
    try:
        return bucket.get(key, limit).data
    except ObjectNotFoundError as error:
        raise LogNotFoundError(str(error)) from error
    except BucketError as error:
        raise LogUnavailableError(str(error)) from error


def _read_file(path: str, limit: int) -> bytes:
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError as error:
        raise LogNotFoundError(f"{path}: not found") from error
    except NotADirectoryError as error:
        raise LogNotFoundError(f"{path}: not found, for a file is where a folder on its way should be") from error
    except IrregularFileError as error:
        raise LogIrregularError(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise LogUnavailableError(f"{path}: {error.strerror}") from error
    if len(data) > limit:
        raise ValueError(f"{path}: more than {limit} bytes")
    return data
