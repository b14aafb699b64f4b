"""Outcomes at the thresholds' very bits, and the score's written formula."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from tallystick.contracts import Outcome, PolicyStatement
from tallystick.rules.outcomes import outcomes, scores
from tallystick.trust.decisions import outcome_of, score_of

APPROVE, REVIEW, DECLINE = Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_DECLINE


def float32(*numbers: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return a float32 column."""
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(("decline", "review"), [(1.0, 0.0), (0.1, -0.1), (2.7, 2.7), (-1e-3, -7.3), (1e30, -1e30)])
def test_a_margin_at_a_threshold_has_reached_it(decline: float, review: float) -> None:
    """At the threshold's float32 it counts, one bit under it does not: 0.1 in float64 is another number."""
    policy = PolicyStatement(decline_margin=decline, review_margin=review)
    at_decline, at_review = float32(decline)[0], float32(review)[0]
    lowest = np.float32(-np.inf)
    margins = float32(
        at_decline,
        np.nextafter(at_decline, -lowest),
        np.nextafter(at_decline, lowest),
        at_review,
        np.nextafter(at_review, lowest),
    )
    below_decline = REVIEW if review < decline else APPROVE
    at_review_outcome = REVIEW if review < decline else DECLINE
    expected = [DECLINE, DECLINE, below_decline, at_review_outcome, APPROVE]
    assert outcomes(margins, policy) == expected
    assert [outcome_of(float(margin), policy) for margin in margins] == expected


def test_minus_zero_is_zero() -> None:
    """A margin of minus zero reaches a threshold of zero."""
    assert outcomes(float32(-0.0), PolicyStatement(decline_margin=0.0, review_margin=-1.0)) == [DECLINE]


def exact_score(margin: float) -> int:
    """Return the score in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        return int((1000 / (1 + (-Decimal(margin)).exp()) + Decimal("0.5")).to_integral_value("ROUND_FLOOR"))


def test_scores_follow_the_formula() -> None:
    """Over the whole range, and on both sides of where a score changes."""
    plain = np.linspace(-12, 12, 2_001, dtype=np.float32)
    turns = np.log([(score - 0.5) / (1000.5 - score) for score in range(1, 1001)]).astype(np.float32)
    margins = np.concatenate([plain, turns, np.nextafter(turns, np.float32(99)), np.nextafter(turns, np.float32(-99))])
    found = scores(margins)
    assert found == [exact_score(float(margin)) for margin in margins]
    assert found == [score_of(float(margin)) for margin in margins]
    assert set(found) == set(range(1001))


@pytest.mark.parametrize(
    ("margin", "score"), [(0.0, 500), (-0.0, 500), (-3.4e38, 0), (3.4e38, 1000), (-710.0, 0), (-800.0, 0), (100.0, 1000)]
)
def test_scores_at_the_ends(margin: float, score: int) -> None:
    """Margins that overflow the exponential have a score all the same."""
    assert scores(float32(margin)) == [score]
