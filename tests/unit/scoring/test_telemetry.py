"""What scoring counts, as Prometheus reads it."""

from prometheus_client import CollectorRegistry

from tallystick.scoring.telemetry import Telemetry

from .world import Scorer, stream


def test_decisions_are_counted_by_outcome_and_reason() -> None:
    """Each emitted decision once, rejected ones by their reason too."""
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    decided = Scorer().score(stream(300))
    telemetry.emitted(decided[:100])
    telemetry.emitted(decided[100:])
    names = {1: "approve", 2: "review", 3: "decline", 4: "rejected"}
    for outcome, name in names.items():
        expected = sum(item.outcome == outcome for item in decided)
        assert registry.get_sample_value("tallystick_decisions_total", {"outcome": name}) == expected > 0
    malformed = sum(item.reason == 23 for item in decided)
    assert registry.get_sample_value("tallystick_rejected_total", {"reason": "protobuf_malformed"}) == malformed > 0
    assert telemetry.total == 300


def test_time_to_provable_is_measured() -> None:
    """Each covered decision is observed, and what is left is shown."""
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    telemetry.covered([0.25, 0.25, 0.3, 4.0], 18)
    telemetry.covered([99.0], 17)
    assert registry.get_sample_value("tallystick_provable_seconds_count") == 5
    assert registry.get_sample_value("tallystick_provable_seconds_sum") == 0.25 + 0.25 + 0.3 + 4.0 + 99.0
    within = {"0.2": 0, "0.3": 3, "3.0": 3, "5.0": 4, "10.0": 4, "+Inf": 5}
    for bound, count in within.items():
        assert registry.get_sample_value("tallystick_provable_seconds_bucket", {"le": bound}) == count
    assert registry.get_sample_value("tallystick_uncovered_decisions") == 17
