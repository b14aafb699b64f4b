"""Which model and policy decide which record.

The first record of a partition whose Kafka time stamp reaches an activation's `effective_at` switches the partition for good:
numbers only grow, so a batch that is scored again takes the same model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tallystick.rules.policies import Policy
from tallystick.scoring.challengers import Challengers
from tallystick.scoring.model import Model
from tallystick.scoring.records import Limits
from tallystick.scoring.vectors import Vectoriser

NEVER_MS = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """An activation that the governance log proves, with its model loaded.

    Attributes:
        index: its place in the governance log.
        number: its place among the slot's activations.
        effective_at_ms: the Kafka time stamp from which it decides.
        model: the champion.
        model_digest: SHA-256 of the model's file.
        vectoriser: computes the model's feature schema.
        policy: the policy, ready to rule.
        policy_digest: SHA-256 of its statement.
        limits: what the policy accepts.
    """

    index: int
    number: int
    effective_at_ms: int
    model: Model
    model_digest: bytes
    vectoriser: Vectoriser
    policy: Policy
    policy_digest: bytes
    limits: Limits


@dataclass(frozen=True, slots=True)
class Actives:
    """All activations of the champion's slot, by number, and the challengers beside them."""

    activations: tuple[Active, ...] = ()
    challengers: Challengers = field(default_factory=Challengers)

    def at(self, current: Active | None, timestamp_ms: int) -> Active | None:
        """Return what decides a record with this time stamp, after `current` decided the one before."""
        for active in self._after(current):
            if active.effective_at_ms <= timestamp_ms:
                current = active
        return current

    def next_switch_ms(self, current: Active | None) -> int:
        """Return the smallest time stamp that can switch away from `current`."""
        return min((active.effective_at_ms for active in self._after(current)), default=NEVER_MS)

    def by_index(self, index: int) -> Active | None:
        """Return the activation at this index of the governance log."""
        return next((active for active in self.activations if active.index == index), None)

    def _after(self, current: Active | None) -> Sequence[Active]:
        return self.activations if current is None else [a for a in self.activations if a.number > current.number]
