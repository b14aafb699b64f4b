"""What gateways answered without a decision, held against the decisions that followed on the same places.

A fallback names its record's partition and offset, and so does the decision on it: nothing else is needed to compare the two,
no key and no evidence. Decisions of a partition are in the order of offsets, so what they pass over has none.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tallystick.contracts import Decision, Fallback, Outcome

MAX_TOLD = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """A transaction that was answered without a decision; `sequence` and `decided` are None if none was made since."""

    partition: int
    offset: int
    answered: Outcome
    sequence: int | None = None
    decided: Outcome | None = None


@dataclass(slots=True)
class Answers:
    """Fallbacks of one input topic, none of them withdrawn, beside the decisions on it, which are taken in the log's order.

    Attributes:
        counts: those that were decided, by what was answered and what was decided.
        otherwise: the first that were decided otherwise than answered.
        never: those that the decisions of their partition passed over.
        begins_late: whether one lies before the first decision taken of its partition, so that earlier ones have to be asked.
    """

    counts: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    otherwise: list[Answer] = field(default_factory=list)
    never: list[Answer] = field(default_factory=list)
    begins_late: bool = False
    _open: dict[int, deque[Answer]] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    @classmethod
    def to(cls, given: Iterable[Fallback]) -> "Answers":
        """Return the answers that fallbacks gave, nothing decided yet."""
        found = cls()
        ordered = sorted(given, key=lambda one: (one.source_partition, one.source_offset))
        for one in ordered:
            waiting = found._open.setdefault(one.source_partition, deque())
            waiting.append(Answer(one.source_partition, one.source_offset, one.outcome))
        return found

    @property
    def decided(self) -> int:
        """How many have a decision."""
        return self.counts.total()

    @property
    def same(self) -> int:
        """How many of those were decided as they were answered."""
        return sum(count for (answered, decided), count in self.counts.items() if answered == decided)

    @property
    def waiting(self) -> int:
        """How many lie behind the last decision of their partition."""
        return sum(map(len, self._open.values()))

    def waits_in(self, partitions: Iterable[int]) -> bool:
        """Return whether later decisions on any of these partitions may tell more."""
        return any(self._open.get(partition) for partition in partitions)

    def take(self, decision: Decision) -> None:
        """Take the log's next decision on the topic."""
        partition, offset = decision.source_partition, decision.source_offset
        waiting = self._open.get(partition, ())
        while waiting and waiting[0].offset <= offset:
            one = waiting.popleft()
            if one.offset < offset:
                self.begins_late |= partition not in self._seen and decision.sequence > 0
                self.never.append(one)
                continue
            self.counts[one.answered, decision.outcome] += 1
            if one.answered != decision.outcome and len(self.otherwise) < MAX_TOLD:
                self.otherwise.append(Answer(partition, offset, one.answered, decision.sequence, decision.outcome))
        self._seen.add(partition)
