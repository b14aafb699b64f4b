"""How good a model is on transactions that it has not seen, and where to put its thresholds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

DECLINE_PRECISION = 0.9
FALLBACK_FALSE_POSITIVE_RATE = 0.001
REVIEW_FALSE_POSITIVE_RATE = 0.005

THRESHOLD_RULE = (
    f"Decline from the lowest margin at which at least {DECLINE_PRECISION:.0%} of the held-out transactions at or over it\nare"
    f" fraud; where there is none, from the lowest at which at most {FALLBACK_FALSE_POSITIVE_RATE:.1%} of the genuine ones are"
    f" declined.\nReview below that, as long as at most {REVIEW_FALSE_POSITIVE_RATE:.1%} more of the genuine ones are held up."
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Margins at or over which a transaction is declined or reviewed; float32 values, review <= decline."""

    decline_margin: float
    review_margin: float


def choose_thresholds(margins: NDArray[np.float32], fraud: NDArray[np.bool_]) -> Thresholds:
    """Choose thresholds by `THRESHOLD_RULE`; each is the margin of a held-out transaction, or just over the highest one.

    Requires at least one fraudulent and one genuine transaction.
    """
    levels, caught, false_alarms = _by_threshold(margins, fraud)
    genuine = int(np.count_nonzero(~fraud))
    precise = caught >= DECLINE_PRECISION * (caught + false_alarms)
    if not precise.any():
        precise = false_alarms <= FALLBACK_FALSE_POSITIVE_RATE * genuine
    decline = _lowest(precise)
    declined_genuine = false_alarms[decline] if decline >= 0 else 0
    review = _lowest(false_alarms - declined_genuine <= REVIEW_FALSE_POSITIVE_RATE * genuine)
    beyond = float(np.nextafter(levels[0], np.float32(np.inf)))
    decline_margin = float(levels[decline]) if decline >= 0 else beyond
    return Thresholds(decline_margin, float(levels[review]) if review >= 0 else decline_margin)


def _by_threshold(
    margins: NDArray[np.float32], fraud: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct margins, highest first, and how many frauds and genuine ones lie at or over each."""
    order = np.argsort(-margins, kind="stable")
    ordered, is_fraud = margins[order], fraud[order]
    last_of_level = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    frauds, genuine = np.cumsum(is_fraud, dtype=np.int64), np.cumsum(~is_fraud, dtype=np.int64)
    return ordered[last_of_level], frauds[last_of_level], genuine[last_of_level]


def _lowest(allowed: NDArray[np.bool_]) -> int:
    """Return the last allowed place (the lowest margin), or -1."""
    places = np.flatnonzero(allowed)
    return int(places[-1]) if len(places) else -1


def metrics(margins: NDArray[np.float32], fraud: NDArray[np.bool_], thresholds: Thresholds) -> dict[str, float]:
    """Evaluate a model under its thresholds; figures by name, shares between 0 and 1.

    Requires at least one fraudulent and one genuine transaction.
    """
    declined = margins >= np.float32(thresholds.decline_margin)
    stopped = margins >= np.float32(thresholds.review_margin)
    return {
        "transactions": float(len(fraud)),
        "frauds": float(np.count_nonzero(fraud)),
        "auc_roc": float(roc_auc_score(fraud, margins)),
        "average_precision": float(average_precision_score(fraud, margins)),
        "decline_precision": _share(fraud[declined]),
        "decline_recall": _share(declined[fraud]),
        "decline_false_positive_rate": _share(declined[~fraud]),
        "review_or_decline_recall": _share(stopped[fraud]),
        "review_or_decline_false_positive_rate": _share(stopped[~fraud]),
    }


def _share(column: NDArray[np.bool_]) -> float:
    return float(np.mean(column)) if len(column) else 0.0
