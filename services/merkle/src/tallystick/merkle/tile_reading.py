"""Roots and proofs, computed from the tiles of a log (C2SP tlog-tiles, RFC 6962 §2.1).

Which tiles there are depends on the tree's size: every function takes one, and asks for partial tiles of that size's width.
Tiles are not verified here. A wrong tile makes a wrong root or a proof that fails, never a false proof that passes.
"""

from collections.abc import Callable
from typing import Protocol

from tallystick.merkle.frontier import Frontier, fold
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE, perfect_root
from tallystick.merkle.proofs import check_range, check_sizes
from tallystick.merkle.tile_path import TILE_HEIGHT, TILE_WIDTH, TileError, TilePath

ReadTile = Callable[[TilePath], bytes]
"""Returns the bytes of the hash tile at a path, exactly `32 * width` of them. What it raises goes through to the caller."""


def read_within(size: int, read: ReadTile) -> ReadTile:
    """Return how to read the tiles of any smaller tree out of those of the tree of `size`, which begin with the same hashes.

    A log need not serve the partial tiles of a size that it has outgrown, or that no checkpoint ever had.
    """

    def cut(path: TilePath) -> bytes:
        width = min(TILE_WIDTH, (size >> TILE_HEIGHT * path.level) - path.index * TILE_WIDTH)
        return read_hashes(TilePath(path.level, path.index, width), read)[: path.width * HASH_SIZE]

    return cut


class TileNodes(Protocol):
    """The nodes of one tile: row 0 is its hashes, each row above has half as many, the roots over two of the row below."""

    def node(self, above: int, place: int) -> bytes:
        """Return the `place`-th node of row `above`, which must be whole."""

    def siblings(self, above: int, place: int) -> list[bytes]:
        """Return, of a full tile, the siblings met on the way from a node up to the tile's root, which has none here."""


ReadNodes = Callable[[TilePath], TileNodes]
"""Returns the nodes of the tile at a path.

Whoever computes many proofs may keep what it hashes; `nodes_of` keeps nothing.
"""


class _Nodes:
    """The nodes of a tile, hashed from it each time."""

    def __init__(self, tile: bytes) -> None:
        self._tile = tile

    def node(self, above: int, place: int) -> bytes:
        return row_node(self._tile, above, place)

    def siblings(self, above: int, place: int) -> list[bytes]:
        return [row_node(self._tile, height, place >> height - above ^ 1) for height in range(above, TILE_HEIGHT)]


def nodes_of(read: ReadTile) -> ReadNodes:
    """Return the reader of nodes that hashes them from the tiles."""
    return lambda path: _Nodes(read_hashes(path, read))


def row_node(row: bytes, above: int, place: int) -> bytes:
    """Return the root over 2^`above` hashes of a row (a tile, or one made from it), the `place`-th such root."""
    return perfect_root(row[(place << above) * HASH_SIZE : (place + 1 << above) * HASH_SIZE])


def read_hashes(path: TilePath, read: ReadTile) -> bytes:
    """Read one hash tile and check its length.

    Raises:
        TileError: it is not `32 * width` bytes long.
    """
    tile = read(path)
    if len(tile) != path.width * HASH_SIZE:
        raise TileError(f"{path.path()} has {len(tile)} bytes instead of {path.width * HASH_SIZE}")
    return tile


def right_edge(size: int, read: ReadTile) -> list[bytes]:
    """Read the partial tile of every level, level 0 first; empty bytes where the tree has none.

    Raises:
        TileError: the size is out of range, or a tile's length is wrong.
    """
    if not 0 <= size <= MAX_SIZE:
        raise TileError(f"a tree's size must lie between 0 and {MAX_SIZE}, not {size}")
    edge = []
    level = 0
    while size >> TILE_HEIGHT * level:
        index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        edge.append(read_hashes(TilePath(level, index, width), read) if width else b"")
        level += 1
    return edge


def edge_frontier(size: int, edge: list[bytes]) -> Frontier:
    """Return the frontier of a tree whose partial tiles are `edge`, as `right_edge` gives them."""
    hashes = []
    for tile in reversed(edge):
        at, width = 0, len(tile) // HASH_SIZE
        for height in reversed(range(TILE_HEIGHT)):
            if width >> height & 1:
                end = at + (HASH_SIZE << height)
                hashes.append(perfect_root(tile[at:end]))
                at = end
    return Frontier(size, hashes)


def frontier(size: int, read: ReadTile) -> Frontier:
    """Return the right edge of the tree of `size` leaves, from which it can be continued.

    Raises:
        TileError: the size is out of range, or a tile's length is wrong.
    """
    return edge_frontier(size, right_edge(size, read))


def root_hash(size: int, read: ReadTile) -> bytes:
    """Return the root of the tree of `size` leaves, read from its partial tiles alone.

    Raises:
        TileError: the size is out of range, or a tile's length is wrong.
    """
    return frontier(size, read).root()


