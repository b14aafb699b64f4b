"""A published log read from storage that was wrong for a while."""

from pathlib import Path

import pytest

from tallystick.audit.errors import InconsistentError
from tallystick.audit.logs import Head, PublishedLog, TileCache
from tallystick.merkle.tiles import TilePath
from tallystick.runtime.log_reader import LogReader

from ..cli.logs import decision_log, decisions, publish
from ..trust.helpers import DECISIONS, World, trust_policy

SIZE = 300


@pytest.mark.parametrize("path", [TilePath(0, 0, 256), TilePath(0, 1, 44), TilePath(1, 0, 1)])
async def test_a_wrong_tile_is_not_believed_for_longer_than_it_is_there(tmp_path: Path, path: TilePath) -> None:
    """Proofs fail while it lies there, and hold as soon as storage was put right, under the same head.

    Fails if anything that was made of the wrong tile is kept: the tile, its rows, or the tree's right edge.
    """
    log = decision_log(decisions(World(), SIZE))
    publish(log, tmp_path)
    published = PublishedLog("decisions", DECISIONS, LogReader(tmp_path.as_uri()), trust_policy().log_policy, TileCache(2**20))
    head, file = await published.head(), tmp_path / path.path()
    right = file.read_bytes()
    file.write_bytes(bytes(len(right)))
    wrong = [index for index in range(SIZE) if not await _proves(published, index, head)]
    assert wrong
    file.write_bytes(right)
    await _proves(published, wrong[0], head)  # what was kept shows once more, and is forgotten
    assert all([await _proves(published, index, head) for index in range(SIZE)])


async def _proves(log: PublishedLog, index: int, head: Head) -> bool:
    try:
        await log.prove(index, head)
    except InconsistentError:
        return False
    return True
