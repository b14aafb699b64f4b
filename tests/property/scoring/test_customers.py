"""A partition's customers: forgotten by a rule that only the stream decides, copied while they move on."""

from statistics import median_high

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.scoring import customers as module
from tallystick.scoring.customers import Customers, dump
from tallystick.scoring.windows import DAY_MS, HORIZON_MS, digest_of

START_MS = 1_700_000_000_000
SPANS_MS = (DAY_MS, 30 * DAY_MS)
BLOCK = 3

_STEPS_MS = st.sampled_from(
    [0, 1, DAY_MS, HORIZON_MS - 1, HORIZON_MS, HORIZON_MS + DAY_MS, -DAY_MS, -HORIZON_MS, 5000 * DAY_MS]
)
_STREAMS = st.lists(st.tuples(st.sampled_from("abcde"), _STEPS_MS, st.booleans()), max_size=40)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", BLOCK)


def events(stream: list[tuple[str, int, bool]]) -> list[tuple[str, int, str]]:
    """Return name, event time and id of each transaction; a step that is a wrong clock's moves no other."""
    found, now_ms = [], START_MS
    for number, (name, step_ms, wrong_clock) in enumerate(stream):
        found.append((name, now_ms + step_ms, f"tx-{number}"))
        now_ms += 0 if wrong_clock else step_ms
    return found


def move(customers: Customers, event: tuple[str, int, str]) -> list[int]:
    """Accept a transaction as the engine does."""
    name, time_ms, identifier = event
    customer = customers.get(name) or customers.create(name)
    return customers.observe(customer, digest_of(identifier), "EUR", time_ms, 100, SPANS_MS)


def contents(customers: Customers) -> tuple[bytes, dict[str, bytes]]:
    """Return everything, to compare."""
    known = customers._known
    return customers.cut().clock, {name: dump(customer) for name, customer in known.items()}


@settings(deadline=None)
@given(_STREAMS)
def test_who_is_forgotten_is_what_the_rule_says(stream: list[tuple[str, int, bool]]) -> None:
    """After each block, whoever's newest is before the day of the block's median less the horizon, if that day is another."""
    customers, newest, day, block = Customers(), dict[str, int](), -1, list[int]()
    for event in events(stream):
        name, time_ms, _ = event
        move(customers, event)
        newest[name] = max(time_ms, newest.get(name, 0))
        block.append(time_ms)
        if len(block) == BLOCK:
            reached, block = (median_high(block) - HORIZON_MS) // DAY_MS, []
            if reached != day:
                day = reached
                newest = {name: known for name, known in newest.items() if known >= day * DAY_MS}
        assert {name: customer.newest_ms for name, customer in customers._known.items()} == newest


@settings(deadline=None)
@given(_STREAMS, st.integers(0, 40), st.lists(st.integers(1, 3), max_size=8))
def test_a_copy_taken_in_slices_is_of_one_moment(stream: list[tuple[str, int, bool]], at: int, slices: list[int]) -> None:
    """Whatever moves, is made or forgotten between the slices, the copy is as it was when it began, and goes on the same."""
    original, moments = Customers(), events(stream)
    for event in moments[:at]:
        move(original, event)
    expected = contents(original)
    cut = original.cut()
    pieces = []
    for place, event in enumerate(moments[at:]):
        move(original, event)
        if place < len(slices):
            pieces.append(cut.slice(slices[place]))
    while piece := cut.slice(2):
        pieces.append(piece)
    original.end_cut()
    copy = Customers()
    copy.load_clock(cut.clock)
    for piece in pieces:
        copy.load(piece)
    assert contents(copy) == expected
    for event in moments[at:]:
        move(copy, event)
    assert contents(copy) == contents(original)


class Remembering(Customers):
    """Customers who are never forgotten."""

    def evict(self, before_ms: int) -> None:
        """Forget nobody."""


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90 * DAY_MS)), max_size=40))
def test_forgetting_changes_no_window_of_a_stream_that_is_a_week_late_at_most(stream: list[tuple[str, int]]) -> None:
    """A customer who is forgotten and comes back sees what one who was never forgotten would have seen."""
    customers, never, latest_ms = Customers(), Remembering(), START_MS
    for number, (name, step_ms) in enumerate(stream):
        latest_ms += step_ms
        event = (name, latest_ms - step_ms % (7 * DAY_MS), f"tx-{number % 7}")
        known = [one.get(name) for one in (customers, never)]
        digest = digest_of(event[2])
        repeated = [customer is not None and customer.is_repeat(digest, event[1]) for customer in known]
        assert repeated[0] == repeated[1]
        assert move(customers, event) == move(never, event)


def test_one_wrong_clock_forgets_nobody() -> None:
    """A transaction of the year 2100 moves no clock but its own customer's."""
    customers = Customers()
    for number in range(10 * BLOCK):
        far = number % BLOCK == 0
        move(customers, ("broken" if far else f"c{number}", START_MS * (2 if far else 1) + number, f"tx-{number}"))
    assert len(customers) == 1 + 10 * (BLOCK - 1)


def test_everybody_is_looked_at_once_a_day() -> None:
    """Who comes too late for a day is forgotten on the next one, not with every block."""
    customers, late_ms = Customers(), START_MS - HORIZON_MS - 2 * DAY_MS
    times = [("a", START_MS), ("b", START_MS), ("c", START_MS), ("late", late_ms), ("a", START_MS), ("b", START_MS)]
    for number, (name, time_ms) in enumerate(times):
        move(customers, (name, time_ms, f"tx-{number}"))
    assert customers.get("late") is not None
    for number, name in enumerate("abc"):
        move(customers, (name, START_MS + DAY_MS, f"next-{number}"))
    assert customers.get("late") is None
    assert len(customers) == 3


@pytest.mark.parametrize("cut", [1, 9, 12, 40])
def test_a_piece_that_is_cut_off_is_refused(cut: int) -> None:
    """Half a customer is no customer."""
    customers = Customers()
    move(customers, ("a", START_MS, "tx"))
    (data,) = contents(customers)[1].values()
    with pytest.raises(ValueError, match="cannot be read"):
        Customers().load(data[:-cut])
    with pytest.raises(ValueError, match="twice"):
        Customers().load(data + data)
    with pytest.raises(ValueError, match="a clock of"):
        Customers().load_clock(bytes(7))
