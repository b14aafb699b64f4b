"""The logged decisions of a time, verified, and what may be opened of their evidence."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from tallystick.cli.fsck.walk import BrokenError, walk
from tallystick.contracts import Decision, EntryKind
from tallystick.merkle.encoding import decode_base64
from tallystick.merkle.tiles import TileBuilder
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.commitments import CommitmentError, open_commitment
from tallystick.trust.decisions import GROUPS
from tallystick.trust.errors import TrustError
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.records import open_entry

PLACES = 500
TIMEOUT_S = 60.0

Advance = Callable[[str, int, int], None]
"""Called with a log's origin, how many of its entries are read, and how many there are."""


class EvidenceUnavailableError(OSError):
    """The audit service does not give evidence; the message says why."""


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
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, headers={"authorization": f"Bearer {token}"})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def read(self, decisions: Sequence[Decision], groups: Iterable[str]) -> list[Mapping[str, bytes] | None]:
        """Return of each decision the groups' contents; None where the evidence is not there, was erased, or is another's.

        Raises:
            EvidenceUnavailableError: The service refuses or does not answer.
        """
        disclose = ",".join(sorted(groups))
        wanted: dict[int, set[int]] = defaultdict(set)
        for decision in decisions:
            wanted[decision.source_partition].add(decision.sequence)
        found: dict[tuple[int, str], list[dict[str, str]]] = {}
        for partition, sequences in wanted.items():
            for first, count in _stretches(sequences):
                answer = await self._get(f"/v1/evidence/{partition}/{first}", {"count": count, "disclose": disclose})
                for one in answer["evidence"]:
                    found[partition, one["digest"]] = one["openings"]
        return [
            _opened(decision, found.get((decision.source_partition, decision.evidence_digest.hex()))) for decision in decisions
        ]

    async def _get(self, path: str, query: Mapping[str, int | str]) -> dict[str, Any]:
        try:
            response = await self._http.get(self._url + path, params=dict(query))
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except httpx.HTTPStatusError as error:
            raise EvidenceUnavailableError(f"{self._url} answers {error.response.status_code}: {_detail(error)}") from error
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise EvidenceUnavailableError(f"{self._url}: {error or type(error).__name__}") from error
        return answer


def _detail(error: httpx.HTTPStatusError) -> str:
    try:
        return str(error.response.json()["detail"])
    except (ValueError, LookupError, TypeError):
        return error.response.reason_phrase


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


def _opened(decision: Decision, openings: Sequence[Mapping[str, str]] | None) -> Mapping[str, bytes] | None:
    if openings is None:
        return None
    committed = {commitment.group: commitment.digest for commitment in decision.commitments}
    contents = {}
    try:
        for opening in openings:
            content = decode_base64(opening["content"])
            open_commitment(committed[GROUPS[opening["group"]]], decode_base64(opening["salt"]), content)
            contents[opening["group"]] = content
    except (CommitmentError, LookupError, ValueError):
        return None
    return contents
