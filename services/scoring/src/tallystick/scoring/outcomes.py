"""From margins to outcomes. The margin decides; the score is for people."""

import numpy as np

from tallystick.contracts import Outcome, PolicyStatement, ReasonCode
from tallystick.scoring.model import Margins

REASONS: dict[int, tuple[ReasonCode, ...]] = {
    Outcome.OUTCOME_APPROVE: (),
    Outcome.OUTCOME_REVIEW: (ReasonCode.REASON_CODE_MARGIN_REVIEW,),
    Outcome.OUTCOME_DECLINE: (ReasonCode.REASON_CODE_MARGIN_DECLINE,),
}


def outcomes(margins: Margins, policy: PolicyStatement) -> list[int]:
    """Return each margin's `Outcome`; float32 is compared with float32."""
    decline, review = np.float32(policy.decline_margin), np.float32(policy.review_margin)
    found: list[int] = np.where(
        margins >= decline,
        Outcome.OUTCOME_DECLINE,
        np.where(margins >= review, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_APPROVE),
    ).tolist()
    return found


def scores(margins: Margins) -> list[int]:
    """Return floor(1000 / (1 + exp(-margin)) + 0.5) for each margin, 0 to 1000."""
    with np.errstate(over="ignore"):
        share = 1000.0 / (1.0 + np.exp(-margins.astype(np.float64)))
    rounded: list[int] = np.floor(share + 0.5).astype(int).tolist()
    return rounded
