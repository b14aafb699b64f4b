"""The incidents that the published governance log holds, verified: what lets a stopped partition go on.

They are read from the log's public files, not from the topic: what is not logged, and cosigned as the trust policy asks, lets
nothing go on. So it does not matter which process writes the governance log.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.governance import replay
from tallystick.trust.incidents import NO_INCIDENTS, Incidents
from tallystick.trust.policy import TrustPolicy

_log = logging.getLogger(__name__)


class IncidentSource(Protocol):
    """Where incidents are learnt of; `GovernanceIncidents` is one such place."""

    async def read(self) -> Incidents:
        """Return all incidents that count now. Never fails: what cannot be read or believed is said in the service's log."""
        ...


class GovernanceIncidents:
    """Reads the governance log.

    Args:
        open_reader: opens it.
        policy: whom to believe.
        topic: the input topic.
    """

    def __init__(self, open_reader: Callable[[], LogReader], policy: TrustPolicy, topic: str) -> None:
        self._open_reader, self._policy, self._topic = open_reader, policy, topic
        self._last = NO_INCIDENTS
        self._failure: str | None = None

    async def read(self) -> Incidents:
        """See `IncidentSource`. While the log cannot be read, what was read before stands: a log only grows."""
        try:
            self._last, self._failure = await self._read(), None
        except (OSError, ValueError) as error:
            if str(error) != self._failure:
                _log.warning("incidents cannot be read from the governance log: %s", error)
            self._failure = str(error)
        return self._last

    async def _read(self) -> Incidents:
        async with self._open_reader() as reader:
            signed = await reader.checkpoint()
            checkpoint = self._policy.log_policy.verify_checkpoint(signed, self._policy.governance_origin).checkpoint
            entries = await reader.entries(0, checkpoint.size)
        frontier = Frontier()
        frontier.append([leaf_hash(entry) for entry in entries])
        if frontier.root() != checkpoint.root:
            raise ValueError("its entries do not lead to its checkpoint")
        return Incidents.of(replay(entries, self._policy).incidents, self._topic)
