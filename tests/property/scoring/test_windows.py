"""A customer's windows against a list of everything that ever happened, and the definition in words."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.scoring import windows
from tallystick.scoring.windows import DAY_MS, HORIZON_MS, REPEAT_MS, Customer, History

SPANS_MS = (DAY_MS, 7 * DAY_MS, 30 * DAY_MS)


class Paid(NamedTuple):
    """A transaction."""

    time_ms: int
    amount: int
    currency: str
    identifier: str


class NaiveCustomer:
    """Keeps everything, and looks at all of it every time."""

    def __init__(self) -> None:
        self.accepted: list[Paid] = []

    def is_repeat(self, paid: Paid) -> bool:
        """Tell whether the id's last decision is within 30 days, and not gone."""
        last = [other.time_ms for other in self.accepted if other.identifier == paid.identifier][-1:]
        newest = max((other.time_ms for other in self.accepted), default=0)
        return any(abs(paid.time_ms - known) < REPEAT_MS and known > newest - HORIZON_MS for known in last)

    def observe(self, paid: Paid, spans_ms: Sequence[int]) -> list[int]:
        """Return count and sum over each (t - span, t], of what is not gone, and the transaction itself."""
        before = [other for other in self.accepted if other.currency == paid.currency]
        newest = max((other.time_ms for other in before), default=paid.time_ms)
        known = [other for other in before if other.time_ms > max(newest, paid.time_ms) - HORIZON_MS]
        self.accepted.append(paid)
        flat = []
        for span in spans_ms:
            inside = [other.amount for other in known if paid.time_ms - span < other.time_ms <= paid.time_ms]
            flat += [len(inside) + 1, sum(inside) + paid.amount]
        return flat


# Steps that meet the windows' edges exactly, stay at one time, go back, or leave months out.
steps_ms = st.sampled_from(
    [0, 0, 1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 7 * DAY_MS, REPEAT_MS - 1, REPEAT_MS, HORIZON_MS, 100 * DAY_MS, -1, -DAY_MS]
) | st.integers(-40 * DAY_MS, 3 * DAY_MS)
amounts = st.integers(0, 10**12)


@st.composite
def histories(draw: st.DrawFn, identifiers: int = 10**9) -> list[Paid]:
    """Draw a customer's transactions in order of arrival."""
    times_ms, now_ms = [], 1_700_000_000_000
    for step in draw(st.lists(steps_ms, max_size=40)):
        now_ms += step
        times_ms.append(now_ms)
    return [
        Paid(time_ms, draw(amounts), draw(st.sampled_from(["EUR", "CHF"])), f"tx-{draw(st.integers(0, identifiers))}")
        for time_ms in times_ms
    ]


@settings(deadline=None)
@given(histories())
def test_windows_are_what_their_definition_says(paid: list[Paid]) -> None:
    """Late ones, several at one time, months without any, two currencies: count and sum are exact."""
    customer, naive = Customer("c"), NaiveCustomer()
    for one in paid:
        found = customer.observe(one.identifier, one.currency, one.time_ms, one.amount, SPANS_MS)
        assert found == naive.observe(one, SPANS_MS)


@settings(deadline=None)
@given(histories(identifiers=3))
def test_repeats_are_what_their_definition_says(paid: list[Paid]) -> None:
    """An id is taken for 30 days both ways from its last decision."""
    customer, naive = Customer("c"), NaiveCustomer()
    for one in paid:
        repeated = customer.is_repeat(one.identifier, one.time_ms)
        assert repeated == naive.is_repeat(one)
        if not repeated:
            customer.observe(one.identifier, one.currency, one.time_ms, one.amount, ())
            naive.observe(one, ())


@pytest.mark.parametrize("every", [1, 2, 8])
@settings(deadline=None)
@given(paid=histories(identifiers=2))
def test_sweeping_changes_no_answer(every: int, paid: list[Paid]) -> None:
    """Memory is freed at some moment or other; what is seen does not depend on it."""
    swept, kept = Customer("c"), Customer("c")
    with pytest.MonkeyPatch.context() as patch:
        for one in paid:
            answers = []
            for customer, period in ((swept, every), (kept, 2**40)):
                patch.setattr(windows, "_SWEEP", period)
                answers.append(
                    (
                        customer.is_repeat(one.identifier, one.time_ms),
                        customer.observe(one.identifier, one.currency, one.time_ms, one.amount, SPANS_MS),
                    )
                )
            assert answers[0] == answers[1]


@settings(deadline=None)
@given(histories())
def test_no_windows_asked_for_move_the_history_all_the_same(paid: list[Paid]) -> None:
    """Rebuilding asks for no windows and leaves the same history."""
    asked, silent = Customer("c"), Customer("c")
    for one in paid:
        asked.observe(one.identifier, one.currency, one.time_ms, one.amount, SPANS_MS)
        assert silent.observe(one.identifier, one.currency, one.time_ms, one.amount, ()) == []
    contents = [
        {currency: (history.times, history.sums) for currency, history in customer.histories.items()}
        for customer in (asked, silent)
    ]
    assert contents[0] == contents[1]
    assert asked.identifiers == silent.identifiers


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2), st.randoms(use_true_random=False))
def test_memory_is_bounded(per_day: int, late: int, random: Random) -> None:
    """After a year, a customer holds the horizon's transactions and a sweep's worth more, late ones among them or not."""
    customer = Customer("c")
    for number in range(365 * per_day):
        time_ms = number * DAY_MS // per_day
        if late and number % 3 < late:
            time_ms -= random.randrange(DAY_MS)
        customer.observe(f"tx-{number}", "EUR", max(time_ms, 0), 100, ())
    most = (HORIZON_MS // DAY_MS + 1) * per_day + 3 * windows._SWEEP
    history = customer.histories["EUR"]
    assert len(history.times) <= most
    assert len(history.sums) == len(history.times) + 1
    assert history.sums[-1] == 100 * len(history.times)  # sums start anew, so they do not outgrow 64 bits over the years
    assert len(customer.identifiers) <= most


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), amounts), max_size=30))
def test_ties_see_those_that_arrived_before(arrivals: list[tuple[int, int]]) -> None:
    """Of several at one time, each sees itself and the earlier arrivals."""
    history = History()
    for place, (time_ms, amount) in enumerate(arrivals):
        before = [paid for time, paid in arrivals[:place] if time <= time_ms]
        assert history.observe(time_ms, amount, (DAY_MS,)) == [len(before) + 1, sum(before) + amount]


@pytest.mark.parametrize("sweep", [1, 64])
@pytest.mark.parametrize(
    ("known_day", "newest_day", "asked_day", "repeated"),
    [
        (0, 29, 29, True),  # still there, at the end of the 30 days
        (0, 36, 10, True),  # late by 26 days: not gone yet
        (0, 37, 10, False),  # a day later it counts as gone, freed or not
        (0, 100, 1, False),
    ],
)
def test_an_id_is_gone_at_the_horizon(
    sweep: int, known_day: int, newest_day: int, asked_day: int, repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id counts as long as the history does, whether or not its memory was freed."""
    monkeypatch.setattr(windows, "_SWEEP", sweep)
    customer = Customer("c")
    customer.observe("known", "EUR", known_day * DAY_MS + 1, 100, ())
    customer.observe("newest", "EUR", newest_day * DAY_MS + 1, 100, ())
    assert customer.is_repeat("known", asked_day * DAY_MS + 1) is repeated
