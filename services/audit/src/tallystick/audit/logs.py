"""A log as it is published: its checkpoint, and entries and proofs read from its tiles.

Whoever answers a request takes one `Head` and builds everything against it, so that the answer is of one tree though the log
grows meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from tallystick.audit.errors import InconsistentError, OutOfRangeError, UnavailableError, UnknownError
from tallystick.audit.lru import ByteCache
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import HASH_SIZE, leaf_hash, parents
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proofs import ProofError, verify_inclusion
from tallystick.merkle.tile_reading import TileNodes, Tree, row_node
from tallystick.merkle.tiles import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    ReadTile,
    TilePath,
    consistency_proof,
    decode_bundle,
    encode_bundle,
    root_hash,
)
from tallystick.runtime.log_reader import LogNotFoundError, LogReader, LogUnavailableError
from tallystick.trust.bundle_format import LoggedEntry

T = TypeVar("T")
ROW_HEIGHT = 4
_OF_ROWS = _OF_BUNDLES = 1 / 8

Key = tuple[str, int, int, int]
"""A log's name, and a tile's level, index and width: nothing that the garbage collector need look through."""


class TileCache:
    """What all logs together keep of their tiles, which never change.

    What is not kept is read from storage; where that takes a thread, it takes longer than the rest of a proof.

    Args:
        limit_bytes: an eighth of it is for entry bundles, an eighth for rows of tiles, the rest for hash tiles.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.rows: ByteCache[Key] = ByteCache(int(limit_bytes * _OF_ROWS))
        self.bundles: ByteCache[Key] = ByteCache(int(limit_bytes * _OF_BUNDLES))
        self.tiles: ByteCache[Key] = ByteCache(int(limit_bytes * (1 - _OF_ROWS - _OF_BUNDLES)))

    def forget(self, name: str) -> None:
        """Keep nothing of one log any more."""
        for cache in (self.rows, self.bundles, self.tiles):
            cache.drop(lambda key: key[0] == name)

    def of(self, path: TilePath) -> ByteCache[Key]:
        """Return where the tile or bundle at a path is kept."""
        return self.bundles if path.level == ENTRIES else self.tiles


