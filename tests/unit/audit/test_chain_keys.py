"""When a chain key ends."""

from tallystick.audit.retention.chain_keys import due, too_long
from tallystick.audit.retention.vault_keys import ChainKey, WrappingKey
from tallystick.runtime.retention import DAY_S, RetentionSettings

RETENTION = RetentionSettings(input_retention_s=90 * DAY_S, chain_span_s=30 * DAY_S)
NOW_S = 1_000 * DAY_S


def key(epoch: int, age_days: float, partition: int = 0, destroyed: bool = False) -> ChainKey:
    """Return a key that was made so many days ago."""
    return ChainKey("transactions", partition, epoch, NOW_S - age_days * DAY_S, destroyed)


def test_a_key_ends_when_the_last_of_its_records_does() -> None:
    """Not by its own age: by that of the next one, which was made when the last record was there."""
    keys = [key(0, 300, destroyed=True), key(1, 200), key(2, 92), key(3, 91), key(4, 1), key(0, 500, partition=1)]
    assert [(one.partition, one.epoch) for one in due(keys, RETENTION, NOW_S)] == [(0, 1)]


def test_the_newest_of_a_partition_never_ends_and_is_told_when_it_lasts() -> None:
    """Its records still come; if it serves for longer than is counted, erasures would promise too early a date."""
    keys = [key(0, 200), key(1, 29), key(0, 31, partition=1)]
    assert list(due(keys[1:], RETENTION, NOW_S)) == []
    assert [(one.partition, one.epoch) for one in too_long(keys, RETENTION, NOW_S)] == [(1, 0)]


def test_the_floor_is_the_newest_version_of_some_age() -> None:
    """Versions before it wrap nothing that is younger than that; where none is old enough it stays."""
    wrapping = WrappingKey({3: 100.0, 4: 200.0, 5: 300.0}, 3)
    assert [wrapping.due_floor(350, age) for age in (0, 50, 51, 150, 249, 251)] == [5, 5, 4, 4, 3, 3]
    assert wrapping.newest == 5
