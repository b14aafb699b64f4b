"""What the gateway counts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tallystick.contracts import Answer, Basis, FallbackReason, Outcome

_BUCKETS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Telemetry:
    """The gateway's metrics, in the service's registry."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._requests = Counter("tallystick_gateway_requests", "Requests answered", ["status"], registry=registry)
        self._seconds = Histogram(
            "tallystick_gateway_seconds", "From a request's headers to its answer", buckets=_BUCKETS, registry=registry
        )
        self._decisions = Counter("tallystick_gateway_decisions", "Decisions given", ["outcome"], registry=registry)
        self._fallbacks = Counter(
            "tallystick_gateway_fallbacks", "Answers given without a decision", ["outcome", "reason"], registry=registry
        )
        self._registry = registry
        # Looking a labelled counter up takes longer than counting.
        self._status = cache(self._requests.labels)
        self._counter = cache(self._counter_of)

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Show a value that others keep."""
        Gauge(f"tallystick_gateway_{name}", what, registry=self._registry).set_function(value)

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """Time a request; call what this gives with its status."""
        started = self._clock()

        yield self._seen
        self._seconds.observe(self._clock() - started)

    def answered(self, answer: Answer) -> None:
        """Count one answer."""
        self._counter(answer.basis, answer.outcome, answer.fallback_reason).inc()

    def _counter_of(self, basis: int, outcome_number: int, reason_number: int) -> Counter:
        outcome = Outcome.Name(Outcome.ValueType(outcome_number)).removeprefix("OUTCOME_").lower()
        if basis == Basis.BASIS_FALLBACK:
            reason = FallbackReason.Name(FallbackReason.ValueType(reason_number)).removeprefix("FALLBACK_REASON_").lower()
            return self._fallbacks.labels(outcome, reason)
        return self._decisions.labels(outcome)

    def _seen(self, status: int) -> None:
        self._status(status).inc()
