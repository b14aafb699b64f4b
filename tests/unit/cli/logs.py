"""Whole logs as files, as a notary leaves them."""

from collections.abc import Sequence
from pathlib import Path

from tallystick.contracts import Decision, EntryKind
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TileBuilder, TilePath, encode_bundle

from ..trust.helpers import DECISIONS, Log, World

PARTITIONS = 4


def publish(log: Log, folder: Path, note: bytes | None = None) -> None:
    """Write a log's files below `folder`: tiles, bundles and the checkpoint (`note` if given)."""
    files = dict(TileBuilder().append(leaf_hashes(log.entries)))
    for start in range(0, len(log.entries), TILE_WIDTH):
        bundle = log.entries[start : start + TILE_WIDTH]
        files[TilePath(ENTRIES, start // TILE_WIDTH, len(bundle))] = encode_bundle(bundle)
    for path, data in files.items():
        target = folder / path.path()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_bytes(log.checkpoint() if note is None else note)


def decisions(world: World, count: int) -> list[Decision]:
    """Return decisions in turn over all partitions, each with the next sequence of its partition."""
    made = []
    for index in range(count):
        decision = Decision()
        decision.CopyFrom(world.decision)
        decision.source_partition, decision.sequence = index % PARTITIONS, index // PARTITIONS
        decision.source_offset = 2 * decision.sequence
        made.append(decision)
    return made


def decision_log(made: Sequence[Decision]) -> Log:
    """Return the log of these decisions."""
    log = Log(DECISIONS)
    for decision in made:
        log.append(
            EntryKind.ENTRY_KIND_DECISION, decision.SerializeToString(), topic="decisions", partition=decision.source_partition
        )
    return log
