"""The log's core in memory, one core: appending and checking, beside the bare hashing that neither can do without."""

import asyncio
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import cast

from tallystick.cli.fsck.walk import walk
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TileBuilder, TilePath, encode_bundle
from tallystick.runtime.log_reader import LogReader

from .figures import Row, row

COUNT = 100_000
ENTRY_BYTES = 300
BATCH = 1_000


class _Memory:
    """A log's files in memory, as far as `walk` reads them."""

    def __init__(self, files: dict[TilePath, bytes]) -> None:
        self._files = files

    async def read_tiles(self, paths: Sequence[TilePath]) -> list[bytes]:
        """Return the files."""
        return [self._files[path] for path in paths]


def _append(entries: Sequence[bytes]) -> TileBuilder:
    builder = TileBuilder()
    for start in range(0, len(entries), BATCH):
        builder.append(leaf_hashes(entries[start : start + BATCH]))
    return builder


def _bare(entries: Sequence[bytes]) -> None:
    """Hash as many leaves and nodes, and keep nothing."""
    level = [sha256(b"\x00" + entry).digest() for entry in entries]
    while len(level) > 1:
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]


async def _check(reader: LogReader, checkpoint: Checkpoint) -> None:
    async for _ in walk(reader, checkpoint, TileBuilder()):
        pass


def run(runs: int) -> list[Row]:
    """Append entries to a tree with tiles, and check the log that comes of it as `tallystick fsck` does."""
    entries = [number.to_bytes(8, "big") * (ENTRY_BYTES // 8) + bytes(ENTRY_BYTES % 8) for number in range(COUNT)]
    files = dict(TileBuilder().append(leaf_hashes(entries)))
    for start in range(0, COUNT, TILE_WIDTH):
        bundle = entries[start : start + TILE_WIDTH]
        files[TilePath(ENTRIES, start // TILE_WIDTH, len(bundle))] = encode_bundle(bundle)
    memory, root = cast(LogReader, _Memory(files)), _append(entries).root()
    appended, checked, bare = [], [], []
    for _ in range(runs):
        started = time.perf_counter()
        _append(entries)
        appended.append(COUNT / (time.perf_counter() - started))
        started = time.perf_counter()
        asyncio.run(_check(memory, Checkpoint("bench.example/log", COUNT, root)))
        checked.append(COUNT / (time.perf_counter() - started))
        started = time.perf_counter()
        _bare(entries)
        bare.append(COUNT / (time.perf_counter() - started))
    peer = "bare hashlib leaves and nodes (required: half)"
    return [
        row("append to the tree, with tiles", "entries/s", appended, peer, bare),
        row("fsck of files in memory", "entries/s", checked, peer, bare),
    ]
