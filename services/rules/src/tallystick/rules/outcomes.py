"""From margins to what the thresholds make of them. The margin decides; the score is for people."""

import numpy as np
from numpy.typing import NDArray

from tallystick.contracts import Outcome, PolicyStatement

Margins = NDArray[np.float32]


def outcomes(margins: Margins, policy: PolicyStatement) -> list[Outcome]:
    """Return what the policy's thresholds make of each margin; float32 is compared with float32."""
    decline, review = np.float32(policy.decline_margin), np.float32(policy.review_margin)
    found: list[Outcome] = np.where(
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
