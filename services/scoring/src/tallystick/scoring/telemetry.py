"""What scoring counts."""

from collections import Counter
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as Total

from tallystick.contracts import Outcome, ReasonCode
from tallystick.scoring.engine import Decided

_PROVABLE_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class Telemetry:
    """Scoring's metrics, in the service's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Total("tallystick_decisions", "Decisions emitted", ["outcome"], registry=registry)
        self._rejected = Total("tallystick_rejected", "Records rejected", ["reason"], registry=registry)
        self._pending = Gauge("tallystick_uncovered_decisions", "Decisions not in the log yet", registry=registry)
        self._provable = Histogram(
            "tallystick_provable_seconds", "From emitted to covered by the log", buckets=_PROVABLE_BUCKETS, registry=registry
        )
        self.total = 0

    def emitted(self, decided: Iterable[Decided]) -> None:
        """Count decisions that the broker acknowledged."""
        outcomes, reasons = Counter[int](), Counter[int]()
        for item in decided:
            outcomes[item.outcome] += 1
            if item.reason is not None:
                reasons[item.reason] += 1
        for outcome, count in outcomes.items():
            self.total += count
            self._decisions.labels(Outcome.Name(outcome).removeprefix("OUTCOME_").lower()).inc(count)
        for reason, count in reasons.items():
            self._rejected.labels(ReasonCode.Name(reason).removeprefix("REASON_CODE_").lower()).inc(count)

    def covered(self, ages_s: Sequence[float], pending: int) -> None:
        """Count decisions that the log covers now; they come in runs of one age."""
        for age_s in ages_s:
            self._provable.observe(age_s)
        self._pending.set(pending)
