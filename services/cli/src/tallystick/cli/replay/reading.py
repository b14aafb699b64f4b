"""A decisions log, read front to back in stretches; that they are the log's is known when its root comes out at the end.

Every entry is hashed, whole tiles at a time, into the tree that the checkpoint signs: no proof is needed for any one of them.
"""

from collections.abc import AsyncIterator

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import TILE_WIDTH
from tallystick.runtime.log_reader import LogReader

STRETCH = 64 * TILE_WIDTH


class BrokenLogError(Exception):
    """The log's entries are not those that its checkpoint signs; whatever was read of it before is void."""


async def stretches(reader: LogReader, checkpoint: Checkpoint) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Give the log's entries from index 0 on, some thousands at a time, with the first one's index.

    Raises:
        BrokenLogError: They do not hash to the checkpoint's root.
        LogUnavailableError: The log does not answer.
        ValueError: What is served is no tile.
    """
    frontier = Frontier()
    for first in range(0, checkpoint.size, STRETCH):
        entries = await reader.entries(first, min(first + STRETCH, checkpoint.size), checkpoint.size)
        frontier.append(map(leaf_hash, entries))
        yield first, entries
    if frontier.root() != checkpoint.root:
        raise BrokenLogError(
            f"{checkpoint.origin}: its {checkpoint.size:,} entries do not hash to the root that its checkpoint signs;"
            " `tallystick fsck` names the place"
        )
