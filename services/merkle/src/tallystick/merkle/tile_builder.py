"""Append to a log: the tiles that each new size adds (C2SP tlog-tiles). What a log's writer runs on."""

from collections.abc import Sequence

from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE, join_hashes, parents
from tallystick.merkle.tile_path import TILE_HEIGHT, TILE_WIDTH, TileError, TilePath
from tallystick.merkle.tile_reading import ReadTile, edge_frontier, right_edge

_TILE_BYTES = TILE_WIDTH * HASH_SIZE


class TileBuilder:
    """The right-edge tiles of every level, in memory: at most 255 hashes a level.

    Mutable; not safe for use by several threads at once. To try an append and keep the old state, append to a `copy()`.
    """

    __slots__ = ("_edge", "_size")

    def __init__(self) -> None:
        """Start with an empty tree."""
        self._size = 0
        self._edge: list[bytes] = []

    @classmethod
    def load(cls, size: int, read: ReadTile) -> "TileBuilder":
        """Continue the tree of `size` leaves, from its partial tiles. Check `root()` before trusting them.

        Raises:
            TileError: the size is out of range, or a tile's length is wrong.
        """
        builder = cls()
        builder._edge = right_edge(size, read)
        builder._size = size
        return builder

    @property
    def size(self) -> int:
        """The number of leaves so far."""
        return self._size

    def root(self) -> bytes:
        """Return the tree's root (RFC 6962 §2.1). Hashes the right edge: under a millisecond, once a batch."""
        return edge_frontier(self._size, self._edge).root()

    def right_edge(self) -> dict[TilePath, bytes]:
        """Return the partial tile of every level that has one."""
        return {
            TilePath(level, self._size >> TILE_HEIGHT * (level + 1), len(tile) // HASH_SIZE): tile
            for level, tile in enumerate(self._edge)
            if tile
        }

    def copy(self) -> "TileBuilder":
        """Return an independent copy; cheap, tiles are shared."""
        twin = TileBuilder()
        twin._size = self._size
        twin._edge = list(self._edge)
        return twin

    def append(self, leaf_hashes: Sequence[bytes]) -> dict[TilePath, bytes]:
        """Append leaves, given by their hashes, and return every tile, full or partial, that the new size adds, of all levels.

        Partial tiles of the sizes passed on the way are not among them: only sizes that get a checkpoint need theirs.
        Nothing changes if it raises.

        Raises:
            HashError: a hash is not 32 bytes.
            TileError: the tree would grow beyond `MAX_SIZE`.
        """
        nodes = join_hashes(leaf_hashes)
        if self._size + len(leaf_hashes) > MAX_SIZE:
            raise TileError(f"a tree cannot have more than {MAX_SIZE} leaves")
        tiles: dict[TilePath, bytes] = {}
        level = 0
        while nodes:
            nodes = self._append_level(level, nodes, tiles)
            level += 1
        self._size += len(leaf_hashes)
        return tiles

    def _append_level(self, level: int, nodes: bytes, tiles: dict[TilePath, bytes]) -> bytes:
        """Append nodes to one level; add its tiles to `tiles`, and return the roots of those that became full."""
        if level == len(self._edge):
            self._edge.append(b"")
        row = self._edge[level] + nodes
        index = self._size >> TILE_HEIGHT * (level + 1)
        whole = len(row) - len(row) % _TILE_BYTES
        for at in range(0, whole, _TILE_BYTES):
            tiles[TilePath(level, index)] = row[at : at + _TILE_BYTES]
            index += 1
        rest = row[whole:]
        if rest:
            tiles[TilePath(level, index, len(rest) // HASH_SIZE)] = rest
        self._edge[level] = rest
        roots = row[:whole]
        for _ in range(TILE_HEIGHT):  # a partial tile is never hashed into the level above
            roots = parents(roots)
        return roots
