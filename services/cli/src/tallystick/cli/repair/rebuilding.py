"""Hash tiles from entries: the whole tree is made again, and what differs from the files is put right.

Hash tiles are a function of the entries, and the signed checkpoint's root of both. So if the entries hash to that root, what
the tiles must be is beyond doubt, whoever damaged them; if not, no tile can be told from a wrong one, and nothing is changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tallystick.cli.fsck.walk import BUNDLES, BrokenError, read_entries
from tallystick.cli.repair.files import TileFiles
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.tiles import TILE_WIDTH, TileBuilder, TilePath
from tallystick.runtime.log_reader import LogReader


@dataclass(frozen=True, slots=True)
class Repaired:
    """How many tiles were looked at, and by its path, for each that was written, where the former one is kept."""

    tiles: int
    written: Mapping[str, str | None]


class UnfinishedError(OSError):
    """A tile could not be put in place; `written` are those that were before it, as in `Repaired`."""

    def __init__(self, path: TilePath, error: OSError, written: Mapping[str, str | None]) -> None:
        super().__init__(f"{path.path()} cannot be put in place: {error}. Mend that, and run this again: it does what is left")
        self.written = written


async def repair(
    reader: LogReader, checkpoint: Checkpoint, head: Checkpoint, files: TileFiles, advance: Callable[[int], None]
) -> Repaired:
    """Make every hash tile of a head's tree what it must be; `advance` is told how many entries are hashed.

    The head is the checkpoint itself, or a larger one that nobody signed yet; then the checkpoint's own partial tiles are made
    too. Requires that the checkpoint's signatures are verified, and that the files are locked.

    Raises:
        BrokenError: The entries are not the checkpoint's, or not the head's; nothing was changed.
        LogUnavailableError: The log cannot be read.
        UnfinishedError: A tile cannot be put in place; those that were are right.
        OSError: A tile cannot be read or written; none was changed.
    """
    builder, wrong, tiles, edges = TileBuilder(), list[TilePath](), 0, dict[TilePath, bytes]()

    def compare(made: Mapping[TilePath, bytes]) -> None:
        nonlocal tiles
        tiles += len(made)
        for path, tile in made.items():
            if not files.holds(path, tile):
                files.stage(path, tile)
                wrong.append(path)

    for known, whose in ((checkpoint, "the checkpoint"), (head, "--head")):
        while builder.size < known.size:
            stop = min(known.size, (builder.size // TILE_WIDTH + BUNDLES) * TILE_WIDTH)
            entries = await read_entries(reader, builder.size, stop, head.size)
            grown = builder.append(leaf_hashes(entries))
            compare({path: tile for path, tile in grown.items() if path.is_full})
            advance(builder.size)
        if builder.size != known.size or builder.root() != known.root:
            raise BrokenError(
                f"the {builder.size:,} entries hash to the root {builder.root().hex()}, and {whose} says"
                f" {known.root.hex()} for {known.size:,}"
            )
        edges |= builder.right_edge()
    compare(edges)
    # From the leaves up, so that no tile is ever newer than one above it that a reader would compare with it.
    wrong.sort(key=lambda path: (path.level, path.index))
    written = dict[str, str | None]()
    for path in wrong:
        try:
            written[path.path()] = files.put(path)
        except OSError as error:
            raise UnfinishedError(path, error, written) from error
    return Repaired(tiles, written)
