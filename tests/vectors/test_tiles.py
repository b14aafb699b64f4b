"""Tile paths and the tiles of a size, as C2SP tlog-tiles and golang/mod's sumdb/tlog have them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.tiles import TileBuilder, TileError, TilePath

FORMAT = json.loads((Path(__file__).parent / "tlog_format.json").read_bytes())


@pytest.mark.parametrize(("index", "written"), FORMAT["c2sp_index_encoding"])
def test_index_encoding(index: int, written: str) -> None:
    """An index is written, and read back, in groups of three digits."""
    path = TilePath(0, index)
    assert path.path() == f"tile/0/{written}"
    assert TilePath.parse(f"tile/0/{written}") == path


@pytest.mark.parametrize(("go_path", "tile"), FORMAT["go_tile_paths_height_in_path"])
def test_go_paths(go_path: str, tile: list[int] | None) -> None:
    """Go's paths, which also name the tile's height, are ours once the height is dropped; what Go refuses is refused."""
    _, height, rest = go_path.split("/", 2)
    path = f"tile/{rest}"
    if tile is None:
        with pytest.raises(TileError):
            TilePath.parse(path)
        return
    _, level, index, width = tile
    parsed = TilePath.parse(path)
    assert (parsed.level, parsed.index) == (level, index)
    assert parsed.is_full if width == 1 << int(height) else parsed.width == width


@pytest.mark.parametrize(("size", "expected"), FORMAT["c2sp_tiles_for_size"])
def test_tiles_for_size(size: int, expected: dict[str, Any]) -> None:
    """A tree of the specification's example sizes has just the tiles that the specification lists."""
    counted: dict[str, int] = {}
    for path in TileBuilder().append(leaf_hashes(b"%d" % i for i in range(size))):
        if path.is_full:
            counted[f"L{path.level}_full"] = counted.get(f"L{path.level}_full", 0) + 1
        else:
            counted[f"L{path.level}_partial"] = path.width
    assert counted == expected
