"""Evidence from an audit service, opened there for the holder of a token."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from tallystick.cli.audit import AuditClient, OpenedEvidence
from tallystick.cli.replay.decided import Decisions
from tallystick.cli.replay.opened import Opened, State

PLACES = 1_000


class EvidenceApi:
    """What an audit service opens in bulk."""

    def __init__(self, audit: AuditClient) -> None:
        self._audit = audit

    async def read(self, origin: str, batches: Sequence[Decisions], groups: Collection[str]) -> list[Opened]:
        """Return the evidence of scored decisions, as far as it is there. Raises AuditUnavailableError."""
        wanted: dict[int, list[int]] = defaultdict(list)
        for batch in batches:
            for partition in np.unique(batch.partitions).tolist():
                wanted[partition] += batch.sequences[batch.partitions == partition].tolist()
        found: dict[tuple[int, bytes], OpenedEvidence] = {}
        for partition, sequences in sorted(wanted.items()):
            for first, count in stretches(sequences):
                for one in await self._audit.evidence(partition, first, count, groups):
                    found[partition, one.digest] = one
        return [_opened(batch, found, groups) for batch in batches]


def stretches(sequences: Iterable[int]) -> list[tuple[int, int]]:
    """Return as few (first, count) as it takes to ask for all of these, each of at most `PLACES`."""
    found: list[tuple[int, int]] = []
    for sequence in sorted(sequences):
        if found and sequence < found[-1][0] + PLACES:
            first = found[-1][0]
            found[-1] = first, sequence - first + 1
        else:
            found.append((sequence, 1))
    return found


def _opened(batch: Decisions, found: Mapping[tuple[int, bytes], OpenedEvidence], groups: Collection[str]) -> Opened:
    rows = len(batch)
    states = np.full(rows, State.MISSING, np.uint8)
    salts = {group: [b""] * rows for group in groups}
    contents = {group: [b""] * rows for group in groups}
    sealed: dict[int, bytes] = {}
    digests = batch.evidence_digests.tobytes()
    for row, partition in enumerate(batch.partitions.tolist()):
        one = found.get((partition, digests[32 * row : 32 * row + 32]))
        if one is not None and one.sealed is not None:
            states[row], sealed[row] = State.ERASED, one.sealed
        elif one is not None and all(group in one.groups for group in groups):
            states[row] = State.OPENED
            for group in groups:
                salts[group][row], contents[group][row] = one.groups[group]
    return Opened(states, salts, contents, sealed)
