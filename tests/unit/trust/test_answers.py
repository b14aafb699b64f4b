"""What gateways answered, beside what was decided: each by its place, and none found that was not made."""

from collections.abc import Iterable

from tallystick.contracts import Decision, Fallback, Outcome
from tallystick.trust.answers import MAX_TOLD, Answer, Answers

APPROVED, DECLINED = Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_DECLINE


def given(partition: int, offset: int, outcome: Outcome = APPROVED) -> Fallback:
    """Return an answer."""
    return Fallback(source_partition=partition, source_offset=offset, outcome=outcome)


def decisions(partition: int, offsets: Iterable[int], outcome: Outcome = APPROVED, first: int = 0) -> list[Decision]:
    """Return decisions on a partition's offsets."""
    return [
        Decision(source_partition=partition, source_offset=offset, sequence=sequence, outcome=outcome)
        for sequence, offset in enumerate(offsets, start=first)
    ]


def held(answers: Answers, *some: Decision) -> Answers:
    """Take decisions."""
    for one in some:
        answers.take(one)
    return answers


def test_each_is_held_against_the_decision_on_its_place() -> None:
    """Same, otherwise, passed over, and not reached yet, by partition; two gateways may have answered one record."""
    fallbacks = [given(0, 3), given(0, 4, DECLINED), given(0, 4), given(0, 9), given(1, 3), given(2, 6), given(2, 7)]
    found = Answers.to(reversed(fallbacks))
    assert [found.waits_in(some) for some in ([0], [2, 3], [3])] == [True, True, False]
    held(found, *decisions(0, range(9)), *decisions(1, (1, 2, 4)), *decisions(2, range(8), DECLINED))
    assert (found.decided, found.same, found.waiting) == (5, 2, 1)
    assert found.counts == {(APPROVED, APPROVED): 2, (DECLINED, APPROVED): 1, (APPROVED, DECLINED): 2}
    assert found.never == [Answer(1, 3, APPROVED)]
    assert found.otherwise == [
        Answer(0, 4, DECLINED, 4, APPROVED),
        Answer(2, 6, APPROVED, 6, DECLINED),
        Answer(2, 7, APPROVED, 7, DECLINED),
    ]
    assert not found.begins_late
    assert [found.waits_in(some) for some in ([0, 1], [1, 2])] == [True, False]


def test_decisions_that_begin_too_late_tell_of_it() -> None:
    """What the first decision of a partition passes over may have one before; what a later one does has none."""
    assert held(Answers.to([given(0, 3)]), *decisions(0, (5, 6), first=5)).begins_late
    assert not held(Answers.to([given(0, 5)]), *decisions(0, (4, 6), first=4)).begins_late
    assert not held(Answers.to([given(0, 0)]), *decisions(0, (3, 4))).begins_late


def test_as_many_are_told_as_people_read() -> None:
    """All are counted."""
    fallbacks = [given(0, offset, DECLINED) for offset in range(2 * MAX_TOLD)]
    found = held(Answers.to(fallbacks), *decisions(0, range(2 * MAX_TOLD)))
    assert (len(found.otherwise), found.decided, found.same) == (MAX_TOLD, 2 * MAX_TOLD, 0)
