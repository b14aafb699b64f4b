"""Where a log's anchors are read from: the files beside it, or the audit service that serves it.

Both give the same bytes, unverified: `anchored` holds them to the trust policy and to the log.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Protocol

import httpx

from tallystick.merkle.hashing import MAX_SIZE
from tallystick.runtime.anchor_files import MAX_FILE_BYTES, AnchorFiles
from tallystick.runtime.log_reader import (
    MAX_CHECKPOINT_BYTES,
    LogInconsistentError,
    LogNotFoundError,
    LogUnavailableError,
    fetch,
    http_client,
)
from tallystick.trust.strict_json import JsonError, fields, parse_object

MAX_RECEIPTS = 16
"""Of how many who anchor there may be receipts for one head."""
MAX_LIST_BYTES = 2**16
MAX_RECEIPTS_BYTES = MAX_RECEIPTS * MAX_FILE_BYTES + 2 * MAX_CHECKPOINT_BYTES
"""Of an answer: base64 takes no escapes in JSON, and a checkpoint few."""


class AnchorsUnlistedError(LogUnavailableError):
    """Nobody lists the log's anchors here, so none can be looked at."""


@dataclass(frozen=True, slots=True)
class AnchoredHead:
    """What is kept of an anchored head: its signed checkpoint, and the receipts by whose they are."""

    note: bytes
    receipts: Mapping[str, bytes]


class AnchorSource(Protocol):
    """The anchors of one log. Each method raises LogUnavailableError, and ValueError for what is not what it should be."""

    async def sizes(self, first: int, limit: int) -> Sequence[int]:
        """Return the sizes, `first` and greater in their order, whose heads are anchored; at most `limit`.

        Raises:
            AnchorsUnlistedError: Whoever serves the log does not serve its anchors; `first` is 0.
        """
        ...

    async def head(self, size: int) -> AnchoredHead | None:
        """Return what is kept of the head of `size` entries.

        None if there are no receipts, or if the signed checkpoint that belongs to them is missing. What is kept under
        somebody's name and cannot be read may be given as no bytes.
        """
        ...


@asynccontextmanager
async def open_anchors(location: str, name: str) -> AsyncIterator[AnchorSource]:
    """Open the anchors of the log `name` below a `file:` or `http(s):` location."""
    if location.startswith("file:"):
        yield DirectoryAnchors(AnchorFiles(f"{location}/{name}"))
        return
    async with http_client() as http:
        yield ServedAnchors(http, f"{location}/v1/logs/{name}/anchors")


class DirectoryAnchors:
    """Anchors in files beside a log."""

    def __init__(self, files: AnchorFiles) -> None:
        self._files = files

    async def sizes(self, first: int, limit: int) -> Sequence[int]:
        """See `AnchorSource`."""
        return _in_order(await self._files.sizes(first, limit), first, limit)

    async def head(self, size: int) -> AnchoredHead | None:
        """See `AnchorSource`."""
        note = await self._files.checkpoint(size)
        if note is None:
            return None
        note.decode()  # the audit service gives it as text
        return _head(note, await self._files.receipts(size))


class ServedAnchors:
    """Anchors that an audit service gives; it may keep some back, as a directory may lack some.

    Args:
        http: asks for them; they are for everybody, so without a token.
        url: where they are listed: `…/v1/logs/<log>/anchors`.
    """

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url

    async def sizes(self, first: int, limit: int) -> Sequence[int]:
        """See `AnchorSource`."""
        url = f"{self._url}?first={first}&limit={limit}"
        try:
            data = await fetch(self._http, url, MAX_LIST_BYTES)
        except LogNotFoundError as error:
            if first:
                raise
            raise AnchorsUnlistedError(str(error)) from error
        sizes: list[int] = _body(data, url, MAX_LIST_BYTES, {"sizes": list})["sizes"]
        try:
            return _in_order(sizes, first, limit)
        except ValueError as error:
            raise ValueError(f"{url}: {error}") from None

    async def head(self, size: int) -> AnchoredHead | None:
        """See `AnchorSource`."""
        url = f"{self._url}/{size}"
        try:
            data = await fetch(self._http, url, MAX_RECEIPTS_BYTES)
        except LogNotFoundError:
            return None
        except LogInconsistentError as error:
            raise ValueError(str(error)) from error
        shape = {"size": int, "checkpoint": str, "receipts": list, "unreadable": list}
        body = _body(data, url, MAX_RECEIPTS_BYTES, shape, unreadable=[])
        if body["size"] != size:
            raise ValueError(f"{url}: it is not of {size} entries")
        found: dict[str, bytes] = {}
        for by, receipt in (*((_by(receipt), receipt) for receipt in body["receipts"]), *zip(body["unreadable"], repeat(None))):
            if not isinstance(by, str) or by in found:
                raise ValueError(f"{url}: a receipt does not say by whom it is, or another says the same")
            found[by] = b"" if receipt is None else _encoded(receipt, url)
        try:
            return _head(body["checkpoint"].encode(), found)
        except ValueError as error:
            raise ValueError(f"{url}: {error}") from None


def _in_order(sizes: Sequence[int], first: int, limit: int) -> Sequence[int]:
    """Return the sizes. Raises ValueError: they are not as they were asked for."""
    if len(sizes) > limit:
        raise ValueError(f"it lists {len(sizes)} sizes, and was asked for {limit}")
    least = max(first, 1)  # the empty tree is never anchored
    for size in sizes:
        if type(size) is not int or not least <= size <= MAX_SIZE:
            raise ValueError(f"its sizes are not sizes in their order, from {least} on")
        least = size + 1
    return sizes


def _head(note: bytes, receipts: Mapping[str, bytes]) -> AnchoredHead | None:
    """Return the head, None if there are no receipts. Raises ValueError: there are too many."""
    if len(receipts) > MAX_RECEIPTS:
        raise ValueError(f"there are {len(receipts)} receipts, and may be {MAX_RECEIPTS}")
    return AnchoredHead(note, receipts) if receipts else None


def _by(receipt: Any) -> Any:
    return receipt.get("by") if isinstance(receipt, dict) else None


def _body(data: bytes, url: str, limit: int, shape: Mapping[str, type], **earlier: Any) -> dict[str, Any]:
    """Return what is asked for of an answer; what else is in it a later service may have added.

    `earlier`: what to take for what an earlier service does not give.
    """
    try:
        body = {**earlier, **parse_object(data, limit)}
        return fields({name: body[name] for name in shape if name in body}, "the answer", shape)
    except JsonError as error:
        raise ValueError(f"{url}: {error}") from error


def _encoded(receipt: dict[str, Any], url: str) -> bytes:
    try:
        return json.dumps(receipt).encode()
    except RecursionError:
        raise ValueError(f"{url}: a receipt is nested too deep") from None
