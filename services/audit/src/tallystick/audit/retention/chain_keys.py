"""Chain keys end with the records that they could be used to guess: pure, times and keys in, what is due out.

A key serves 2^20 records of a partition. When the next one was made, its last record was in the topic; when that is past its
retention, so is all of it.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

from tallystick.audit.retention.vault_keys import ChainKey
from tallystick.runtime.retention import RetentionSettings


def due(keys: Iterable[ChainKey], retention: RetentionSettings, now_s: float) -> Iterator[ChainKey]:
    """Give the keys to be destroyed; `keys` are all, those of a partition together and in the order of their epochs."""
    kept_s = retention.ends_s()["transactions"]
    for _, partition in groupby(keys, lambda key: (key.topic, key.partition)):
        for key, following in pairwise(partition):
            if not key.destroyed and following.made_s <= now_s - kept_s:
                yield key


def too_long(keys: Iterable[ChainKey], retention: RetentionSettings, now_s: float) -> list[ChainKey]:
    """Return the keys that serve longer than `chain_span_s` says: erasures would promise too early a date."""
    late = []
    for _, partition in groupby(keys, lambda key: (key.topic, key.partition)):
        *_, newest = partition
        if newest.made_s < now_s - retention.chain_span_s:
            late.append(newest)
    return late