def inclusion_proof(index: int, size: int, read: ReadTile) -> list[bytes]:
    """Return the sibling hashes from leaf `index` up to the root of `size` leaves (RFC 6962 §2.1.1).

    Raises:
        ProofError: not 0 <= index < size.
        TileError: a tile's length is wrong.
    """
    return Tree(size, nodes_of(read)).inclusion_proof(index)


def consistency_proof(size1: int, size2: int, read: ReadTile) -> list[bytes]:
    """Return the proof that the tree of `size2` leaves extends that of `size1` (RFC 6962 §2.1.2); empty for equal sizes.

    Raises:
        ProofError: not 1 <= size1 <= size2.
        TileError: a tile's length is wrong.
    """
    check_sizes(size1, size2)
    if size1 == size2:
        return []
    return Tree(size2, nodes_of(read)).consistency_proof(size1)


def subtree_root(height: int, index: int, size: int, read: ReadTile) -> bytes:
    """Return the root of the perfect subtree over the leaves from index * 2^height on, in the tree of `size`.

    Raises:
        ProofError: the subtree is not whole in this tree.
        TileError: a tile's length is wrong.
    """
    check_sizes((index + 1) << height, size)
    return Tree(size, nodes_of(read)).node(height, index)


class Tree:
    """The nodes of the tree of one size.

    Args:
        size: the number of leaves.
        read: where tiles' nodes come from; what it raises goes through to the caller.
        right_edge: what is hashed of the tree's right edge is kept here, by height: many proofs have it in common.
    """

    def __init__(self, size: int, read: ReadNodes, right_edge: dict[int, bytes] | None = None) -> None:
        self._size = size
        self._read = read
        self._ragged = {} if right_edge is None else right_edge
        self._tiles: dict[tuple[int, int], TileNodes] = {}

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Return the sibling hashes from leaf `index` up to the root (RFC 6962 §2.1.1), read from the leaf up.

        Raises:
            ProofError: not 0 <= index < size.
            TileError: a tile's length is wrong.
        """
        check_range(index, self._size)
        return self._path(0, index)

    def consistency_proof(self, size: int) -> list[bytes]:
        """Return the proof that this tree, which is larger, extends that of `size` leaves (RFC 6962 §2.1.2).

        Raises:
            TileError: a tile's length is wrong.
        """
        height = (size & -size).bit_length() - 1
        node = (size - 1) >> height
        return ([self.node(height, node)] if node else []) + self._path(height, node)

    def _path(self, height: int, index: int) -> list[bytes]:
        """Return the siblings met on the way up from the node `index` of the row at `height`."""
        hashes: list[bytes] = []
        while (self._size - 1) >> height > 0:
            level, above = divmod(height, TILE_HEIGHT)
            tile, place = divmod(index, TILE_WIDTH >> above)
            if tile + 1 << TILE_HEIGHT * (level + 1) <= self._size:
                hashes += self._nodes(level, tile).siblings(above, place)
            else:
                hashes += self._ragged_siblings(level, tile, above, place)
            height, index = TILE_HEIGHT * (level + 1), tile
        return hashes

    def _ragged_siblings(self, level: int, tile: int, above: int, place: int) -> list[bytes]:
        """Return the siblings on the way up a tile at the right edge, where some are not whole and some are not there."""
        hashes = []
        width = (self._size >> TILE_HEIGHT * level) - tile * TILE_WIDTH
        nodes = self._nodes(level, tile) if width else None
        for row in range(above, TILE_HEIGHT):
            height, sibling = TILE_HEIGHT * level + row, place >> row - above ^ 1
            if nodes is not None and sibling + 1 << row <= width:
                hashes.append(nodes.node(row, sibling))
            elif sibling + (tile << TILE_HEIGHT - row) == (self._size - 1) >> height:
                hashes.append(self._ragged_node(height))
        return hashes

    def node(self, height: int, index: int) -> bytes:
        """Return the root of the perfect subtree over leaves index * 2^height and the 2^height - 1 after it."""
        level, above = divmod(height, TILE_HEIGHT)
        tile, place = divmod(index, TILE_WIDTH >> above)
        return self._nodes(level, tile).node(above, place)

    def _nodes(self, level: int, tile: int) -> TileNodes:
        nodes = self._tiles.get((level, tile))
        if nodes is None:
            width = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - tile * TILE_WIDTH)
            nodes = self._tiles[level, tile] = self._read(TilePath(level, tile, width))
        return nodes

    def _ragged_node(self, height: int) -> bytes:
        """Return the root over the leaves right of the last perfect subtree of `height`."""
        if height not in self._ragged:
            rest = self._size & ((1 << height) - 1)
            start, hashes = self._size - rest, []
            for bit in reversed(range(height)):
                if rest >> bit & 1:
                    hashes.append(self.node(bit, start >> bit))
                    start += 1 << bit
            self._ragged[height] = fold(hashes)
        return self._ragged[height]
