"""The switching rule against its sentence: the first record whose time stamp reaches `effective_at` switches for good."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.scoring.activations import Actives
from tallystick.scoring.engine import Partition

from ...unit.scoring.world import CHAIN_KEYS, PARTITION, TOPIC, FakeRecord, active

times_ms = st.integers(0, 12)


def naive(effective_ms: list[int], stamps_ms: list[int]) -> list[int | None]:
    """Return the number in force at each record: the highest that any record so far has reached."""
    reached = [
        [
            number
            for number, start_ms in enumerate(effective_ms)
            if any(stamp_ms >= start_ms for stamp_ms in stamps_ms[: end + 1])
        ]
        for end in range(len(stamps_ms))
    ]
    return [max(numbers, default=None) for numbers in reached]


@settings(deadline=None)
@given(st.lists(times_ms, max_size=4), st.lists(times_ms, max_size=30), st.integers(1, 30))
def test_each_record_is_decided_by_the_highest_number_reached(effective_ms: list[int], stamps_ms: list[int], size: int) -> None:
    """Whatever the order of times and the batches; numbers never decrease, so one that was superseded never comes back."""
    actives = Actives(tuple(active(number, start_ms) for number, start_ms in enumerate(effective_ms)))
    partition = Partition(TOPIC, PARTITION, lambda _: PARTITION)
    records = [FakeRecord(offset, stamp_ms, None, None) for offset, stamp_ms in enumerate(stamps_ms)]
    rows = [
        row
        for start in range(0, len(records), size)
        for row in partition.admit(records[start : start + size], actives, CHAIN_KEYS)
    ]
    found = [row.active.number if row.active else None for row in rows]
    assert found == naive(effective_ms, stamps_ms)
    numbers = [-1 if number is None else number for number in found]
    assert numbers == sorted(numbers)


@settings(deadline=None)
@given(st.lists(times_ms, min_size=1, max_size=4), st.lists(times_ms, max_size=20), st.data())
def test_activations_that_become_known_later_switch_the_same(
    effective_ms: list[int], stamps_ms: list[int], data: st.DataObject
) -> None:
    """An activation is logged before it takes effect; when scoring reads of it does not matter then."""
    known = [active(number, start_ms) for number, start_ms in enumerate(effective_ms)]
    reference, late = (Partition(TOPIC, PARTITION, lambda _: PARTITION) for _ in range(2))
    for offset, stamp_ms in enumerate(stamps_ms):
        made = [FakeRecord(offset, stamp_ms, None, None)]
        needed = max((one.number + 1 for one in known if one.effective_at_ms <= stamp_ms), default=0)
        so_far = Actives(tuple(known[: data.draw(st.integers(needed, len(known)))]))
        (expected,), (found,) = reference.admit(made, Actives(tuple(known)), CHAIN_KEYS), late.admit(made, so_far, CHAIN_KEYS)
        assert found.active is expected.active
