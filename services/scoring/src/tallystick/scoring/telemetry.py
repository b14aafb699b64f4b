"""What scoring counts."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client import Counter as Total
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from tallystick.contracts import Outcome, ReasonCode
from tallystick.scoring.engine import Decided

_PROVABLE_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class Telemetry:
    """Scoring's metrics, in the service's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Total("tallystick_decisions", "Decisions emitted", ["outcome"], registry=registry)
        self._rejected = Total("tallystick_rejected", "Records rejected", ["reason"], registry=registry)
        self._pending = Gauge("tallystick_uncovered_decisions", "Decisions not in the log yet", registry=registry)
        self._provable = _Ages("tallystick_provable_seconds", "From emitted to covered by the log", registry)
        self.total = 0

    def emitted(self, decided: Iterable[Decided]) -> None:
        """Count decisions that the broker acknowledged."""
        items = list(decided)
        outcomes = Counter(item.outcome for item in items)
        reasons = Counter(item.reason for item in items if item.reason is not None)
        for outcome, count in outcomes.items():
            self.total += count
            self._decisions.labels(Outcome.Name(outcome).removeprefix("OUTCOME_").lower()).inc(count)
        for reason, count in reasons.items():
            self._rejected.labels(ReasonCode.Name(reason).removeprefix("REASON_CODE_").lower()).inc(count)

    def covered(self, ages_s: Sequence[float], pending: int) -> None:
        """Count decisions that the log covers now; they come in runs of one age."""
        for age_s, count in Counter(ages_s).items():
            self._provable.observe(age_s, count)
        self._pending.set(pending)


class _Ages(Collector):
    """A histogram of seconds that takes many of one value at once; the client's own takes one, in two microseconds."""

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry) -> None:
        self._name, self._documentation = name, documentation
        self._counts = [0] * (len(_PROVABLE_BUCKETS) + 1)
        self._sum_s = 0.0
        registry.register(self)

    def observe(self, age_s: float, count: int) -> None:
        """Count so many of this age."""
        self._counts[bisect_left(_PROVABLE_BUCKETS, age_s)] += count
        self._sum_s += age_s * count

    def collect(self) -> Iterator[Metric]:
        """Give the histogram to the registry."""
        bounds = [*map(str, _PROVABLE_BUCKETS), "+Inf"]
        buckets = [*zip(bounds, accumulate(self._counts), strict=True)]
        yield HistogramMetricFamily(self._name, self._documentation, buckets, self._sum_s)
