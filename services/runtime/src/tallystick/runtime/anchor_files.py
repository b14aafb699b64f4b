"""Where anchors lie beside a log, and reading them: by size, and in the order of sizes.

    <log>/anchors/<size div 10^9, 10 digits>/<size mod 10^9, 9 digits>.checkpoint     the signed checkpoint of that size
    <log>/anchors/…/<9 digits>.<by>.json                                            the receipt of authority or contract <by>

With leading zeros, the order of names is the order of sizes, so a listing can begin anywhere.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tallystick.runtime.log_reader import LogUnavailableError

T = TypeVar("T")
FOLDER = "anchors"
MAX_RECEIPT_BYTES = 2**19
_SHARD = 10**9
_RECEIPT = re.compile(r"([0-9]{9})\.([a-z0-9][a-z0-9-]{0,31})\.json")


def receipt_path(size: int, by: str) -> str:
    """Return where, below the log, the receipt of `by` for the head of `size` entries lies."""
    return f"{_stem(size)}.{by}.json"


def checkpoint_path(size: int) -> str:
    """Return where, below the log, the signed checkpoint of an anchored head lies."""
    return f"{_stem(size)}.checkpoint"


class AnchorFiles:
    """The anchors beside one log in a directory; what is read is not verified. All methods raise LogUnavailableError."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def sizes(self, first: int = 0, limit: int = 1000) -> Sequence[int]:
        """Return the sizes, `first` and greater in their order, that have a receipt; at most `limit`."""
        return await _answered(self._sizes, first, limit)

    async def newest(self, by: str) -> int | None:
        """Return the largest size that has a receipt of `by`, None if there is none."""
        return await _answered(self._newest, by)

    async def receipts(self, size: int) -> Mapping[str, bytes]:
        """Return the receipts for the head of `size` entries, by whose they are."""
        return await _answered(self._receipts, size)

    async def covering(self, size: int, limit: int = 8) -> Mapping[str, tuple[int, bytes]]:
        """Return, for each of those who anchor, the receipt for the smallest head of `size` or more entries, with its size."""
        return await _answered(self._covering, size, limit)

    def _sizes(self, first: int, limit: int) -> Sequence[int]:
        found: dict[int, None] = {}
        for size, _ in self._names(first):
            if size not in found and len(found) == limit:
                break
            found[size] = None
        return list(found)

    def _newest(self, by: str) -> int | None:
        for shard in reversed(self._shards()):
            sizes = [size for size, whose in self._names_in(shard) if whose == by]
            if sizes:
                return sizes[-1]
        return None

    def _receipts(self, size: int) -> Mapping[str, bytes]:
        path = self._log / f"{_stem(size)}"
        names = [found for found in self._names_in(size // _SHARD) if found[0] == size] if path.parent.is_dir() else []
        return {by: _read(self._log / receipt_path(size, by)) for _, by in names}

    def _covering(self, size: int, limit: int) -> Mapping[str, tuple[int, bytes]]:
        found: dict[str, tuple[int, bytes]] = {}
        wanted = {by for shard in self._shards()[-1:] for _, by in self._names_in(shard)}
        for at, by in self._names(size):
            if by not in found:
                found[by] = (at, _read(self._log / receipt_path(at, by)))
            if len(found) == limit or wanted <= set(found):
                break
        return found

    def _names(self, first: int) -> Iterator[tuple[int, str]]:
        for shard in self._shards():
            if shard >= first // _SHARD:
                yield from (found for found in self._names_in(shard) if found[0] >= first)

    def _shards(self) -> Sequence[int]:
        folder = self._log / FOLDER
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit()) if folder.is_dir() else []

    def _names_in(self, shard: int) -> Sequence[tuple[int, str]]:
        names = (self._log / FOLDER / f"{shard:010d}").iterdir()
        matches = [match for path in names if (match := _RECEIPT.fullmatch(path.name))]
        return sorted((shard * _SHARD + int(match[1]), match[2]) for match in matches)


def _stem(size: int) -> str:
    return f"{FOLDER}/{size // _SHARD:010d}/{size % _SHARD:09d}"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_RECEIPT_BYTES + 1)
    if len(data) > MAX_RECEIPT_BYTES:
        raise OSError(f"{path}: larger than any receipt")
    return data


async def _answered(function: Callable[..., T], *arguments: object) -> T:
    try:
        return await asyncio.to_thread(function, *arguments)
    except OSError as error:
        raise LogUnavailableError(f"{FOLDER}: {error}") from error
