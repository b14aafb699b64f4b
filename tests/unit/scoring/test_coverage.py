"""No log, no decision: what counts as covered, and what a log that contradicts itself changes (nothing)."""

from collections.abc import Callable

import pytest

from tallystick.contracts import EntryKind, LogEntry
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.scoring.coverage import Coverage, CoverageError, Limit, decision_leaf

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(40)]
LIMIT = Limit(decisions=3, age_s=10.0)


def checkpoint(leaves: list[bytes]) -> Checkpoint:
    """Return the checkpoint of a log of these leaves."""
    frontier = Frontier()
    frontier.append(leaves)
    return Checkpoint("log", frontier.size, frontier.root())


def following(size: int = 0) -> Coverage:
    """Return coverage that has verified the first leaves."""
    frontier = Frontier()
    frontier.append(LEAVES[:size])
    return Coverage(frontier)


@pytest.mark.parametrize("start", [0, 1, 7, 8, 20])
def test_decisions_are_covered_when_the_root_agrees(start: int) -> None:
    """Emitted leaves that the log then holds are covered, with the time at which they were emitted."""
    coverage = following(start)
    coverage.emitted(LEAVES[start : start + 2], 5.0)
    coverage.emitted(LEAVES[start + 2 : start + 4], 6.0)
    assert coverage.advance(LEAVES[start : start + 3], checkpoint(LEAVES[: start + 3])) == [5.0, 5.0, 6.0]
    assert (coverage.size, coverage.pending) == (start + 3, 1)
    assert coverage.advance(LEAVES[start + 3 : 30], checkpoint(LEAVES[:30])) == [6.0]
    assert (coverage.size, coverage.pending, coverage.age_s(99.0)) == (30, 0, 0.0)


def test_another_decision_for_a_record_covers_nothing() -> None:
    """The log may have grown by as many entries: only the very leaf that was emitted covers it."""
    coverage = following(10)
    other = leaf_hash(b"somebody else's decision")
    coverage.emitted([LEAVES[10]], 1.0)
    assert coverage.advance([other], checkpoint([*LEAVES[:10], other])) == []
    assert coverage.pending == 1


def change_last(leaves: list[bytes]) -> list[bytes]:
    """Flip one bit of the last leaf."""
    return [*leaves[:-1], bytes([leaves[-1][0] ^ 1]) + leaves[-1][1:]]


LIES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "one bit changed": change_last,
    "one left out at the end": lambda leaves: leaves[:-1],
    "one left out in the middle": lambda leaves: [*leaves[:4], *leaves[5:]],
    "two exchanged": lambda leaves: [leaves[1], leaves[0], *leaves[2:]],
    "one too many": lambda leaves: [*leaves, leaves[-1]],
    "one twice": lambda leaves: [*leaves[:-1], leaves[-2]],
    "none": lambda _: [],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_leaves_that_do_not_lead_to_the_root_change_nothing(lie: Callable[[list[bytes]], list[bytes]]) -> None:
    """They are refused, nothing counts as covered, and the true leaves are accepted afterwards."""
    coverage = following(10)
    coverage.emitted(LEAVES[10:20], 1.0)
    with pytest.raises(CoverageError, match="do not lead to its checkpoint of 20 entries"):
        coverage.advance(lie(LEAVES[10:20]), checkpoint(LEAVES[:20]))
    assert (coverage.size, coverage.pending) == (10, 10)
    assert coverage.advance(LEAVES[10:20], checkpoint(LEAVES[:20])) == [1.0] * 10


def test_a_fork_is_refused() -> None:
    """A log that changed an entry which was verified before has another root, whatever follows."""
    coverage = following(10)
    forked = [*LEAVES[:4], leaf_hash(b"rewritten"), *LEAVES[5:12]]
    with pytest.raises(CoverageError, match="do not lead"):
        coverage.advance(LEAVES[10:12], checkpoint(forked))
    assert coverage.size == 10


def test_a_fork_of_the_same_size_is_refused() -> None:
    """Nothing new, and yet another root."""
    forked = [*LEAVES[:9], leaf_hash(b"rewritten")]
    with pytest.raises(CoverageError, match="do not lead"):
        following(10).advance([], checkpoint(forked))


def test_a_rollback_is_refused() -> None:
    """The log never gets smaller."""
    coverage = following(10)
    with pytest.raises(CoverageError, match="went back from 10 to 9 entries"):
        coverage.advance([], checkpoint(LEAVES[:9]))
    assert coverage.size == 10


