"""Which activation decides, at the edges."""

from tallystick.scoring.activations import NEVER_MS, Actives

from .world import active

FIRST, SECOND, THIRD = active(0, 100), active(1, 300), active(2, 200)


def test_nothing_decides_without_an_activation() -> None:
    """There is nothing to switch to, ever."""
    assert Actives().at(None, 10**15) is None
    assert Actives().next_switch_ms(None) == NEVER_MS
    assert Actives().by_index(0) is None


def test_the_first_time_stamp_that_reaches_it_switches() -> None:
    """At `effective_at` it counts, a millisecond before it does not."""
    actives = Actives((FIRST, SECOND))
    assert actives.at(None, 99) is None
    assert actives.at(None, 100) is FIRST
    assert actives.at(FIRST, 299) is FIRST
    assert actives.at(FIRST, 300) is SECOND
    assert [actives.next_switch_ms(current) for current in (None, FIRST, SECOND)] == [100, 300, NEVER_MS]


def test_a_switch_is_for_good() -> None:
    """A time stamp that goes back finds the newer one in force."""
    assert Actives((FIRST, SECOND)).at(SECOND, 100) is SECOND


def test_one_that_takes_effect_earlier_overtakes() -> None:
    """A later number with an earlier time supersedes the one between, which then never decides."""
    actives = Actives((FIRST, SECOND, THIRD))
    assert actives.at(FIRST, 200) is THIRD
    assert actives.at(THIRD, 300) is THIRD
    assert actives.next_switch_ms(FIRST) == 200


def test_an_activation_is_found_by_its_index() -> None:
    """By its place in the governance log, not by its number."""
    assert Actives((FIRST, SECOND)).by_index(SECOND.index) is SECOND
    assert Actives((FIRST,)).by_index(SECOND.index) is None
