"""A log's right edge: what is needed to append, and what an append adds to the public files. Pure."""

from collections.abc import Mapping, Sequence

from tallystick.merkle.encoding import encode_base64
from tallystick.merkle.hashing import HASH_SIZE, leaf_hashes
from tallystick.merkle.tiles import (
    ENTRIES,
    TILE_WIDTH,
    ReadTile,
    TileBuilder,
    TileError,
    TilePath,
    decode_bundle,
    encode_bundle,
)
from tallystick.notary.errors import CorruptLogError


class Tree:
    """The unfinished tiles of every level, and the entries of the unfinished bundle (at most 255). Mutable."""

    def __init__(self, tiles: TileBuilder | None = None, unfinished: Sequence[bytes] = ()) -> None:
        self._tiles = tiles or TileBuilder()
        self._unfinished = list(unfinished)

    @classmethod
    def load(cls, size: int, root: bytes, read: ReadTile) -> "Tree":
        """Read the right edge of the log of `size` entries.

        Raises:
            CorruptLogError: a file is missing or too short, the files do not hash to `root`, or the last bundle's entries not
                to its hash tile.

        """
        repair = f"tallystick repair --head {size}:{encode_base64(root)}"
        try:
            tiles = TileBuilder.load(size, read)
        except CorruptLogError as error:
            raise CorruptLogError(f"{error} (with the database's head: `{repair}`)") from error
        except TileError as error:
            raise CorruptLogError(f"{error}: `{repair}` makes damaged hash tiles anew from the entries") from error
        if tiles.root() != root:
            raise CorruptLogError(
                f"the tiles hash to {tiles.root().hex()} at size {size}, the database says {root.hex()}: "
                "restore the log directory from a backup that is as new as the database; if only hash tiles are damaged, "
                f"`{repair}` makes them anew from the entries"
            )
        index, width = divmod(size, TILE_WIDTH)
        if not width:
            return cls(tiles)
        unfinished = decode_bundle(read(TilePath(ENTRIES, index, width)), width)
        if b"".join(leaf_hashes(unfinished)) != read(TilePath(0, index, width))[: width * HASH_SIZE]:
            raise CorruptLogError(f"the entries from {index * TILE_WIDTH} to {size} do not hash to their tile")
        return cls(tiles, unfinished)

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._tiles.size

    def root(self) -> bytes:
        """Return the root over all entries."""
        return self._tiles.root()

    def append(self, entries: Sequence[bytes]) -> Mapping[TilePath, bytes]:
        """Append entries; return every public file that the new size adds: bundles first, then hash tiles.

        Partial files of the sizes passed on the way are not among them: only a size that gets a checkpoint needs its own.
        """
        index = self.size // TILE_WIDTH
        pending = [*self._unfinished, *entries]
        files: dict[TilePath, bytes] = {}
        for start in range(0, len(pending), TILE_WIDTH):
            bundle = pending[start : start + TILE_WIDTH]
            files[TilePath(ENTRIES, index + start // TILE_WIDTH, len(bundle))] = encode_bundle(bundle)
        files |= self._tiles.append(leaf_hashes(entries))
        self._unfinished = pending[len(pending) - len(pending) % TILE_WIDTH :]
        return files
