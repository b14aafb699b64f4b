"""The walk over one log's files: each entry bundle is hashed, and what comes of it must be every tile that is served.

Memory is bounded by `BUNDLES` bundles, whatever the log's size.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import HASH_SIZE, leaf_hashes
from tallystick.merkle.proofs import verify_consistency
from tallystick.merkle.tiles import (
    ENTRIES,
    TILE_WIDTH,
    TileBuilder,
    TileError,
    TilePath,
    consistency_proof,
    decode_bundle,
    read_within,
)
from tallystick.runtime.log_reader import LogIrregularError, LogNotFoundError, LogReader, tile_paths

BUNDLES = 16
"""Bundles read at a time: at most 256 MiB, usually about 1."""


class BrokenError(ValueError):
    """The first place at which a log is not sound; the message says which file or entry, and what is wrong there."""


@contextmanager
def reading() -> Iterator[None]:
    """Say of a log's file that is missing, no file, too short or too long that the log is broken there.

    What else hinders the reading says nothing of the log, and is passed on; so is what Merkle proofs make of the tiles.
    """
    try:
        yield
    except MerkleError:
        raise
    except LogNotFoundError as error:
        raise BrokenError(f"a file is missing: {error}") from error
    except (LogIrregularError, ValueError) as error:
        raise BrokenError(str(error)) from error


async def walk(reader: LogReader, checkpoint: Checkpoint, builder: TileBuilder) -> AsyncIterator[list[bytes]]:
    """Give the entries from `builder.size` to the checkpoint's size, a stretch at a time, each verified against the tiles.

    `builder` holds the tree so far and grows with each stretch. That the whole is the checkpoint's tree is known only when the
    walk has ended.

    Raises:
        BrokenError: A file is missing or wrong, or the entries do not hash to the checkpoint's root.
        LogUnavailableError: The log does not answer.
    """
    while builder.size < checkpoint.size:
        stop = min(checkpoint.size, (builder.size // TILE_WIDTH + BUNDLES) * TILE_WIDTH)
        entries = await read_entries(reader, builder.size, stop, checkpoint.size)
        grown = builder.append(leaf_hashes(entries))
        # Of a size that is passed on the way only the full tiles are the log's; the partial ones of the last size follow.
        await _compare(reader, {path: tile for path, tile in grown.items() if path.is_full})
        yield entries
    await _compare(reader, builder.right_edge())
    if builder.root() != checkpoint.root:
        raise BrokenError(
            f"the {checkpoint.size:,} entries hash to the root {builder.root().hex()}, and the checkpoint says "
            f"{checkpoint.root.hex()}"
        )


async def resumed(reader: LogReader, checkpoint: Checkpoint, size: int, root: bytes) -> TileBuilder:
    """Return the tree of the `size` entries that an earlier walk has verified, once the checkpoint's tree begins with them.

    Raises:
        BrokenError: It does not, or the tiles that would show it are wrong.
    """
    if size == 0:
        return TileBuilder()
    if size > checkpoint.size:
        raise BrokenError(f"it has {checkpoint.size:,} entries, and {size:,} were checked before: the log was rolled back")
    try:
        with reading():
            proof = await reader.compute(lambda read: consistency_proof(size, checkpoint.size, read))
            verify_consistency(size, checkpoint.size, root, checkpoint.root, proof)
            builder = await reader.compute(lambda read: TileBuilder.load(size, read_within(checkpoint.size, read)))
    except MerkleError as error:
        raise BrokenError(f"it does not begin with the {size:,} entries that were checked before: {error}") from error
    if builder.root() != root:
        raise BrokenError(f"the tiles of the first {size:,} entries are no longer those that were checked before")
    return builder


async def read_entries(reader: LogReader, start: int, stop: int, size: int) -> list[bytes]:
    """Return the entries `start <= index < stop` of the tree of `size`. Raises as `walk`."""
    paths = tile_paths(ENTRIES, start, stop, size)
    entries: list[bytes] = []
    for path, data in zip(paths, await _read(reader, paths), strict=True):
        try:
            entries += decode_bundle(data, path.width)
        except TileError as error:
            raise BrokenError(f"{path.path()}: {error}") from error
    first = start // TILE_WIDTH * TILE_WIDTH
    return entries[start - first : stop - first]


async def _compare(reader: LogReader, expected: dict[TilePath, bytes]) -> None:
    paths = sorted(expected, key=lambda path: (path.level, path.index))
    for path, served in zip(paths, await _read(reader, paths), strict=True):
        if served != expected[path]:
            raise BrokenError(_difference(path, served, expected[path]))


async def _read(reader: LogReader, paths: Sequence[TilePath]) -> list[bytes]:
    try:
        with reading():
            return await reader.read_tiles(paths)
    except MerkleError as error:  # a full bundle, read in a partial one's place
        raise BrokenError(str(error)) from error


def _difference(path: TilePath, served: bytes, expected: bytes) -> str:
    place = (
        next(at for at in range(0, len(expected), HASH_SIZE) if served[at : at + HASH_SIZE] != expected[at : at + HASH_SIZE])
        // HASH_SIZE
    )
    if path.level == 0:
        entry = path.index * TILE_WIDTH + place
        bundle = TilePath(ENTRIES, path.index, path.width).path()
        return f"entry {entry:,}: its bytes in {bundle} do not hash to hash {place} of {path.path()}"
    return f"{path.path()}: hash {place} is not the root of the tile below it"
