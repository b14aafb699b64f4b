"""How long what is kept of a customer: one table for every process that keeps, deletes or promises.

An erasure destroys the customer's key at once. What was readable without that key goes with its own retention, and a backup
that was made on the last of its days holds it for as long as backups are kept: the erasure takes effect when the last of it is
gone (`RetentionSettings.effective_ms`).
"""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from tallystick.runtime.settings import Seconds, ServiceSettings

HOUR_S = 3_600
DAY_S = 86_400
HORIZON_S = 37 * DAY_S
"""Scoring forgets a customer's transaction when it is so old (`scoring.windows.HORIZON_MS`)."""
SEGMENT_S = DAY_S
"""Brokers delete whole segments: a record stays until the newest of its segment is due, which is begun so often."""
AHEAD_S = HOUR_S
"""Brokers refuse time stamps that are further ahead, and keep a record for so much longer than it says."""
CHECKS_S = HOUR_S
"""Brokers and `tallystick-retention` look for what is due at least so often."""

Period = Annotated[Seconds, Field(le=30 * 366 * DAY_S)]


class SnapshotRetention(ServiceSettings):
    """How long scoring keeps snapshots."""

    snapshot_max_age_s: Annotated[Seconds, Field(ge=60, le=30 * DAY_S)] = DAY_S
    """How old any snapshot of the customers' histories may get before it is deleted."""


class RetentionSettings(SnapshotRetention):
    """How long everything is kept that a customer's transactions can be read or guessed from."""

    input_retention_s: Period = 90 * DAY_S
    """The topics `transactions`, `labels` and `dead-letter`, and with them `decisions`, `evidence` and the others that end."""
    evidence_retention_s: Period = 1_826 * DAY_S
    """Rows of `audit.evidence`: encrypted, so that no erasure waits for them."""
    chain_span_s: Period = 30 * DAY_S
    """How long a partition takes at most for the 2^20 records of a chain key, which is destroyed when the last of them is."""
    backup_retention_s: Period = 35 * DAY_S
    """The backups of anything: Vault, PostgreSQL, topics, snapshots."""
    wrapping_rotation_s: Annotated[Seconds, Field(le=30 * DAY_S)] = DAY_S
    """How often the keys that wrap customers' and snapshots' keys are rotated."""
    wrapping_grace_s: Annotated[Seconds, Field(le=7 * DAY_S)] = HOUR_S
    """How long after a rotation the version before is kept, for copies of the key table that are behind."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.wrapping_grace_s >= self.wrapping_rotation_s:
            raise ValueError("TALLYSTICK_WRAPPING_GRACE_S: must be under TALLYSTICK_WRAPPING_ROTATION_S")
        if self.evidence_retention_s < self.input_retention_s:
            raise ValueError(
                "TALLYSTICK_EVIDENCE_RETENTION_S: must not be under TALLYSTICK_INPUT_RETENTION_S, lest it come back"
            )
        return self

    def ends_s(self) -> Mapping[str, float]:
        """Return by class how many seconds after an erasure the last of it is gone from where it is kept, backups aside."""
        topics = self.input_retention_s + SEGMENT_S + AHEAD_S + CHECKS_S
        return {
            "transactions": topics,
            "dead-letter": topics,
            "labels": topics,
            "snapshots": HORIZON_S + DAY_S + self.snapshot_max_age_s,
            "chain keys": self.chain_span_s + topics + CHECKS_S,
            "wrapping keys": self.wrapping_rotation_s + self.wrapping_grace_s + CHECKS_S,
        }

    def effective_ms(self, requested_ms: int) -> int:
        """Return when an erasure that is asked for now takes effect: nothing readable remains, in backups neither."""
        return requested_ms + round((max(self.ends_s().values()) + self.backup_retention_s) * 1000)
