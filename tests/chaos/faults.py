"""What is done to whom, and when: endless plans that a seed determines. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Span = tuple[float, float]
"""Seconds, at least and at most."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One disturbance.

    Attributes:
        after_s: how long all is left alone before.
        kind: `kill` (SIGKILL, and started again) or `pause` (SIGSTOP, and continued).
        seconds: how long it stays down, or stands still.
        pick: in [0, 1), which of those that run it is.
    """

    after_s: float
    kind: Literal["kill", "pause"]
    seconds: float
    pick: float


@dataclass(frozen=True, slots=True)
class Habit:
    """How one kind of process is treated: gaps between faults, how long it is down, and stands still, for short or for long.

    Long is longer than others wait for it: its partitions, or what it leads, are another's when it wakes.
    """

    gap_s: Span
    down_s: Span
    short_s: Span
    long_s: Span


# A member of a group is given up after 10 s, a broker after 9 s. Gaps are often longer, so that faults hit work in full swing.
HABITS = {
    "scoring": Habit(gap_s=(4.0, 16.0), down_s=(0.0, 2.0), short_s=(0.5, 3.0), long_s=(11.0, 14.0)),
    "notary": Habit(gap_s=(4.0, 14.0), down_s=(0.0, 2.0), short_s=(0.5, 3.0), long_s=(5.0, 8.0)),
    "broker": Habit(gap_s=(5.0, 20.0), down_s=(0.0, 3.0), short_s=(0.5, 4.0), long_s=(10.0, 13.0)),
}
_DECK: tuple[tuple[Literal["kill", "pause"], str], ...] = (
    ("kill", "down_s"), ("kill", "down_s"), ("pause", "short_s"), ("pause", "long_s")
)  # fmt: skip


def faults(seed: int, name: str) -> Iterator[Fault]:
    """Give faults for one kind of process, without end: of every four, two kills, a short pause and a long one."""
    chance = random.Random(f"{seed}/{name}")
    habit = HABITS[name]
    while True:
        for kind, span in chance.sample(_DECK, len(_DECK)):
            after_s, seconds = chance.uniform(*habit.gap_s), chance.uniform(*getattr(habit, span))
            yield Fault(after_s, kind, seconds, chance.random())