def test_standing_still_is_allowed() -> None:
    """The same checkpoint again covers nothing and is no error."""
    coverage = following(10)
    coverage.emitted([LEAVES[10]], 1.0)
    assert coverage.advance([], checkpoint(LEAVES[:10])) == []
    assert coverage.pending == 1


def test_the_log_may_come_before_the_acknowledgement() -> None:
    """Decisions that are logged before the broker's answer is here are covered as soon as it is, however late that is.

    Fails if what the log gets is forgotten after so many looks: one partition's slow answer would leave the others' decisions
    uncovered for good, and scoring would stop although the log has them all.
    """
    coverage = following(10)
    coverage.emitting()
    for size in range(11, 15):
        coverage.advance(LEAVES[size - 1 : size], checkpoint(LEAVES[:size]))
    coverage.emitted(LEAVES[10:12], 1.0)
    coverage.emitted(LEAVES[12:14], 1.0)
    assert coverage.pending == 0


def test_what_is_nobodys_is_forgotten() -> None:
    """Others' decisions do not fill the memory of a process that emits nothing; what was logged before is not the next ones."""
    coverage = following(10)
    coverage.emitting()
    coverage.advance([LEAVES[10]], checkpoint(LEAVES[:11]))
    coverage.settled()
    coverage.advance([LEAVES[11]], checkpoint(LEAVES[:12]))
    assert not coverage._unclaimed
    coverage.emitting()
    coverage.emitted(LEAVES[10:12], 1.0)
    assert coverage.pending == 2


def test_a_leaf_is_claimed_once() -> None:
    """An entry of the log covers one emitted decision, not each that looks the same."""
    coverage = following(10)
    coverage.emitting()
    coverage.advance([LEAVES[10]], checkpoint(LEAVES[:11]))
    coverage.emitted([LEAVES[10]], 1.0)
    coverage.emitted([LEAVES[10]], 2.0)
    assert coverage.pending == 1


def test_age_is_the_oldests() -> None:
    """The age counts from the oldest decision that is not covered, whichever order the log takes."""
    coverage = following()
    coverage.emitted(LEAVES[:2], 1.0)
    coverage.emitted(LEAVES[2:4], 5.0)
    assert coverage.age_s(6.0) == 5.0
    coverage.advance([LEAVES[0], LEAVES[2]], checkpoint([LEAVES[0], LEAVES[2]]))
    assert coverage.age_s(6.0) == 5.0
    coverage.advance([LEAVES[1]], checkpoint([LEAVES[0], LEAVES[2], LEAVES[1]]))
    assert coverage.age_s(6.0) == 1.0


@pytest.mark.parametrize(
    ("emitted", "now_s", "words"),
    [
        (0, 1e9, None),
        (3, 10.0, None),
        (3, 10.04, "a decision is not in the log after 10.0 s, 10.0 s are allowed"),
        (1, 12.3, "a decision is not in the log after 12.3 s, 10.0 s are allowed"),
        (4, 0.0, "4 decisions are not in the log, 3 are allowed"),
    ],
)
def test_limits_are_said_in_words(emitted: int, now_s: float, words: str | None) -> None:
    """So many decisions, none older than so many seconds: at the limit is allowed."""
    coverage = following()
    coverage.emitted(LEAVES[:emitted], 0.0)
    assert LIMIT.exceeded(coverage.pending, coverage.age_s(now_s)) == words


def test_a_decisions_leaf_is_its_log_entrys() -> None:
    """The notary's envelope: kind, topic, partition, offset, time stamp and the exact value."""
    entry = LogEntry(
        kind=EntryKind.ENTRY_KIND_DECISION,
        topic="decisions",
        partition=3,
        offset=70,
        timestamp_ms=1_700_000_000_000,
        value=b"v",
    )
    leaf = decision_leaf("decisions", 3, 70, 1_700_000_000_000, b"v")
    assert leaf == leaf_hash(entry.SerializeToString())
    others = [
        decision_leaf("decisiont", 3, 70, 1_700_000_000_000, b"v"),
        decision_leaf("decisions", 2, 70, 1_700_000_000_000, b"v"),
        decision_leaf("decisions", 3, 71, 1_700_000_000_000, b"v"),
        decision_leaf("decisions", 3, 70, 1_700_000_000_001, b"v"),
        decision_leaf("decisions", 3, 70, 1_700_000_000_000, b"w"),
    ]
    assert len({leaf, *others}) == 6
