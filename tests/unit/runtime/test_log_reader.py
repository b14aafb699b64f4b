"""Which tiles a range of a log needs, and reading a log from a directory."""

import asyncio
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import ENTRIES, TileBuilder, TilePath, encode_bundle, root_hash
from tallystick.runtime.log_reader import LogNotFoundError, LogReader, LogUnavailableError, tile_paths


@pytest.mark.parametrize(
    ("start", "stop", "size", "widths"),
    [
        (0, 1, 1, {0: 1}),
        (0, 256, 256, {0: 256}),
        (0, 257, 257, {0: 256, 1: 1}),
        (255, 257, 1_000, {0: 256, 1: 256}),
        (256, 257, 300, {1: 44}),
        (512, 1_000, 1_000, {2: 256, 3: 232}),
    ],
)
def test_a_range_needs_the_tiles_of_the_trees_size(start: int, stop: int, size: int, widths: dict[int, int]) -> None:
    """Only tiles that the range touches, each as wide as the tree of that size has it."""
    assert tile_paths(0, start, stop, size) == [TilePath(0, index, width) for index, width in widths.items()]


def _write_log(root: Path, entries: list[bytes], steps: tuple[int, ...]) -> None:
    """Write a log's files as it grows through the sizes `steps`, partial tiles of each included."""
    builder = TileBuilder.load(0, lambda path: b"")
    done = 0
    for size in steps:
        files = builder.append([leaf_hash(entry) for entry in entries[done:size]])
        for path in tile_paths(ENTRIES, done // 256 * 256, size, size):
            files[path] = encode_bundle(entries[path.index * 256 : path.index * 256 + path.width])
        for path, data in files.items():
            target = root / path.path()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        done = size
    (root / "checkpoint").write_bytes(b"a checkpoint")


@pytest.fixture
def entries() -> list[bytes]:
    """Make entries of different lengths."""
    return [sha256(b"%d" % number).digest() * (number % 3) for number in range(700)]


async def test_reads_entries_and_leaf_hashes_of_any_range(tmp_path: Path, entries: list[bytes]) -> None:
    """Within, across and at the end of tiles."""
    _write_log(tmp_path, entries, (3, 300, 700))
    async with LogReader(tmp_path.as_uri()) as log:
        assert await log.checkpoint() == b"a checkpoint"
        for start, stop in ((0, 700), (0, 1), (255, 258), (699, 700), (10, 10)):
            assert await log.entries(start, stop, 700) == entries[start:stop]
            assert await log.leaf_hashes(start, stop, 700) == [leaf_hash(entry) for entry in entries[start:stop]]


async def test_a_partial_tile_that_is_gone_is_cut_from_the_full_one(tmp_path: Path, entries: list[bytes]) -> None:
    """A reader with an older checkpoint still finds its entries and hashes."""
    _write_log(tmp_path, entries, (700,))
    log = LogReader(tmp_path.as_uri())
    assert await log.entries(0, 200) == entries[:200]
    assert await log.leaf_hashes(256, 300) == [leaf_hash(entry) for entry in entries[256:300]]


async def test_computes_over_tiles_that_it_fetches(tmp_path: Path, entries: list[bytes]) -> None:
    """A pure computation gets the tiles it asks for."""
    _write_log(tmp_path, entries, (700,))
    expected = TileBuilder.load(0, lambda path: b"")
    expected.append([leaf_hash(entry) for entry in entries])
    assert await LogReader(tmp_path.as_uri()).compute(lambda read: root_hash(700, read)) == expected.root()


async def test_what_the_log_does_not_have_is_said(tmp_path: Path) -> None:
    """No checkpoint yet, or a tile that is missing: the path is in the message."""
    log = LogReader(tmp_path.as_uri())
    with pytest.raises(LogNotFoundError, match="checkpoint"):
        await log.checkpoint()
    with pytest.raises(LogNotFoundError, match="tile/entries/000"):
        await log.entries(0, 256)


async def test_a_tile_of_another_length_is_refused(tmp_path: Path, entries: list[bytes]) -> None:
    """A truncated tile never reaches the computation."""
    _write_log(tmp_path, entries, (700,))
    full = tmp_path / "tile/0/000"
    full.write_bytes(full.read_bytes()[:-1])
    with pytest.raises(ValueError, match="not 256 hashes"):
        await LogReader(tmp_path.as_uri()).leaf_hashes(0, 256)


async def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    """A checkpoint of a megabyte is refused, not held in memory."""
    (tmp_path / "checkpoint").write_bytes(bytes(1_000_000))
    with pytest.raises(ValueError, match="more than"):
        await LogReader(tmp_path.as_uri()).checkpoint()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "directory"])
async def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe in a file's place, which nobody writes to, is told of by its path, and so is a directory."""
    log = LogReader(tmp_path.as_uri())
    make(tmp_path / "checkpoint")
    (tmp_path / "tile/0").mkdir(parents=True)
    make(tmp_path / "tile/0/000")
    with pytest.raises(LogUnavailableError, match=f"{tmp_path}/checkpoint: not a regular file"):
        await asyncio.wait_for(log.checkpoint(), 5)
    with pytest.raises(LogUnavailableError, match=f"{tmp_path}/tile/0/000: not a regular file"):
        await asyncio.wait_for(log.leaf_hashes(0, 256), 5)


@pytest.mark.parametrize("url", ["", "/srv/log", "ftp://host/log", "file://host/log", "https://"])
def test_other_addresses_are_refused(url: str) -> None:
    """Only directories and HTTP."""
    with pytest.raises(ValueError, match="is not file"):
        LogReader(url)
