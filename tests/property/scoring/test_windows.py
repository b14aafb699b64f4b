"""A customer's windows against a list of everything that ever happened, and the definition in words."""

from array import array
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.scoring import windows
from tallystick.scoring.customers import Customers, dump
from tallystick.scoring.windows import DAY_MS, HORIZON_MS, Customer, digest_of

from .naive_customers import NaiveCustomer, Paid, amounts, histories

SPANS_MS = (DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 30 * DAY_MS)
SMALL = {"KEPT": 5, "_SCANNED": 3, "TRIM_EVERY": 2, "_BY_COLUMN": 2}
"""Limits that short histories reach."""


# The fixture's setting is the same for every example.
_every_example = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(
    params=[{}, SMALL, SMALL | {"TRIM_EVERY": 2**40}, {"TRIM_EVERY": 1}],
    ids=["real", "small", "never", "always"],
)
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Set the limits, or leave them, and return how many transactions are remembered; memory is freed sooner or later."""
    for name, value in request.param.items():
        monkeypatch.setattr(windows, name, value)
    return windows.KEPT


def observe(customer: Customer, paid: Paid, spans_ms: tuple[int, ...] = SPANS_MS) -> list[int]:
    """Observe a transaction."""
    return customer.observe(digest_of(paid.identifier), paid.currency, paid.time_ms, paid.amount, spans_ms)


@_every_example
@given(paid=histories())
def test_windows_are_what_their_definition_says(kept: int, paid: list[Paid]) -> None:
    """Late ones, several at one time, months without any, two currencies, more than is remembered: count and sum are exact."""
    customer, naive = Customer("c"), NaiveCustomer(kept)
    for one in paid:
        assert observe(customer, one) == naive.observe(one, SPANS_MS)


@_every_example
@given(paid=histories(identifiers=3))
def test_repeats_are_what_their_definition_says(kept: int, paid: list[Paid]) -> None:
    """An id is taken for 30 days both ways from every transaction remembered under it, in whatever currency."""
    customer, naive = Customer("c"), NaiveCustomer(kept)
    for one in paid:
        repeated = customer.is_repeat(digest_of(one.identifier), one.time_ms)
        assert repeated == naive.is_repeat(one)
        if not repeated:
            observe(customer, one, ())
            naive.observe(one, ())


@_every_example
@given(paid=histories(identifiers=3), at=st.integers(0, 40))
def test_a_copy_goes_on_as_the_original(kept: int, paid: list[Paid], at: int) -> None:
    """Dumped and loaded at any moment, a customer answers the same, and is dumped to the same bytes again."""
    customer, undisturbed = Customer("c"), Customer("c")
    for place, one in enumerate(paid):
        if place == at:
            copies = Customers()
            copies.load(dump(customer))
            copy = copies.get("c")
            assert copy is not None
            customer = copy
        digest = digest_of(one.identifier)
        assert customer.is_repeat(digest, one.time_ms) == undisturbed.is_repeat(digest, one.time_ms)
        observe(customer, one)
        assert observe(undisturbed, one, ()) == []  # replaying asks for no windows and leaves the same
        assert dump(customer) == dump(undisturbed)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2), st.randoms(use_true_random=False))
def test_memory_is_bounded(per_day: int, late: int, random: Random) -> None:
    """After a year, a customer holds the horizon's transactions and a quarter more, late ones among them or not."""
    customer = Customer("c")
    for number in range(365 * per_day):
        time_ms = 1_700_000_000_000 + number * DAY_MS // per_day
        if late and number % 3 < late:
            time_ms -= random.randrange(DAY_MS)
        observe(customer, Paid(time_ms, 100, "EUR", f"tx-{number}"), ())
    account = customer.account
    assert account is not None
    live = (HORIZON_MS // DAY_MS + 1) * per_day
    assert len(account.times) <= live * 5 // 4 + 2 * windows.TRIM_EVERY
    assert len(account.sums) == len(account.times) + 1
    assert account.sums[-1] - account.sums[0] == 100 * len(account.times)
    assert len(dump(customer)) < 20 * len(account.times) + 64


def test_a_customer_who_sends_millions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one minute, partly late: what is held stops growing, and counts the newest transactions alone."""
    monkeypatch.setattr(windows, "KEPT", 1_000)
    customer, largest = Customer("c"), 0
    for number in range(20_001):
        paid = Paid(1_700_000_000_000 + 3 * number - 40_000 * (number % 7 == 0), 100, "EUR", f"tx-{number}")
        found = observe(customer, paid)
        assert customer.account is not None, "made with the first transaction"
        largest = max(largest, len(customer.account.times))
    assert found == [1_001, 100_100] * len(SPANS_MS)
    assert largest <= 1_250
    assert customer.is_repeat(digest_of("tx-19998"), paid.time_ms)
    assert not customer.is_repeat(digest_of("tx-1"), paid.time_ms)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), amounts), max_size=30))
def test_ties_see_those_that_arrived_before(arrivals: list[tuple[int, int]]) -> None:
    """Of several at one time, each sees itself and the earlier arrivals."""
    customer = Customer("c")
    for place, (time_ms, amount) in enumerate(arrivals):
        before = [paid for time, paid in arrivals[:place] if time <= time_ms]
        found = observe(customer, Paid(time_ms, amount, "EUR", str(place)), (DAY_MS,))
        assert found == [len(before) + 1, sum(before) + amount]


@pytest.mark.parametrize("trim_every", [1, 64])
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
    trim_every: int, known_day: int, newest_day: int, asked_day: int, repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id counts as long as the history does, whether or not its memory was freed."""
    monkeypatch.setattr(windows, "TRIM_EVERY", trim_every)
    customer = Customer("c")
    for name, day in (("known", known_day), ("newest", newest_day)):
        observe(customer, Paid(day * DAY_MS + 1, 100, "EUR", name), ())
    assert customer.is_repeat(digest_of("known"), asked_day * DAY_MS + 1) is repeated


def test_sums_outgrow_no_place() -> None:
    """Ten million of the largest payments are more than 64 bits hold; sums start anew before."""
    customer = Customer("c")
    observe(customer, Paid(1_700_000_000_000, 1, "EUR", "first"))
    assert customer.account is not None
    customer.account.sums = array("q", [2**62 - 2, 2**62 - 1])  # where some years may bring it
    for number in range(3 * windows.TRIM_EVERY):
        paid = Paid(1_700_000_000_000 + number, 10**12, "EUR", str(number))
        assert observe(customer, paid, (DAY_MS,)) == [number + 2, 10**12 * (number + 1) + 1]
    assert customer.account.sums[-1] < 2**60


def test_an_id_is_not_found_across_two_others() -> None:
    """The end of one digest and the beginning of the next are nobody's."""
    customer, ones, zeros = Customer("c"), b"\1" * 4, bytes(4)
    for digest in (zeros + ones, ones + zeros):
        customer.observe(digest, "EUR", 1_700_000_000_000, 1, ())
    assert not customer.is_repeat(ones + ones, 1_700_000_000_000)
    assert customer.is_repeat(ones + zeros, 1_700_000_000_000)


@pytest.mark.parametrize(("newest_day", "repeated"), [(6, True), (8, False)])
def test_an_id_that_came_late_is_gone_at_the_horizon(newest_day: int, repeated: bool) -> None:
    """Without anything that would free its memory: a month late, then 37 days before the newest."""
    customer, start_ms = Customer("c"), 1_700_000_000_000
    for name, day in (("first", 0), ("known", -30), ("newest", newest_day)):
        observe(customer, Paid(start_ms + day * DAY_MS, 100, "EUR", name), ())
    assert customer.account is not None
    assert len(customer.account.times) == 3
    assert customer.is_repeat(digest_of("known"), start_ms - 20 * DAY_MS) is repeated
