"""Finding a decision in the log by transaction or by place, believing nobody: index and evidence only hint where to look."""

from dataclasses import dataclass

from tallystick.audit.database import Database
from tallystick.audit.entries import EntryError, LoggedDecision, Place, parse_decision
from tallystick.audit.errors import InconsistentError, NotYetLoggedError, UnknownError
from tallystick.audit.evidence import lookup_token
from tallystick.audit.keys import EvidenceKeys
from tallystick.audit.logs import Head, PublishedLog

_NOT_YET = "The decision was made and is not in the published log yet; ask again in a moment."


@dataclass(frozen=True, slots=True)
class Found:
    """A decision in the tree of `head`; `others` are older decisions on the same transaction id, newest first."""

    logged: LoggedDecision
    head: Head
    others: tuple[LoggedDecision, ...] = ()


class Finder:
    """Finds decisions on records of one input topic."""

    def __init__(self, source_topic: str, log: PublishedLog, database: Database, keys: EvidenceKeys) -> None:
        self._topic = source_topic
        self._log = log
        self._database = database
        self._keys = keys

    async def by_transaction(self, transaction_id: str) -> Found:
        """Return the newest logged decision on a transaction id.

        Evidence counts only if it is what the logged decision at its place names: a record scored twice leaves evidence that
        no decision stands for.

        Raises:
            UnknownError: no decision on it is known; rejected records, for one, have no evidence to find them by.
            NotYetLoggedError: there is evidence, and the published log does not hold the decision yet.
        """
        lookup = lookup_token(await self._keys.lookup_key(), transaction_id)
        candidates = await self._database.candidates(lookup, self._topic)
        if not candidates:
            raise UnknownError("No decision on this transaction is known here.")
        head = await self._log.head()
        found: dict[int, LoggedDecision] = {}
        pending = False
        for candidate in candidates:
            if candidate.log_index is None or candidate.log_index >= head.size:
                pending = True
                continue
            logged = await self._logged(candidate.place, candidate.log_index, head)
            if logged.decision.evidence_digest == candidate.digest:
                found[logged.index] = logged
        if not found:
            raise NotYetLoggedError(_NOT_YET) if pending else UnknownError("No decision on this transaction is known here.")
        newest, *others = sorted(found.values(), key=lambda logged: logged.index, reverse=True)
        return Found(newest, head, tuple(others))

    async def by_place(self, place: Place) -> Found:
        """Return the decision with this sequence in a partition of the input.

        Raises:
            UnknownError: there is none.
            NotYetLoggedError: it was made, and the published log does not hold it yet.
        """
        log_index, has_evidence = await self._database.place(place, self._topic)
        head = await self._log.head()
        if log_index is not None and log_index < head.size:
            return Found(await self._logged(place, log_index, head), head)
        if log_index is not None or has_evidence:
            raise NotYetLoggedError(_NOT_YET)
        raise UnknownError("No decision with this partition and sequence is known here.")

    async def _logged(self, place: Place, index: int, head: Head) -> LoggedDecision:
        try:
            logged = parse_decision(index, await self._log.entry(index, head))
        except EntryError as error:
            raise InconsistentError(f"The index points to the wrong place: {error}.") from error
        if logged.place != place or logged.decision.source_topic != self._topic:
            raise InconsistentError(f"The index points to log entry {index}, which is another decision.")
        return logged
