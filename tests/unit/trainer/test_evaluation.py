"""Thresholds follow their rule, and figures are those of the library everybody uses."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from tallystick.trainer.evaluation import (
    DECLINE_PRECISION,
    FALLBACK_FALSE_POSITIVE_RATE,
    REVIEW_FALSE_POSITIVE_RATE,
    choose_thresholds,
    metrics,
)

Scored = tuple[NDArray[np.float32], NDArray[np.bool_]]


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    """Margins with many ties, and labels of both kinds."""
    size = draw(st.integers(2, 60))
    margins = draw(st.lists(st.sampled_from([-3.5, -1.0, 0.0, 0.25, 2.0, 7.0]), min_size=size, max_size=size))
    fraud = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    assume(any(fraud) and not all(fraud))
    return np.array(margins, np.float32), np.array(fraud)


def lowest_allowed(margins: NDArray[np.float32], allowed: "list[float]") -> float:
    """Return the lowest of the allowed thresholds, or just over every margin."""
    return min(allowed, default=float(np.nextafter(margins.max(), np.float32(np.inf))))


@given(scored())
def test_thresholds_follow_the_rule(case: Scored) -> None:
    """Trying every margin one by one, by the rule's own words, finds the same thresholds."""
    margins, fraud = case
    genuine = (~fraud).sum()
    levels = sorted({float(margin) for margin in margins})
    precise = [level for level in levels if fraud[margins >= level].mean() >= DECLINE_PRECISION]
    quiet = [level for level in levels if (margins[~fraud] >= level).sum() <= FALLBACK_FALSE_POSITIVE_RATE * genuine]
    decline = lowest_allowed(margins, precise or quiet)
    declined = (margins[~fraud] >= decline).sum()
    held_up = [level for level in levels if (margins[~fraud] >= level).sum() - declined <= REVIEW_FALSE_POSITIVE_RATE * genuine]
    thresholds = choose_thresholds(margins, fraud)
    assert thresholds.decline_margin == decline
    assert thresholds.review_margin == min([*held_up, decline])


@given(scored())
def test_thresholds_are_float32_and_in_order(case: Scored) -> None:
    """Scoring compares float32 margins, so a threshold must be one; review never lies over decline."""
    thresholds = choose_thresholds(*case)
    assert np.float32(thresholds.decline_margin) == thresholds.decline_margin
    assert np.float32(thresholds.review_margin) == thresholds.review_margin
    assert thresholds.review_margin <= thresholds.decline_margin


def test_figures_are_counted_at_or_over_the_thresholds() -> None:
    """A margin equal to a threshold counts as over it."""
    margins = np.array([3, 2, 2, 1, 0, -1], np.float32)
    fraud = np.array([True, True, False, True, False, False])
    thresholds = choose_thresholds(margins, fraud)
    assert (thresholds.decline_margin, thresholds.review_margin) == (3.0, 3.0)
    figures = metrics(margins, fraud, type(thresholds)(2.0, 1.0))
    assert figures["average_precision"] == average_precision_score(fraud, margins)
    assert figures["decline_precision"] == pytest.approx(2 / 3)
    assert figures["decline_recall"] == pytest.approx(2 / 3)
    assert figures["decline_false_positive_rate"] == pytest.approx(1 / 3)
    assert figures["review_or_decline_recall"] == 1
