"""Finding a decision in the log by transaction or by place, believing nobody: index and evidence only hint where to look."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from tallystick.audit.database import Candidate, Database
from tallystick.audit.entries import EntryError, LoggedDecision, Place, parse_decision
from tallystick.audit.errors import AuditError, InconsistentError, NotYetLoggedError, UnknownError
from tallystick.audit.evidence import lookup_token
from tallystick.audit.keys import EvidenceKeys
from tallystick.audit.logs import Head, PublishedLog

UNKNOWN_TRANSACTION = "No decision on this transaction is known here."
_NOT_YET = "The decision was made and is not in the published log yet; ask again in a moment."


@dataclass(frozen=True, slots=True)
class Found:
    """A decision in the tree of `log` at `head`; `others` are older ones on the same transaction id, newest first."""

    logged: LoggedDecision
    log: PublishedLog
    head: Head
    others: tuple[LoggedDecision, ...] = ()


class Finder:
    """Finds decisions on records of one input topic; `logs` holds by partition the log that has the decisions on it."""

    def __init__(self, source_topic: str, logs: Sequence[PublishedLog], database: Database, keys: EvidenceKeys) -> None:
        self._topic = source_topic
        self._logs = logs
        self._database = database
        self._keys = keys

    async def candidates(self, transaction_id: str) -> list[Candidate]:
        """Return the evidence that is stored on a transaction id; rejected records have none. Raises UnavailableError."""
        return await self._database.candidates(lookup_token(await self._keys.lookup_key(), transaction_id), self._topic)

    async def newest(self, candidates: Sequence[Candidate]) -> Found:
        """Return the newest logged decision of those that candidates on one transaction id may belong to.

        Evidence counts only if it is what the logged decision at its place names: a record scored twice leaves evidence that
        no decision stands for. What is raised tells of any of the candidates: give none that the caller may not know of.

        Raises:
            UnknownError: none of them leads to a decision.
            NotYetLoggedError: one may, and the published log does not hold it yet.
            InconsistentError, UnavailableError.
        """
        found: dict[tuple[str, int], Found] = {}
        pending = False
        heads: dict[str, Head] = {}
        for candidate in candidates:
            log = self._log_of(candidate.place)
            if log is None:
                continue
            if log.name not in heads:
                heads[log.name] = await log.head()
            head = heads[log.name]
            if candidate.log_index is None or candidate.log_index >= head.size:
                pending = True
                continue
            logged = await self._logged(candidate.place, candidate.log_index, log, head)
            if logged.decision.evidence_digest == candidate.digest:
                found[log.name, logged.index] = Found(logged, log, head)
        if not found:
            raise NotYetLoggedError(_NOT_YET) if pending else UnknownError(UNKNOWN_TRANSACTION)
        newest, *others = sorted(found.values(), key=_emitted, reverse=True)
        return replace(newest, others=tuple(other.logged for other in others))

    async def by_place(self, place: Place) -> Found:
        """Return the decision with this sequence in a partition of the input.

        Raises:
            UnknownError: there is none.
            NotYetLoggedError: it was made, and the published log does not hold it yet.
        """
        return await self._at(place, *await self._database.place(place, self._topic))

    async def by_places(self, places: Sequence[Place]) -> list[Found | AuditError]:
        """Return of each of several places what `by_place` does, or what it raises. Raises UnavailableError."""
        known = await self._database.places(places, self._topic)
        return [await _caught(self._at(place, *known[place])) for place in places]

    async def _at(self, place: Place, log_index: int | None, has_evidence: bool) -> Found:
        log = self._log_of(place)
        if log is None:
            raise UnknownError(f"{self._topic} has no partition {place.partition}.")
        head = await log.head()
        if log_index is not None and log_index < head.size:
            return Found(await self._logged(place, log_index, log, head), log, head)
        if log_index is not None or has_evidence:
            raise NotYetLoggedError(_NOT_YET)
        raise UnknownError("No decision with this partition and sequence is known here.")

    def _log_of(self, place: Place) -> PublishedLog | None:
        return self._logs[place.partition] if place.partition < len(self._logs) else None

    async def _logged(self, place: Place, index: int, log: PublishedLog, head: Head) -> LoggedDecision:
        try:
            logged = parse_decision(index, await log.entry(index, head))
        except EntryError as error:
            raise InconsistentError(f"The index points to the wrong place: {error}.") from error
        if logged.place != place or logged.decision.source_topic != self._topic:
            raise InconsistentError(f"The index points to log entry {index}, which is another decision.")
        return logged


async def _caught(finding: Awaitable[Found]) -> Found | AuditError:
    try:
        return await finding
    except AuditError as error:
        return error


def _emitted(found: Found) -> tuple[int, int]:
    """Return what orders decisions of several logs: when each was emitted, and its place in its own log."""
    return found.logged.envelope.timestamp_ms, found.logged.index
