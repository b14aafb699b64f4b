"""A partition as a sealer reads it: the running hash, and what shows that it is not the one that was read before."""

import pytest

from tallystick.trust.chain import CHAIN_START, KEY_SPAN, next_chain, record_digest
from tallystick.witness.sealer.partition import PartitionChain
from tallystick.witness.sealer.sealing import MAX_PARTITIONS, make_seal, room

from .input import KEYS, Record, key_of, records


def read(count: int) -> PartitionChain:
    """Return a partition of which so much was read."""
    partition = PartitionChain(0)
    partition.take(records(count), KEYS)
    return partition


def again(partition: PartitionChain) -> PartitionChain:
    """Return the partition as it is after a restart."""
    return PartitionChain.restored(partition.sealed(), partition.to_json())


def test_the_running_hash_is_that_of_the_decisions() -> None:
    """As `trust.chain` writes it, and under the next key from the next span on."""
    partition = PartitionChain(0, next_sequence=KEY_SPAN - 1)
    partition.take(records(2), KEYS)
    first, second = (record_digest(one.offset, one.timestamp, one.key, one.headers, one.value) for one in records(2))
    chain = next_chain(b"k" * 32, CHAIN_START, first)
    assert partition.trail == chain[:4] + next_chain(b"l" * 32, chain, second)[:4]
    assert partition.chain == next_chain(b"l" * 32, chain, second)
    assert list(PartitionChain(0, next_sequence=KEY_SPAN - 1).epochs(2)) == [0, 1]


def test_the_last_record_is_recognised_after_a_restart() -> None:
    """It is read again and counts once."""
    partition = again(read(5))
    assert (partition.recognised, partition.resumes_at) == (False, 4)
    assert partition.take(records(3, first=4), KEYS) == records(2, first=5)
    assert (partition.next_sequence, partition.gap) == (7, "")
    assert partition.chain == read(7).chain


@pytest.mark.parametrize("changed", [{"value": b"x"}, {"key": b"x"}, {"timestamp": 0}, {"headers": (("a", None),)}])
def test_another_record_in_its_place_is_a_gap(changed: dict[str, object]) -> None:
    """The topic was made anew, and filled."""
    partition = again(read(5))
    partition.take([records(1, first=4)[0]._replace(**changed), *records(1, first=5)], KEYS)  # type: ignore[arg-type]  # any field
    assert partition.gap == "the record at offset 4 is not the one that was sealed"
    assert partition.next_sequence == 6


def test_a_hole_at_the_last_record_is_a_gap() -> None:
    """It is no longer there, though later ones are."""
    partition = again(read(5))
    partition.take(records(2, first=6), KEYS)
    assert partition.gap == "the last sealed record, at offset 4, is gone: the next one is at 6"
    assert (partition.next_sequence, partition.next_offset) == (7, 8)


def test_after_a_loss_there_is_nothing_to_recognise() -> None:
    """The next record is taken as it comes, after a restart too."""
    partition = read(5)
    partition.lose("deleted", 9)
    assert again(partition).resumes_at == 9
    assert again(partition).recognised
    partition.take(records(1, first=9), KEYS)
    assert (partition.next_sequence, partition.gap) == (6, "deleted")


def test_the_largest_seal_is_a_log_entry() -> None:
    """As many partitions as there may be, full trails, and gaps in all of them at once."""
    partitions = [PartitionChain(number, 2**50, 2**50, b"c" * 32, gap="g" * 900) for number in range(MAX_PARTITIONS)]
    partitions[0].take([Record(offset) for offset in range(room(partitions))], {2**30: KEYS[0]})
    assert room(partitions) == 0
    seal = make_seal(
        "s1",
        key_of("s1"),
        topic="t" * 249,
        cluster_id="c" * 50,
        partitions=partitions,
        sources=(),
        now_ms=2**45,
        last=None,
    )
    assert len(seal.SerializeToString()) < 65_000
