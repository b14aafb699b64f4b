"""What sealers say of the input, newest first: read from the seals' log, each signature checked here too."""

from collections.abc import Sequence

from tallystick.audit.console.charts import Cell
from tallystick.audit.logs import PublishedLog
from tallystick.contracts import EntryKind
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import open_entry
from tallystick.trust.seals import SignedSeal, open_seal

LOOKED_AT = 64
"""Entries looked at from the end back for a word of each sealer."""


async def newest_seals(log: PublishedLog, policy: TrustPolicy) -> list[SignedSeal]:
    """Return the newest seal of each sealer that sealed lately, by name. Raises UnavailableError."""
    head = await log.head()
    found: dict[str, SignedSeal] = {}
    for index in range(head.size - 1, max(-1, head.size - 1 - LOOKED_AT), -1):
        try:
            entry = open_entry(await log.entry(index, head), EntryKind.ENTRY_KIND_SEAL)
            seal = open_seal(entry.value, policy)
        except TrustError:
            continue  # no seal, or of nobody who is known: `tallystick completeness` tells
        found.setdefault(seal.sealer, seal)
        if len(found) == len(policy.sealers):
            break
    return [found[name] for name in sorted(found)]


def to_cells(standing: Sequence[tuple[int, int, int]], seals: Sequence[SignedSeal]) -> list[Cell]:
    """Return the strip's cells: of several sealers the one that is furthest behind counts.

    Args:
        standing: by partition, its number, how many records were decided, how many of these are logged.
        seals: each sealer's newest.
    """
    sealed: dict[int, int] = {}
    for seal in seals:
        for said in seal.statement.partitions:
            sealed[said.partition] = min(said.next_sequence, sealed.get(said.partition, said.next_sequence))
    return [
        Cell(partition, max(decided, logged), logged, sealed.get(partition, 0) if seals else None)
        for partition, decided, logged in standing
    ]
