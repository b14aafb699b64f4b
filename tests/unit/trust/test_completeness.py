"""Decisions beside seals: whatever was done to the input on one side only is found, at the sequence where it was done."""

from collections.abc import Callable, Sequence

import pytest

from tallystick.contracts import Decision
from tallystick.trust.completeness import Comparison, Difference, Stretch

from ..sealer.input import PARTITIONS, Record, Sealing, decided, records

COUNT = 30
PATIENCE_MS = 5_000


def compared(sealed: Sequence[Record], decisions: Sequence[Decision], every: int = 7) -> Comparison:
    """Return the comparison of what a sealer read, with a seal every few records, with these decisions, some ahead."""
    sealing, comparison = Sealing(), Comparison(PARTITIONS)
    left = list(decisions)
    comparison.seal(sealing.signed())
    for start in range(0, len(sealed), every):
        for decision in left[: every + 2]:
            comparison.decide(decision)
        del left[: every + 2]
        sealing.read(*sealed[start : start + every])
        comparison.seal(sealing.signed())
    for decision in left:
        comparison.decide(decision)
    return comparison


def replaced(place: int, **changes: object) -> Callable[[list[Record]], list[Record]]:
    """Return the attack that changes a record."""
    return lambda some: [*some[:place], some[place]._replace(**changes), *some[place + 1 :]]  # type: ignore[arg-type]  # any field


ATTACKS = {
    "drop": lambda some: [*some[:10], *some[11:]],
    "insert": lambda some: [*some[:10], some[10]._replace(value=b"a payment of our own"), *some[10:]],
    "reorder": lambda some: [*some[:10], some[11]._replace(offset=10), some[10]._replace(offset=11), *some[12:]],
    "alter": replaced(10, value=b"paid 1000"),
    "empty": replaced(10, value=None),
    "re-key": replaced(10, key=b"another customer"),
    "header": replaced(10, headers=(("content-type", b"application/json"),)),
    "time": replaced(10, timestamp=0),
    "move": lambda some: [*some[:10], *(one._replace(offset=one.offset + 1) for one in some[10:])],
}


@pytest.mark.parametrize("every", [7, COUNT])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_each_attack_on_the_input_is_found_where_it_was_made(
    attack: Callable[[list[Record]], list[Record]], every: int
) -> None:
    """What scoring was given is not what is in the brokers that the sealer reads: the first such sequence is named."""
    real = records(COUNT)
    given = [record._replace(offset=max(place, record.offset)) for place, record in enumerate(attack(real))]
    (found,) = compared(real, decided(given), every).differences(PATIENCE_MS)
    assert (found.partition, found.sequence) == (0, 10)


def test_what_agrees_is_complete() -> None:
    """Nothing is found where both read the same, however the seals are cut."""
    for every in (1, 4, COUNT):
        comparison = compared(records(COUNT), decided(records(COUNT)), every)
        assert comparison.differences(PATIENCE_MS) == []
        assert comparison.compared == COUNT
        assert (comparison.undecided(), comparison.unsealed()) == ([], [])


def test_a_dropped_decision_is_found() -> None:
    """The log goes on with a later sequence, and no incident says why."""
    made = decided(records(COUNT))
    (found,) = compared(records(COUNT), [*made[:12], *made[13:]]).differences(PATIENCE_MS)
    assert found == Difference(0, 12, None, "the log goes on with sequence 13: decisions are missing")


def test_a_decision_twice_on_one_record_is_found() -> None:
    """Two decisions, one offset: one transaction got two."""
    made = decided(records(COUNT))
    made[13].source_offset = 12
    (found,) = compared(records(COUNT), made, every=COUNT).differences(PATIENCE_MS)
    assert (found.sequence, found.reason) == (13, "it is on offset 12, after one on 12")


def test_the_last_offset_is_compared_too() -> None:
    """A decision that claims another place than the record's own, right chain or not, is found at a seal."""
    made = decided(records(COUNT))
    made[-1].source_offset += 1
    (found,) = compared(records(COUNT), made).differences(PATIENCE_MS)
    assert found.sequence == COUNT - 1


def test_a_whole_running_hash_is_compared() -> None:
    """Equal first bytes of a running hash are not enough where it was sealed whole."""
    made = decided(records(COUNT))
    made[-1].chain = made[-1].chain[:-1] + bytes([made[-1].chain[-1] ^ 1])
    (found,) = compared(records(COUNT), made).differences(PATIENCE_MS)
    assert found.sequence == COUNT - 1


