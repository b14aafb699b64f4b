"""Whether the decisions were made on the input that a sealer read: every record one decision, in order, none left out.

Both sides computed the same running hash over what they read, and nobody needs its key to compare the two. Where they agree at
one sequence, they agree on every record before it. Seals and decisions are taken as they come; what is held is only how far one
side is ahead of the other.
"""

from collections import deque
from dataclasses import dataclass, field

from tallystick.contracts import Decision, SealedPartition
from tallystick.trust.seals import TRAIL_STEP, SignedSeal

DIFFERENT = (
    "from here on the decisions are not on the records that were sealed: one was left out, put in, moved, altered or given"
    " another key"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place of a partition at which the decisions are not those on the sealed input.

    `offset` is where the decision of that sequence says that its transaction was; None if there is no such decision.
    """

    partition: int
    sequence: int
    offset: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sequences of a partition: `first <= sequence < end`, all of one thing."""

    partition: int
    first: int
    end: int


@dataclass(slots=True)
class _Side:
    """One partition: `compared` is the first sequence not compared yet, `decided` the first that is not decided."""

    compared: int = 0
    decided: int = 0
    sealed: int = 0
    offset: int = -1
    passing: int | None = None
    decisions: deque[tuple[int, int, bytes]] = field(default_factory=deque)
    points: deque[tuple[int, SealedPartition]] = field(default_factory=deque)
    difference: Difference | None = None
    gap: Difference | None = None


class Comparison:
    """One sealer's seals beside the decisions on the same topic.

    Args:
        partitions: how many the topic has.
        before: the sealer's last seal before those that are compared; None if they are compared from sequence 0 on.
        counted_from_ms: what was sealed before is compared as well, and not in `compared`.
    """

    def __init__(
        self,
        partitions: int,
        before: SignedSeal | None = None,
        counted_from_ms: int = 0,
    ) -> None:
        self._sides = {partition: _Side() for partition in range(partitions)}
        for one in before.statement.partitions if before else ():
            self._sides[one.partition] = _Side(one.next_sequence, one.next_sequence, one.next_sequence, one.next_offset - 1)
        self._newest_ms, self._counted_from_ms = 0, counted_from_ms
        self.compared = 0

    def seal(self, seal: SignedSeal) -> None:
        """Take the sealer's next seal."""
        self._newest_ms = seal.statement.sealed_at_ms
        for one in seal.statement.partitions:
            side = self._sides[one.partition]
            if one.gap and side.gap is None:  # what was sealed before it may differ before it
                reason = f"a gap in what {seal.sealer} could read: {one.gap}"
                side.gap = Difference(one.partition, side.sealed, None, reason)
            if side.difference is None and side.gap is None and one.next_sequence > side.sealed:
                side.points.append((self._newest_ms, one))
            side.sealed = max(side.sealed, one.next_sequence)
            self._settle(one.partition)

    def later(self, seal: SignedSeal) -> None:
        """Take note of a later seal that is not compared: so much time had the records before it to be decided."""
        self._newest_ms = seal.statement.sealed_at_ms

    def decide(self, decision: Decision) -> None:
        """Take the log's next decision on this topic; those before the first that is compared are passed over."""
        partition, sequence = decision.source_partition, decision.sequence
        side = self._sides[partition]
        if side.difference is not None or sequence < side.compared:
            return
        offset = decision.source_offset
        if sequence != side.decided:
            if side.passing != sequence:
                self._differ(partition, side.decided, None, f"the log goes on with sequence {sequence}: decisions are missing")
                return
            side.decided = sequence
        if offset <= side.offset:
            self._differ(partition, sequence, offset, f"it is on offset {offset}, after one on {side.offset}")
            return
        side.decided, side.offset, side.passing = sequence + 1, offset, None
        side.decisions.append((sequence, offset, decision.chain))
        if side.points and side.decided >= side.points[0][1].next_sequence:
            self._settle(partition)

    def pass_over(self, partition: int, to_sequence: int) -> None:
        """Let a partition go on with a later sequence, as an incident that two people signed says."""
        self._sides[partition].passing = to_sequence

    def starts_after(self) -> bool:
        """Return whether the first decision taken of some partition came after the first that is to be compared.

        Then those given began too late to say anything.
        """
        return any(
            side.difference is not None and side.difference.sequence == side.compared and not side.decisions
            for side in self._sides.values()
        )

    def wanting(self) -> list[int]:
        """Return the partitions of which decisions are needed to go on."""
        return [partition for partition, side in self._sides.items() if side.points and side.difference is None]

    def differences(self, patience_ms: int) -> list[Difference]:
        """Return what was found, first places by partition; to be asked when all there is was taken.

        A sealed record without a decision is a difference if the sealer sealed it `patience_ms` before its newest seal.
        """
        found = []
        for partition, side in self._sides.items():
            if side.points:  # decisions that are fewer than those sealed are compared as far as they go
                point = side.points[0][1]
                self._compare(partition, side, point, [one for one in side.decisions if one[0] < point.next_sequence])
            late = next((point for at_ms, point in side.points if self._newest_ms - at_ms >= patience_ms), None)
            if side.difference is not None:
                found.append(side.difference)
            elif late is not None:
                found.append(Difference(partition, side.decided, None, "sealed, and the log has no decision on it"))
            elif side.gap is not None:
                found.append(side.gap)
        return found

    def undecided(self) -> list[Stretch]:
        """Return what is sealed and not decided yet."""
        return [
            Stretch(partition, side.decided, side.sealed)
            for partition, side in self._sides.items()
            if side.sealed > side.decided and side.difference is None
        ]

    def unsealed(self) -> list[Stretch]:
        """Return the tail: what is decided and not sealed yet."""
        return [
            Stretch(partition, side.sealed, side.decided)
            for partition, side in self._sides.items()
            if side.decided > side.sealed and side.difference is None
        ]

    def _settle(self, partition: int) -> None:
        side = self._sides[partition]
        while side.points and side.difference is None and side.decided >= side.points[0][1].next_sequence:
            at_ms, point = side.points.popleft()
            taken = []
            while side.decisions and side.decisions[0][0] < point.next_sequence:
                taken.append(side.decisions.popleft())
            self._compare(partition, side, point, taken)
            self.compared += len(taken) if at_ms >= self._counted_from_ms else 0
            side.compared = point.next_sequence
        if side.gap is not None and not side.points and side.difference is None:
            self._end(side, side.gap)

    def _compare(self, partition: int, side: _Side, point: SealedPartition, taken: list[tuple[int, int, bytes]]) -> None:
        trail = point.trail
        if len(taken) * TRAIL_STEP != len(trail) or b"".join([chain[:TRAIL_STEP] for _, _, chain in taken]) != trail:
            start = point.next_sequence - len(trail) // TRAIL_STEP
            for sequence, offset, chain in taken:  # an incident's are missing among them
                at = (sequence - start) * TRAIL_STEP
                if chain[:TRAIL_STEP] != trail[at : at + TRAIL_STEP]:
                    self._differ(partition, sequence, offset, DIFFERENT)
                    return
        if taken and taken[-1][0] == point.next_sequence - 1:
            sequence, offset, chain = taken[-1]
            if chain != point.chain or offset + 1 != point.next_offset:
                self._differ(partition, sequence, offset, DIFFERENT)

    def _differ(self, partition: int, sequence: int, offset: int | None, reason: str) -> None:
        side = self._sides[partition]
        if side.difference is None:
            self._end(side, Difference(partition, sequence, offset, reason))

    @staticmethod
    def _end(side: _Side, difference: Difference) -> None:
        side.difference = difference
        side.points.clear()
        side.decisions.clear()
