"""What the governance log amounts to: read whole, as scoring reads it, so that a bundle can show who its signers were."""

import asyncio

from tallystick.audit.errors import InconsistentError
from tallystick.audit.logs import Head, PublishedLog
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.trust.governance import Governance, replay
from tallystick.trust.policy import TrustPolicy


class Governing:
    """The governance log's meaning, replayed when it has grown."""

    def __init__(self, log: PublishedLog, policy: TrustPolicy) -> None:
        self._log, self._policy = log, policy
        self._entries: list[bytes] = []
        self._frontier = Frontier()
        self._governance = replay((), policy)
        self._reading = asyncio.Lock()

    async def at(self, head: Head) -> Governance:
        """Return what the log amounts to in the tree of `head`, or in a larger one that was read before.

        Raises:
            InconsistentError: the stored entries do not lead to the head's root. UnavailableError.
        """
        async with self._reading:
            if head.size > self._frontier.size:
                added = await self._log.entries(self._frontier.size, head)
                frontier = self._frontier.copy()
                frontier.append([leaf_hash(entry) for entry in added])
                if frontier.root() != head.checkpoint.root:
                    raise InconsistentError("The stored governance log does not agree with its checkpoint.")
                entries = [*self._entries, *added]
                self._governance = await asyncio.to_thread(replay, entries, self._policy)
                self._entries, self._frontier = entries, frontier
            return self._governance