def test_what_has_no_decision_is_waited_for_so_long() -> None:
    """Decisions come a moment after the input; a record that was sealed long before the newest seal is left out."""
    made = decided(records(COUNT))[:24]
    comparison = compared(records(COUNT), made, every=5)  # 25 to 29 are sealed with the last seal
    assert comparison.undecided() == [Stretch(0, 24, COUNT)]
    assert comparison.differences(PATIENCE_MS) == []
    (found,) = comparison.differences(1_000)
    assert (found.sequence, found.reason) == (24, "sealed, and the log has no decision on it")


def test_the_tail_is_named() -> None:
    """What is decided and not sealed yet is complete on nobody's word."""
    comparison = compared(records(20), decided(records(COUNT)), every=10)
    assert comparison.unsealed() == [Stretch(0, 20, COUNT)]
    assert comparison.differences(PATIENCE_MS) == []


def test_an_incident_lets_a_partition_go_on() -> None:
    """Missing decisions that two people answer for are passed; the running hash after them still has to agree."""
    made, real = decided(records(COUNT)), records(COUNT)
    for altered in (False, True):
        sealing, comparison = Sealing(), Comparison(PARTITIONS)
        sealing.read(*real)
        for decision in made[:12]:
            comparison.decide(decision)
        comparison.pass_over(0, 15)
        theirs = made if not altered else decided([*real[:20], real[20]._replace(value=b"x"), *real[21:]])
        for decision in theirs[15:]:
            comparison.decide(decision)
        comparison.seal(sealing.signed())
        assert [found.sequence for found in comparison.differences(PATIENCE_MS)] == ([20] if altered else [])


def test_a_gap_in_what_the_sealer_read_is_a_difference() -> None:
    """It is named where it is; what the sealer says of that partition after it proves nothing."""
    sealing, comparison = Sealing(), Comparison(PARTITIONS)
    sealing.read(*records(5))
    comparison.seal(sealing.signed())
    sealing.partitions[0].lose("offsets 5 to 7 were deleted before they were read", 8)
    sealing.read(*records(2, first=8))
    comparison.seal(sealing.signed())
    for decision in decided(records(10)):
        comparison.decide(decision)
    (found,) = comparison.differences(PATIENCE_MS)
    assert (found.sequence, found.offset) == (5, None)
    assert "offsets 5 to 7 were deleted before they were read" in found.reason


def test_a_range_begins_at_the_seal_before_it() -> None:
    """Decisions before it are passed over; one that comes too late shows that those given began too late."""
    sealing = Sealing()
    sealing.read(*records(10))
    before = sealing.signed()
    sealing.read(*records(10, first=10))
    after = sealing.signed()
    made = decided(records(20))
    for start, late in ((0, False), (10, False), (11, True)):
        comparison = Comparison(PARTITIONS, before)
        comparison.seal(after)
        for decision in made[start:]:
            comparison.decide(decision)
        assert comparison.starts_after() is late
        assert comparison.compared == (0 if late else 10)


def test_a_gap_does_not_hide_what_differs_before_it() -> None:
    """Sealed, lost to everybody, and passed: what is named is the first record that was not decided, not the gap behind it."""
    sealing, comparison = Sealing(), Comparison(PARTITIONS)
    sealing.read(*records(10))
    comparison.seal(sealing.signed())
    sealing.partitions[0].lose("the last sealed record was deleted", 10)
    comparison.seal(sealing.signed())
    made = decided([*records(5), *records(3, first=10)])
    for decision in made:
        comparison.decide(decision)
    assert [(one.sequence, one.offset) for one in comparison.differences(PATIENCE_MS)] == [(5, 10)]


def test_after_a_gap_nothing_is_kept() -> None:
    """Once what was sealed before it is compared, the decisions behind it prove nothing and are not held."""
    sealing, comparison = Sealing(), Comparison(PARTITIONS)
    sealing.read(*records(5))
    comparison.seal(sealing.signed())
    sealing.partitions[0].lose("offsets 5 to 7 were deleted before they were read", 8)
    comparison.seal(sealing.signed())
    made = decided([*records(5), *records(20, first=8)])
    for decision in made[:5]:
        comparison.decide(decision)
    assert comparison.compared == 5
    for decision in made[5:]:
        comparison.decide(decision)
    assert comparison.wanting() == []
    assert not comparison._sides[0].decisions
    assert [one.sequence for one in comparison.differences(PATIENCE_MS)] == [5]
