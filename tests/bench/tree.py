"""The log's core in memory, beside the bare hashing that it cannot do without."""

import time
from hashlib import sha256

from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import TileBuilder, TilePath

from .figures import Row, row

ENTRIES = 100_000
ENTRY_BYTES = 400


def _nothing(path: TilePath) -> bytes:
    raise LookupError(f"an empty tree has no {path}")


def run(runs: int) -> list[Row]:
    """Append entries to a tree with tiles; the peer hashes as many leaves and nodes and keeps nothing."""
    entries = [number.to_bytes(8, "big") * (ENTRY_BYTES // 8) for number in range(ENTRIES)]
    appended, bare = [], []
    for _ in range(runs):
        started = time.perf_counter()
        builder = TileBuilder.load(0, _nothing)
        for start in range(0, ENTRIES, 1_000):
            builder.append([leaf_hash(entry) for entry in entries[start : start + 1_000]])
        appended.append(ENTRIES / (time.perf_counter() - started))
        started = time.perf_counter()
        level = [sha256(b"\x00" + entry).digest() for entry in entries]
        while len(level) > 1:
            level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        bare.append(ENTRIES / (time.perf_counter() - started))
    return [row("append to the tree, with tiles", "entries/s", appended, "bare hashlib leaves and nodes", bare)]
