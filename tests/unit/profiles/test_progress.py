"""The watermark: what has come, what may still come, and never a clock."""

from tallystick.profiles.progress import Lateness, Source, stream_time, watermark
from tallystick.trust.profiles.subject import DAY_S, Rule

RULE = Rule(7 * DAY_S, 3600, 14 * DAY_S)
LATENESS = Lateness(DAY_S, 600)
NOW_S = 1_700_000_000


def test_a_partition_read_to_its_end_holds_nothing_back() -> None:
    """Stream time is the newest of all once everything is read, the least of what is behind before."""
    assert stream_time({0: Source(NOW_S - 9000, at_end=True), 1: Source(NOW_S, at_end=True)}) == NOW_S
    assert stream_time({0: Source(NOW_S - 9000, at_end=False), 1: Source(NOW_S, at_end=True)}) == NOW_S - 9000
    assert stream_time({0: Source(0, at_end=False), 1: Source(NOW_S, at_end=True)}) == 0
    assert stream_time({}) == 0


def test_in_live_operation_the_watermark_is_ahead() -> None:
    """With all labels read it lies lead less lateness ahead of the newest transaction, however long there was no label."""
    assert watermark(NOW_S, {0: Source(0, at_end=True)}, RULE, LATENESS) == NOW_S + 3000


def test_labels_that_are_not_read_hold_it_back() -> None:
    """A partition of labels that is not at its end is complete up to its newest label, and not at all before the first."""
    behind = {0: Source(NOW_S, at_end=True), 1: Source(NOW_S - 5 * DAY_S, at_end=False)}
    assert watermark(NOW_S, behind, RULE, LATENESS) == NOW_S - 5 * DAY_S + 3000
    assert watermark(NOW_S, {0: Source(0, at_end=False)}, RULE, LATENESS) == 0


def test_it_never_passes_what_transactions_may_still_change() -> None:
    """However far ahead labels may count, transactions that come late are waited for."""
    far = Rule(7 * DAY_S, 30 * DAY_S, 14 * DAY_S)
    assert watermark(NOW_S, {0: Source(0, at_end=True)}, far, LATENESS) == NOW_S + 6 * DAY_S


def test_nothing_is_known_before_the_first_transaction() -> None:
    """Without stream time there is no watermark."""
    assert watermark(0, {0: Source(NOW_S, at_end=True)}, RULE, LATENESS) == 0
