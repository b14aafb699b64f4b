"""Which decision is whose: by the place that Kafka gave a record. Pure state, used from the event loop's thread.

A decision may be heard before the broker's acknowledgement has said where its record is. So while anything sent to a partition
has no place yet, that partition's decisions are kept; once everything has, they are forgotten.
"""

from asyncio import Future, get_running_loop
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Partition:
    """What is known of one partition of the input.

    Attributes:
        from_offset: no record that is sent from now on has a lower offset.
        decisions_offset: nor a decision on it, in its own topic.
        last_sent: the highest offset that a record was acknowledged at, -1 for none.
        last_decided: the highest offset that was heard to be decided, -1 for none.
        undecided_since_s: since when something sent waits without any decision being heard; None if nothing does.
    """

    from_offset: int = 0
    decisions_offset: int = 0
    last_sent: int = -1
    last_decided: int = -1
    undecided_since_s: float | None = None
    unplaced: int = 0
    early: dict[int, bytes] = field(default_factory=dict)
    waiting: dict[int, "Future[bytes]"] = field(default_factory=dict)

    @property
    def lag(self) -> int:
        """How far decisions are behind what was sent from here."""
        return max(0, self.last_sent - self.last_decided) if self.last_decided >= 0 else 0


class Waiting:
    """Everything that waits for a decision.

    Args:
        partitions: of the input topic.
        monotonic: seconds.
    """

    def __init__(self, partitions: int, monotonic: Callable[[], float]) -> None:
        self.partitions = [Partition() for _ in range(partitions)]
        self._monotonic = monotonic

    def sending(self, partition: int) -> None:
        """Say that a record is about to be sent; `sent` or `failed` must follow."""
        self.partitions[partition].unplaced += 1

    def sent(self, partition: int, offset: int) -> "Future[bytes]":
        """Say where a record is; return what its decision is given to, until `forget`."""
        at = self.partitions[partition]
        decision = self.expect(partition, offset)
        at.from_offset = max(at.from_offset, offset + 1)
        at.last_sent = max(at.last_sent, offset)
        if (early := at.early.get(offset)) is not None:
            decision.set_result(early)
        elif at.undecided_since_s is None:
            at.undecided_since_s = self._monotonic()
        self._placed(at)
        return decision

    def failed(self, partition: int) -> None:
        """Say that a record was not sent, or nobody knows where."""
        self._placed(self.partitions[partition])

    def expect(self, partition: int, offset: int) -> "Future[bytes]":
        """Return what the decision on a record is given to, until `forget`: the same one for the same record."""
        waiting = self.partitions[partition].waiting
        if offset not in waiting:
            waiting[offset] = get_running_loop().create_future()
        return waiting[offset]

    def forget(self, partition: int, offset: int) -> None:
        """Wait no more."""
        self.partitions[partition].waiting.pop(offset, None)

    def heard(self, partition: int, record_offset: int, decisions: Iterable[tuple[int, bytes]]) -> None:
        """Take decisions in their order: (the input record's offset, the decision). Of two on one record the first counts.

        Args:
            partition: where they are.
            record_offset: the last one's own offset.
            decisions: of this partition.
        """
        at = self.partitions[partition]
        for offset, decision in decisions:
            waiting = at.waiting.get(offset)
            if waiting is not None:
                if not waiting.done():
                    waiting.set_result(decision)
            elif at.unplaced:
                at.early.setdefault(offset, decision)
            at.last_decided = max(at.last_decided, offset)
        at.from_offset = max(at.from_offset, at.last_decided + 1)
        at.decisions_offset = max(at.decisions_offset, record_offset + 1)
        at.undecided_since_s = self._monotonic() if at.last_sent > at.last_decided else None

    def silent_s(self, partition: int) -> float:
        """Return for how many seconds something has waited without any decision being heard."""
        since = self.partitions[partition].undecided_since_s
        return 0.0 if since is None else self._monotonic() - since

    def lag(self, partition: int) -> int:
        """Return how far decisions are behind what was sent from here."""
        return self.partitions[partition].lag

    @staticmethod
    def _placed(at: Partition) -> None:
        at.unplaced -= 1
        if not at.unplaced:
            at.early.clear()
