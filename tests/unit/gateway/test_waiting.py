"""Which decision is whose."""

import pytest

from tallystick.gateway.waiting import Waiting


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def waiting(clock: Clock) -> Waiting:
    """Return two partitions."""
    return Waiting(2, clock)


async def test_a_decision_goes_to_the_record_at_its_place(waiting: Waiting) -> None:
    """By partition and offset; others are left waiting."""
    waiting.sending(1)
    waiting.sending(1)
    first, second = waiting.sent(1, 7), waiting.sent(1, 8)
    waiting.heard(0, 0, [(7, b"of another partition")])
    waiting.heard(1, 3, [(6, b"another's"), (8, b"eight")])
    assert (first.done(), second.result()) == (False, b"eight")


async def test_a_decision_that_is_heard_before_the_acknowledgement_counts(waiting: Waiting) -> None:
    """Scoring may be faster than the broker's answer to us."""
    waiting.sending(0)
    waiting.heard(0, 0, [(4, b"four"), (5, b"five")])
    assert waiting.sent(0, 5).result() == b"five"
    assert await waiting.expect(0, 5) == b"five"


async def test_early_decisions_are_kept_only_while_something_has_no_place(waiting: Waiting) -> None:
    """Or everything that others stream would be kept."""
    waiting.heard(0, 0, [(1, b"one")])
    assert not waiting.partitions[0].early
    waiting.sending(0)
    waiting.sending(0)
    waiting.heard(0, 1, [(2, b"two")])
    waiting.failed(0)
    assert waiting.partitions[0].early
    waiting.sent(0, 3)
    assert not waiting.partitions[0].early


async def test_of_two_decisions_on_a_record_the_first_counts(waiting: Waiting) -> None:
    """A record may be scored twice; the log keeps the first, too."""
    waiting.sending(0)
    decision = waiting.sent(0, 2)
    waiting.sending(0)
    waiting.heard(0, 0, [(2, b"first"), (3, b"first")])
    waiting.heard(0, 1, [(2, b"second"), (3, b"second")])
    assert (decision.result(), waiting.sent(0, 3).result()) == (b"first", b"first")


async def test_what_is_forgotten_is_not_kept(waiting: Waiting) -> None:
    """Nothing is left behind of requests that are over."""
    waiting.sending(0)
    waiting.sent(0, 2)
    waiting.forget(0, 2)
    waiting.forget(0, 2)
    assert not waiting.partitions[0].waiting


async def test_where_what_is_sent_next_can_be(waiting: Waiting) -> None:
    """Whoever looks for a record or a decision later begins where it cannot be before; that never goes back."""
    at = waiting.partitions[0]
    waiting.sending(0)
    waiting.sent(0, 9)
    assert (at.from_offset, at.decisions_offset) == (10, 0)
    waiting.heard(0, 41, [(12, b""), (4, b"")])
    assert (at.from_offset, at.decisions_offset) == (13, 42)
    waiting.heard(0, 41, [(4, b"")])
    assert (at.from_offset, at.decisions_offset) == (13, 42)


async def test_silence_is_something_sent_and_nothing_decided(waiting: Waiting, clock: Clock) -> None:
    """It begins when something is sent, ends with any decision, and goes on if more is waited for."""
    assert waiting.silent_s(0) == 0
    waiting.sending(0)
    waiting.sent(0, 5)
    clock.now_s += 3
    waiting.sending(0)
    waiting.sent(0, 6)
    assert (waiting.silent_s(0), waiting.silent_s(1)) == (3, 0)
    waiting.heard(0, 0, [(5, b"")])
    assert waiting.silent_s(0) == 0
    clock.now_s += 2
    assert (waiting.silent_s(0), waiting.lag(0)) == (2, 1)
    waiting.heard(0, 1, [(6, b"")])
    clock.now_s += 2
    assert (waiting.silent_s(0), waiting.lag(0)) == (0, 0)
