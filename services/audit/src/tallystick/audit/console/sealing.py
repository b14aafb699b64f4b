"""What sealers say of the input, newest first: read from the seals' log, the signatures of what is shown checked here too."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from tallystick.audit.console.charts import Cell
from tallystick.audit.logs import PublishedLog
from tallystick.contracts import EntryKind, Seal, SealStatement
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import open_entry
from tallystick.trust.seals import SignedSeal, gaps_of, open_seal

LOOKED_AT = 1_024
"""Entries looked at from the end back: of one sealer a quarter of an hour. What it says once is not in its next seal."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What sealers said lately of one topic.

    Attributes:
        seals: the newest seal of each, by name.
        gaps: what any of them found to be missing, newest first, a sentence each.
        silent: whose word was looked for in vain.
    """

    seals: list[SignedSeal]
    gaps: list[str]
    silent: list[str]


async def sealed_lately(log: PublishedLog, policy: TrustPolicy, topic: str) -> Sealed:
    """Return what sealers said lately. Raises UnavailableError."""
    head = await log.head()
    entries = await log.stretch(max(0, head.size - LOOKED_AT), head.size, head) if head.size else []
    return await asyncio.to_thread(told_by, entries, policy, topic)


def told_by(entries: Sequence[bytes], policy: TrustPolicy, topic: str) -> Sealed:
    """Return what sealers say of a topic in a log's entries, in their order; what is no seal of theirs means nothing here."""
    newest: dict[str, SignedSeal] = {}
    gaps: dict[str, None] = {}
    for data in reversed(entries):
        try:
            value = open_entry(data, EntryKind.ENTRY_KIND_SEAL).value
            if not (_tells_of_a_gap(value) or Seal.FromString(value).sealer not in newest):
                continue
            seal = open_seal(value, policy)
        except (TrustError, DecodeError):
            continue  # no seal, or of nobody who is known: `tallystick completeness` tells
        if seal.statement.topic == topic:
            newest.setdefault(seal.sealer, seal)
            gaps |= dict.fromkeys(gaps_of(seal))
    silent = sorted({sealer.name for sealer in policy.sealers} - newest.keys())
    return Sealed([newest[name] for name in sorted(newest)], list(gaps), silent)


def _tells_of_a_gap(value: bytes) -> bool:
    """Look without checking a signature: of thousands of seals none may tell of one."""
    return any(one.gap for one in SealStatement.FromString(Seal.FromString(value).statement).partitions)


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
