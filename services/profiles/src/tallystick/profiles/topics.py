"""The topics that are only profiles' own, and how subjects are divided among their partitions."""

from collections.abc import Callable

from aiokafka.partitioner import murmur2

UPDATES = "profile-updates"
PROFILES = "profiles"
DEAD_LETTER = "dead-letter"


def partitioner(partitions: int) -> Callable[[bytes], int]:
    """Return what gives the partition that a subject's key belongs on."""
    return lambda key: (murmur2(key) & 0x7FFFFFFF) % partitions
