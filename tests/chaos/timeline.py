"""How long a fault was felt: from its beginning until all that had arrived by then was in the published log. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Sample(NamedTuple):
    """At a time, how many of the stream's rows the brokers had acknowledged, and how large the published log was."""

    at_s: float
    acknowledged: int
    published: int


def recoveries_s(faults_at_s: Sequence[float], samples: Sequence[Sample], log_index_by_row: Sequence[int]) -> list[float]:
    """Return for each fault how long it took, in seconds; infinity if it was not felt to end.

    Args:
        faults_at_s: when faults began.
        samples: in order of time; the first one is before every fault.
        log_index_by_row: where in the log the decision on each row is, rows in the order in which they were sent.
    """
    needed = np.maximum.accumulate(np.asarray(log_index_by_row, dtype=np.int64)) + 1
    found = []
    for at_s in faults_at_s:
        before = max((sample for sample in samples if sample.at_s <= at_s), key=lambda sample: sample.at_s)
        size = int(needed[before.acknowledged - 1]) if before.acknowledged else 0
        ends = (sample.at_s for sample in samples if sample.at_s >= at_s and sample.published >= size)
        found.append(next(ends, float("inf")) - at_s)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that `share` of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, int(np.ceil(share * len(ordered))) - 1)] if ordered else 0.0
