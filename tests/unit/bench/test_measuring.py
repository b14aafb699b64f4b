"""What the bench makes of what it sees: rates without warm-up and markers, latencies from when records were due."""

import pytest

from ...bench import margins
from ...bench.arrivals import Sample, StandstillError, throughput
from ...bench.figures import row
from ...bench.latency import WARM_S, standstill_ms, summary


def samples(*ends: int, every_s: float = 1.0) -> list[Sample]:
    """Return looks at even times, with as many CPU seconds gone as seconds."""
    return [Sample(place * every_s, end, {"it": place * every_s}) for place, end in enumerate(ends)]


def test_the_first_quarter_and_the_standstill_do_not_count() -> None:
    """A slow start and the wait for more change nothing of the rate."""
    found = throughput(samples(1, 2, 100, 200, 300, 400, 400, 400))
    assert found.per_s == pytest.approx(100)
    assert found.cpu_s_per_million["it"] == pytest.approx(10_000)


def test_markers_are_no_records() -> None:
    """Where a fifth of the offsets are transactions' markers, the rate is a fifth lower and a record costs more."""
    found = throughput(samples(0, 100, 200, 300, 400), records=320)
    assert found.per_s == pytest.approx(80)
    assert found.cpu_s_per_million["it"] == pytest.approx(12_500)


def test_what_came_at_once_has_no_rate() -> None:
    """A topic that was full at the first look says nothing, rather than something."""
    with pytest.raises(StandstillError):
        throughput(samples(400, 400))


def test_latency_runs_from_when_a_record_was_due() -> None:
    """A pause shows in every record that was due in it, not only in the one that was under way."""
    due = [float(second) for second in range(103)]
    arrivals = [max(at_s + 0.001, 90.0) if 50 <= at_s < 90 else at_s + 0.001 for at_s in due]
    found = summary([due], [arrivals])
    assert found.p50_ms == pytest.approx(1)
    assert found.p99_ms == pytest.approx(39_000)
    assert found.p999_ms == pytest.approx(40_000)


def test_the_warm_up_does_not_count() -> None:
    """What was due in the first seconds may have been as slow as it likes."""
    due = [0.0, WARM_S - 0.001, WARM_S, WARM_S + 1]
    found = summary([due[:2], due[2:]], [[100.0, 100.0], [WARM_S + 0.5, WARM_S + 1.5]])
    assert found.p999_ms == pytest.approx(500)


def test_a_standstill_is_one_of_all_partitions() -> None:
    """One partition's pause is none while another goes on, and what lies outside the time that is asked for does not count."""
    due = [[100.0, 105.0], [101.0]]
    arrivals = [[100.1, 100.2, 104.0, 109.0], [101.2, 102.2, 103.0]]
    assert standstill_ms(due, arrivals, 0, 5) == pytest.approx(1_000)
    assert standstill_ms(due, arrivals, 2, 5) == pytest.approx(1_000)
    assert standstill_ms(due, arrivals, 0, 9) == pytest.approx(5_000)


def test_a_goal_is_for_the_ratio_of_the_medians() -> None:
    """At least and at most, and neither."""
    assert row("it", "/s", [1, 50, 20], "peer", [10], at_least=2).met
    assert not row("it", "/s", [19], "peer", [10], at_least=2).met
    assert row("it", "ms", [20], "echo", [10], at_most=2).met
    assert not row("it", "ms", [21], "echo", [10], at_most=2).met
    assert row("it", "/s", [1], "peer", [10]).met is None


def test_one_bit_makes_no_peer() -> None:
    """A margin that differs, one of a transaction that was not decided, and none at all: each refuses the peer."""
    margins.compare("it", {"a": 1, "b": 2}, {"a": 1})
    for found in ({"a": 1, "b": 3}, {"c": 1}, {}):
        with pytest.raises(margins.MarginsDifferError):
            margins.compare("it", {"a": 1, "b": 2}, found)