@dataclass(frozen=True, slots=True)
class Head:
    """A published checkpoint: the signed note as it was read, what it says, and when which witness cosigned it (Unix time)."""

    note: bytes
    checkpoint: Checkpoint
    cosigned: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the number of entries."""
        return self.checkpoint.size


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the log's tree of `first` entries begins the one of `second`: both roots, and the proof."""

    first: int
    second: int
    first_root: bytes
    second_root: bytes
    proof: list[bytes]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf hash is at `index` of the log's tree of `size` entries: the tree's root, and the proof, leaf to root."""

    index: int
    size: int
    leaf: bytes
    root: bytes
    proof: list[bytes]


class PublishedLog:
    """One log, `name` being the end of its origin; every method raises UnavailableError if storage does not answer."""

    def __init__(self, name: str, origin: str, reader: LogReader, policy: LogPolicy, cache: TileCache) -> None:
        self.name = name
        self.origin = origin
        self._reader = reader
        self._policy = policy
        self._cache = cache
        self._head: Head | None = None
        self._size = 0
        self._right_edge: dict[int, bytes] = {}

    @property
    def component(self) -> str:
        """What health calls it."""
        return f"{self.name}-log"

    async def head(self) -> Head:
        """Return the newest checkpoint, its signatures checked against the trust policy."""
        try:
            note = await self._reader.checkpoint()
            if self._head is None or note != self._head.note:
                verified = self._policy.verify_checkpoint(note, self.origin)
                self._head = Head(note, verified.checkpoint, verified.cosigned)
        except LogNotFoundError as error:
            raise UnavailableError(self.component, "no checkpoint has been published yet") from error
        except (LogUnavailableError, ValueError) as error:
            raise UnavailableError(self.component, str(error)) from error
        return self._head

    async def entry(self, index: int, head: Head) -> bytes:
        """Return the exact bytes of entry `index`, which must be below the head's size."""
        bundle = index // TILE_WIDTH
        path = TilePath(ENTRIES, bundle, min(TILE_WIDTH, head.size - bundle * TILE_WIDTH))
        data = await self._read(path, head)
        try:
            return decode_bundle(data, path.width)[index % TILE_WIDTH]
        except ValueError as error:
            raise UnavailableError(self.component, f"{path.path()}: {error}") from error

    async def stretch(self, start: int, stop: int, head: Head) -> list[bytes]:
        """Return the exact bytes of the entries `start <= index < stop`, as they are stored, not held against the root."""
        try:
            return await self._reader.entries(start, stop, head.size)
        except (LogUnavailableError, ValueError) as error:
            raise UnavailableError(self.component, str(error)) from error

    async def prove(self, index: int, head: Head) -> LoggedEntry:
        """Return entry `index` with its proof of inclusion in the head, which was verified here too.

        Raises:
            InconsistentError: the stored entry, tiles and checkpoint do not agree.
        """
        return await self.prove_in(index, head.size, head.checkpoint.root, head)

    async def prove_in(self, index: int, size: int, root: bytes, head: Head) -> LoggedEntry:
        """Return entry `index` with its proof of inclusion in the tree of `size` entries, an older one perhaps than the head's.

        Raises:
            InconsistentError: the stored entry, tiles and `root` do not agree.
        """
        entry = await self.entry(index, head)
        proof = await self._compute(lambda read: self._tree(size, read).inclusion_proof(index), head)
        try:
            verify_inclusion(index, size, leaf_hash(entry), proof, root)
        except ProofError as error:
            self._forget()
            raise InconsistentError(f"The stored {self.name} log does not agree with its checkpoint: {error}.") from error
        return LoggedEntry(index, entry, proof)

    async def inclusion(self, index: int, size: int | None) -> Inclusion:
        """Prove which leaf hash is at `index` of the tree of `size` entries (None: the newest checkpoint's).

        Raises:
            OutOfRangeError: not 0 <= index < size <= the published size.
        """
        head = await self.head()
        within = head.size if size is None else size
        if not 0 <= index < within <= head.size:
            raise OutOfRangeError(f"It must be 0 <= index < size <= {head.size}, the published size.")
        place = TilePath(0, index // TILE_WIDTH, min(TILE_WIDTH, within - index // TILE_WIDTH * TILE_WIDTH))

        def prove(read: ReadTile) -> Inclusion:
            at = index % TILE_WIDTH * HASH_SIZE
            leaf = read(place)[at : at + HASH_SIZE]
            root = head.checkpoint.root if within == head.size else root_hash(within, read)
            return Inclusion(index, within, leaf, root, self._tree(within, read).inclusion_proof(index))

        return await self._compute(prove, head, place)

    async def consistency(self, first: int, second: int | None) -> Consistency:
        """Prove that the tree of `first` entries begins the tree of `second` (None: the newest checkpoint's).

        Raises:
            OutOfRangeError: not 1 <= first <= second <= the published size.
        """
        head = await self.head()
        last = head.size if second is None else second
        if not 1 <= first <= last <= head.size:
            raise OutOfRangeError(f"The sizes must be 1 <= first <= second <= {head.size}, the published size.")
        proof = await self._compute(lambda read: consistency_proof(first, last, read), head)
        first_root = await self._compute(lambda read: root_hash(first, read), head)
        second_root = await self._compute(lambda read: root_hash(last, read), head)
        return Consistency(first, last, first_root, second_root, proof)

    async def tile(self, path: TilePath) -> bytes:
        """Return a tile or entry bundle of any width that the published tree has had.

        Raises:
            UnknownError: the published tree has no such tile.
        """
        head = await self.head()
        if path.width > _width(path, head.size):
            raise UnknownError(f"The {self.name} log of {head.size} entries has no such tile.")
        return await self._read(path, head)

    async def _compute(self, compute: Callable[[ReadTile], T], head: Head, *needed: TilePath) -> T:
        """Run a pure computation over tiles, from its beginning whenever it asks for one that has to be fetched first.

        Proofs are read from the leaf up: what has to be fetched is asked for before much was hashed. Tiles known to be `needed`
        are fetched before.
        """
        fetched = {path: await self._read(path, head) for path in needed}

        def read(path: TilePath) -> bytes:
            tile = fetched.get(path) or self._cache.of(path).get(self._key(path))
            if tile is None:
                raise _NotReadError(path)
            return tile

        while True:
            try:
                return compute(read)
            except _NotReadError as missing:
                fetched[missing.path] = await self._read(missing.path, head)

    def _tree(self, size: int, read: ReadTile) -> Tree:
        """Return the tree of a size; the right edge of the one that was asked for last is kept."""
        if size != self._size:
            self._size, self._right_edge = size, {}
        return Tree(size, partial(self._nodes, read), self._right_edge)

    def _nodes(self, read: ReadTile, path: TilePath) -> TileNodes:
        """Return a tile's nodes, keeping the upper rows of a leaf tile, and all rows of what is above the leaves.

        A proof needs eight nodes of a tile. Hashed from the tile they cost 247 hashes; from the kept rows of a leaf tile, which
        are 960 bytes, 11; and there are 256 times fewer of the others.
        """
        lowest = ROW_HEIGHT if path.level == 0 else 0
        key = self._key(path)
        rows = self._cache.rows.get(key)
        if rows is None:
            rows = _rows(read(path), lowest)
            self._cache.rows.put(key, rows)
        return _KeptNodes(path, lowest, rows, read)

    def _forget(self) -> None:
        """Read all tiles anew: one that is kept may be wrong, and storage have been put right."""
        self._size, self._right_edge = 0, {}
        self._cache.forget(self.name)

    async def _read(self, path: TilePath, head: Head) -> bytes:
        """Return a tile by way of the widest that the head has: storage need not keep narrower ones."""
        widest = TilePath(path.level, path.index, min(TILE_WIDTH, _width(path, head.size)))
        try:
            return _cut(await self._fetch(widest), widest.width, path)
        except (LogUnavailableError, ValueError) as error:
            raise UnavailableError(self.component, str(error)) from error

    async def _fetch(self, path: TilePath) -> bytes:
        """Tiles are kept, for one of a given width never changes."""
        kept, key = self._cache.of(path), self._key(path)
        data = kept.get(key)
        if data is None:
            data = await self._reader.read_tile(path)
            kept.put(key, data)
        return data

    def _key(self, path: TilePath) -> Key:
        return self.name, path.level, path.index, path.width


class _NotReadError(Exception):
    """A computation asks for a tile that is not in memory."""

    def __init__(self, path: TilePath) -> None:
        super().__init__(path)
        self.path = path


class _KeptNodes:
    """The nodes of a tile of which the rows from `lowest` up are kept, one behind the other."""

    def __init__(self, path: TilePath, lowest: int, rows: bytes, read: ReadTile) -> None:
        self._path = path
        self._lowest = lowest
        self._rows = rows
        self._read = read

    def node(self, above: int, place: int) -> bytes:
        if above < self._lowest:
            return row_node(self._read(self._path), above, place)
        return self._at(sum([self._path.width >> height for height in range(self._lowest, above)]) + place)

    def siblings(self, above: int, place: int) -> list[bytes]:
        lowest, hashes, before = self._lowest, list[bytes](), 0
        if above < lowest:
            tile = self._read(self._path)
            hashes = [row_node(tile, height, place >> height - above ^ 1) for height in range(above, lowest)]
        for height in range(lowest, TILE_HEIGHT):
            if height >= above:
                hashes.append(self._at(before + (place >> height - above ^ 1)))
            before += TILE_WIDTH >> height
        return hashes

    def _at(self, place: int) -> bytes:
        return self._rows[place * HASH_SIZE : (place + 1) * HASH_SIZE]


def _rows(tile: bytes, lowest: int) -> bytes:
    """Return the tile's rows from height `lowest` up, one behind the other; nodes that are not whole are in none."""
    rows, row = [tile] if lowest == 0 else [], tile
    for height in range(1, TILE_HEIGHT):
        row = parents(row[: len(row) // (2 * HASH_SIZE) * 2 * HASH_SIZE])
        if height >= lowest:
            rows.append(row)
    return b"".join(rows)


def _width(path: TilePath, size: int) -> int:
    """Return how many items there are from the tile's first on in a tree of `size`; not positive if there are none."""
    level = 0 if path.level == ENTRIES else path.level
    return (size >> TILE_HEIGHT * level) - path.index * TILE_WIDTH


def _cut(data: bytes, width: int, path: TilePath) -> bytes:
    if path.width == width:
        return data
    if path.level == ENTRIES:
        return encode_bundle(decode_bundle(data, width)[: path.width])
    return data[: path.width * HASH_SIZE]
