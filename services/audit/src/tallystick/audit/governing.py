"""What the governance log amounts to: read whole, as scoring reads it, so that a bundle can show who its signers were."""

import asyncio
from dataclasses import dataclass

from tallystick.audit.errors import InconsistentError
from tallystick.audit.logs import Head, PublishedLog
from tallystick.contracts import EntryKind, Report
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import Governance, replay
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import open_entry


@dataclass(frozen=True, slots=True)
class Governed:
    """What the log amounts to, and what it holds besides: `reports` by index, in the log's order."""

    governance: Governance
    reports: tuple[tuple[int, Report], ...] = ()

    @property
    def in_force(self) -> frozenset[bytes]:
        """The digests of the models that the last activation of each slot names."""
        last = {activation.slot: activation.model_digest for activation in self.governance.activations}
        return frozenset(last.values())


class Governing:
    """The governance log's meaning, replayed when it has grown."""

    def __init__(self, log: PublishedLog, policy: TrustPolicy) -> None:
        self._log, self._policy = log, policy
        self._entries: list[bytes] = []
        self._frontier = Frontier()
        self._governed = Governed(replay((), policy))
        self._reading = asyncio.Lock()

    async def now(self) -> Governed:
        """Return what the log amounts to now. Raises as `at`."""
        return await self.at(await self._log.head())

    async def at(self, head: Head) -> Governed:
        """Return what the log amounts to in the tree of `head`, or in a larger one that was read before.

        Raises:
            InconsistentError: the stored entries do not lead to the head's root. UnavailableError.
        """
        async with self._reading:
            if head.size > self._frontier.size:
                added = await self._log.stretch(self._frontier.size, head.size, head)
                frontier = self._frontier.copy()
                frontier.append([leaf_hash(entry) for entry in added])
                if frontier.root() != head.checkpoint.root:
                    raise InconsistentError("The stored governance log does not agree with its checkpoint.")
                entries = [*self._entries, *added]
                governance = await asyncio.to_thread(replay, entries, self._policy)
                reports = (*self._governed.reports, *_reports(len(self._entries), added))
                self._governed = Governed(governance, reports)
                self._entries, self._frontier = entries, frontier
            return self._governed


def _reports(first: int, entries: list[bytes]) -> list[tuple[int, Report]]:
    found = []
    for index, data in enumerate(entries, start=first):
        try:
            entry = open_entry(data)
            if entry.kind == EntryKind.ENTRY_KIND_REPORT:
                found.append((index, parse_message(Report, entry.value, "the record")))
        except TrustError:
            continue  # an entry that says nothing
    return found
