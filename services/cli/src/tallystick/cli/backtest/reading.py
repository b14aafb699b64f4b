"""The logged decisions of a time, verified, and what may be opened of their evidence."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tallystick.cli.audit import AuditClient, OpenedEvidence
from tallystick.cli.fsck.walk import BrokenError, walk
from tallystick.contracts import Decision, EntryKind
from tallystick.merkle.tiles import TileBuilder
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.commitments import CommitmentError, open_commitment
from tallystick.trust.decisions import GROUPS
from tallystick.trust.errors import TrustError
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.records import open_entry

PLACES = 500

Advance = Callable[[str, int, int], None]
"""Called with a log's origin, how many of its entries are read, and how many there are."""


@dataclass(frozen=True, slots=True)
class Period:
    """Kafka time stamps, in milliseconds since 1970: `from_ms <= t < to_ms`."""

    from_ms: int
    to_ms: int

    def __contains__(self, time_ms: object) -> bool:
        return isinstance(time_ms, int) and self.from_ms <= time_ms < self.to_ms


async def decisions_of(
    location: str, policy: TrustPolicy, period: Period, token: str | None, advance: Advance
) -> AsyncIterator[list[Decision]]:
    """Give the decisions of a period, some thousands at a time, log by log.

    Args:
        location: where the logs are: `file:///directory` or `http(s)://prefix`.
        policy: whom to believe.
        period: which decisions.
        token: a bearer token for entries that are not served to everybody.
        advance: told of progress.

    Raises:
        BrokenError: A log is not what its checkpoint says; what was given before is then void.
        LogUnavailableError: A log does not answer.
    """
    for origin in policy.decisions_origins:
        async with LogReader(f"{location}/{log_name(origin)}", token=token) as reader:
            try:
                checkpoint = policy.log_policy.verify_checkpoint(await reader.checkpoint(), origin).checkpoint
            except ValueError as error:
                raise BrokenError(f"{origin}: the checkpoint is refused: {error}") from error
            builder = TileBuilder()
            async for entries in walk(reader, checkpoint, builder):
                advance(origin, builder.size, checkpoint.size)
                yield _within(entries, period)


def _within(entries: Iterable[bytes], period: Period) -> list[Decision]:
    found = []
    for data in entries:
        try:
            entry = open_entry(data)
            if entry.kind == EntryKind.ENTRY_KIND_DECISION:
                decision = parse_message(Decision, entry.value, "the record")
                if decision.decided_at_ms in period:
                    found.append(decision)
        except TrustError as error:
            raise BrokenError(f"an entry is none: {error}") from error
    return found


class EvidenceReader:
    """What an audit service opens for the holder of a token, each group held against the decision's commitment."""

    def __init__(self, url: str, token: str) -> None:
        self._audit = AuditClient(url, token)

    async def __aenter__(self) -> Self:
        await self._audit.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._audit.__aexit__(*error)

    async def read(self, decisions: Sequence[Decision], groups: Collection[str]) -> list[Mapping[str, bytes] | None]:
        """Return of each decision the groups' contents; None where the evidence is not there, was erased, or is another's.

        Raises:
            AuditUnavailableError: The service refuses or does not answer.
        """
        wanted: dict[int, set[int]] = defaultdict(set)
        for decision in decisions:
            wanted[decision.source_partition].add(decision.sequence)
        found: dict[tuple[int, bytes], OpenedEvidence] = {}
        for partition, sequences in wanted.items():
            for first, count in _stretches(sequences):
                for one in await self._audit.evidence(partition, first, count, groups):
                    if one.sealed is None:
                        found[partition, one.digest] = one
        return [_opened(decision, found.get((decision.source_partition, decision.evidence_digest))) for decision in decisions]


def _stretches(sequences: Iterable[int]) -> list[tuple[int, int]]:
    """Return as few (first, count) as it takes to ask for all of these, each of at most `PLACES`."""
    stretches: list[tuple[int, int]] = []
    for sequence in sorted(sequences):
        if stretches and sequence < stretches[-1][0] + PLACES:
            first = stretches[-1][0]
            stretches[-1] = first, sequence - first + 1
        else:
            stretches.append((sequence, 1))
    return stretches


def _opened(decision: Decision, evidence: OpenedEvidence | None) -> Mapping[str, bytes] | None:
    if evidence is None:
        return None
    committed = {commitment.group: commitment.digest for commitment in decision.commitments}
    try:
        for group, (salt, content) in evidence.groups.items():
            open_commitment(committed[GROUPS[group]], salt, content)
    except (CommitmentError, LookupError):
        return None
    return {group: content for group, (_, content) in evidence.groups.items()}
