"""How long everything is kept, and what an erasure may promise."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from tallystick.runtime.retention import DAY_S, RetentionSettings
from tallystick.scoring.windows import HORIZON_MS

SHORT: Mapping[str, float] = {
    "input_retention_s": DAY_S,
    "chain_span_s": DAY_S,
    "snapshot_max_age_s": DAY_S,
    "wrapping_rotation_s": DAY_S,
    "wrapping_grace_s": 1,
    "backup_retention_s": 1,
}
"""Where scoring's memory is what lasts longest."""


def days(**changed: float) -> float:
    """Return how many days an erasure takes to be effective."""
    return RetentionSettings(**{**SHORT, **changed}).effective_ms(0) / (DAY_S * 1000)  # type: ignore[arg-type]  # all are numbers


@pytest.mark.parametrize(
    ("changed", "later"),
    [
        pytest.param({"input_retention_s": 100 * DAY_S}, 100, id="topics"),
        pytest.param({"snapshot_max_age_s": 30 * DAY_S}, 37 + 30, id="snapshots"),
        pytest.param({"chain_span_s": 100 * DAY_S}, 100 + 1, id="chain keys"),
        pytest.param({"backup_retention_s": 35 * DAY_S}, 37 + 1 + 35, id="backups"),
    ],
)
def test_an_erasure_waits_for_whatever_is_kept_longest(changed: Mapping[str, float], later: float) -> None:
    """Each class alone moves the date, by itself or, as backups do, beyond all others."""
    assert days() >= 37 + 1
    assert later <= days(**changed) <= later + 3


def test_a_wrapping_key_that_is_rotated_seldom_counts() -> None:
    """With histories of no length, the day on which the old version is trimmed would be the last."""
    ends = RetentionSettings(wrapping_rotation_s=20 * DAY_S, wrapping_grace_s=DAY_S).ends_s()
    assert ends["wrapping keys"] >= 21 * DAY_S
    assert {"transactions", "dead-letter", "labels", "snapshots", "chain keys"} < ends.keys()


def test_scoring_s_horizon_is_what_is_counted() -> None:
    """What scoring remembers and what is promised are one number, in two parts that never import each other."""
    assert RetentionSettings().ends_s()["snapshots"] * 1000 >= HORIZON_MS + RetentionSettings().snapshot_max_age_s * 1000


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(
            {"wrapping_grace_s": 2 * DAY_S, "wrapping_rotation_s": DAY_S}, id="a version kept beyond the next rotation"
        ),
        pytest.param({"evidence_retention_s": DAY_S}, id="evidence ends before its topic"),
        pytest.param({"backup_retention_s": -1}, id="backups"),
    ],
)
def test_periods_that_contradict_each_other_are_refused(wrong: Mapping[str, float]) -> None:
    """Nothing starts with them."""
    with pytest.raises(ValidationError):
        RetentionSettings(**wrong)  # type: ignore[arg-type]  # all are numbers
