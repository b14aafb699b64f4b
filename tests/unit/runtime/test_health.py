"""What a service says of itself."""

import pytest

from tallystick.runtime.health import Health


def _at(times: list[float]) -> Health:
    """Return a health whose clocks are the list's last item."""
    return Health(
        "test", ["kafka", "vault"], ["poll", "sign"], max_silence_s=10, clock=lambda: times[-1], monotonic=lambda: times[-1]
    )


def test_is_not_ready_until_every_component_answered() -> None:
    """A component that nobody has heard of yet is `starting`."""
    health = _at([0.0])
    assert health.states() == {"kafka": "starting", "vault": "starting"}
    health.ok("kafka")
    assert not health.ready
    health.ok("vault")
    assert health.ready


def test_a_failure_keeps_its_first_time_until_the_component_answers() -> None:
    """Two failures in a row began with the first; after an answer, the next failure begins anew."""
    times = [0.0]
    health = _at(times)
    health.failing("kafka", "refused")
    times.append(60.0)
    health.failing("kafka", "timed out")
    assert health.state("kafka") == "not answering since 1970-01-01T00:00:00Z: timed out"
    health.ok("kafka")
    health.failing("kafka", "refused", what="stopped")
    assert health.state("kafka") == "stopped since 1970-01-01T00:01:00Z: refused"


@pytest.mark.parametrize(("age_s", "live"), [(10.0, True), (10.1, False)])
def test_is_alive_while_every_loop_turns(age_s: float, live: bool) -> None:
    """One loop that stands still is enough not to be alive, whatever the others do."""
    times = [0.0]
    health = _at(times)
    times.append(age_s)
    health.progress("sign")
    assert health.live is live


def test_details_are_asked_for_each_time() -> None:
    """A detail is what its provider says now."""
    health = _at([0.0])
    sizes = iter([1, 2])
    health.detail("logs", lambda: {"decisions": {"size": next(sizes)}})
    assert [health.snapshot()["logs"] for _ in range(2)] == [{"decisions": {"size": 1}}, {"decisions": {"size": 2}}]


def test_metrics_say_what_answers_and_how_old_each_loop_is() -> None:
    """Two services in one process do not share metrics."""
    health, _ = _at([0.0]), _at([0.0])
    health.ok("kafka")
    lines = health.metrics().decode().splitlines()
    assert 'tallystick_component_up{component="kafka"} 1.0' in lines
    assert 'tallystick_component_up{component="vault"} 0.0' in lines
    assert 'tallystick_loop_age_seconds{loop="poll"} 0.0' in lines
