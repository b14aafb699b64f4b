"""Roots and proofs, computed from the tiles of a log (C2SP tlog-tiles, RFC 6962 §2.1).

Which tiles there are depends on the tree's size: every function takes one, and asks for partial tiles of that size's width.
Tiles are not verified here. A wrong tile makes a wrong root or a proof that fails, never a false proof that passes.
"""

from collections.abc import Callable
from functools import partial

from tallystick.merkle.frontier import Frontier, fold
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE, perfect_root
from tallystick.merkle.proofs import check_range, check_sizes
from tallystick.merkle.tile_path import TILE_HEIGHT, TILE_WIDTH, TileError, TilePath

ReadTile = Callable[[TilePath], bytes]
"""Returns the bytes of the hash tile at a path, exactly `32 * width` of them. What it raises goes through to the caller."""


TileNodes = Callable[[int, int], bytes]
"""Returns, for (above, place), the root over 2^`above` hashes of one tile, the `place`-th such root."""

ReadNodes = Callable[[TilePath], TileNodes]
"""Returns the nodes of the tile at a path.

Whoever computes many proofs may keep what it hashes; `nodes_of` keeps nothing.
"""


def nodes_of(read: ReadTile) -> ReadNodes:
    """Return the reader of nodes that hashes them from the tiles."""

    def nodes(path: TilePath) -> TileNodes:
        return partial(row_node, read_hashes(path, read))

    return nodes


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
    return inclusion_path(index, size, nodes_of(read))


def inclusion_path(index: int, size: int, read: ReadNodes) -> list[bytes]:
    """Return what `inclusion_proof` does, from nodes; they are read from the leaf up.

    Raises:
        ProofError: not 0 <= index < size.
        TileError: a tile's length is wrong.
    """
    check_range(index, size)
    return _Tree(size, read).path(0, index)


def consistency_proof(size1: int, size2: int, read: ReadTile) -> list[bytes]:
    """Return the proof that the tree of `size2` leaves extends that of `size1` (RFC 6962 §2.1.2); empty for equal sizes.

    Raises:
        ProofError: not 1 <= size1 <= size2.
        TileError: a tile's length is wrong.
    """
    check_sizes(size1, size2)
    if size1 == size2:
        return []
    tree = _Tree(size2, nodes_of(read))
    height = (size1 & -size1).bit_length() - 1
    node = (size1 - 1) >> height
    return ([tree.node(height, node)] if node else []) + tree.path(height, node)


def subtree_root(height: int, index: int, size: int, read: ReadTile) -> bytes:
    """Return the root of the perfect subtree over the leaves from index * 2^height on, in the tree of `size`.

    Raises:
        ProofError: the subtree is not whole in this tree.
        TileError: a tile's length is wrong.
    """
    check_sizes((index + 1) << height, size)
    return _Tree(size, nodes_of(read)).node(height, index)


class _Tree:
    """The nodes of the tree of one size."""

    def __init__(self, size: int, read: ReadNodes) -> None:
        self._size = size
        self._read = read
        self._tiles: dict[tuple[int, int], TileNodes] = {}

    def path(self, height: int, index: int) -> list[bytes]:
        """Return the siblings met on the way up from the node `index` of the row at `height`."""
        hashes = []
        while (last := (self._size - 1) >> height) > 0:
            sibling = index ^ 1
            if (sibling + 1) << height <= self._size:
                hashes.append(self.node(height, sibling))
            elif sibling == last:
                hashes.append(self._ragged_node(height))
            height += 1
            index >>= 1
        return hashes

    def node(self, height: int, index: int) -> bytes:
        """Return the root of the perfect subtree over leaves index * 2^height and the 2^height - 1 after it."""
        level, above = divmod(height, TILE_HEIGHT)
        tile, at = divmod(index << above, TILE_WIDTH)
        nodes = self._tiles.get((level, tile))
        if nodes is None:
            width = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - tile * TILE_WIDTH)
            nodes = self._tiles[level, tile] = self._read(TilePath(level, tile, width))
        return nodes(above, at >> above)

    def _ragged_node(self, height: int) -> bytes:
        """Return the root over the leaves right of the last perfect subtree of `height`."""
        rest = self._size & ((1 << height) - 1)
        start, hashes = self._size - rest, []
        for bit in reversed(range(height)):
            if rest >> bit & 1:
                hashes.append(self.node(bit, start >> bit))
                start += 1 << bit
        return fold(hashes)
