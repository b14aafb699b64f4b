"""The strip's cells, from what was decided, logged and sealed."""

from tallystick.audit.console.charts import Cell
from tallystick.audit.console.sealing import to_cells, told_by
from tallystick.contracts import EntryKind, LogEntry, Seal, SealedPartition, SealStatement
from tallystick.trust.seals import SignedSeal

from ..sealer.input import POLICY, Sealing, records

STANDING = [(0, 10, 8), (1, 0, 5)]


def seal(name: str, *sequences: int) -> SignedSeal:
    """Return a sealer's word on the first partitions."""
    said = [SealedPartition(partition=number, next_sequence=next_) for number, next_ in enumerate(sequences)]
    return SignedSeal(name, bytes(32), SealStatement(partitions=said))


def test_nobody_seals() -> None:
    """Without a sealer nothing is said of sealing; what is logged was decided, evidence or not."""
    assert to_cells(STANDING, []) == [Cell(0, 10, 8, None), Cell(1, 5, 5, None)]


def test_of_two_sealers_the_one_behind_counts() -> None:
    """A partition that a sealer says nothing of has nothing sealed."""
    assert to_cells(STANDING, [seal("a", 9, 4), seal("b", 7)]) == [Cell(0, 10, 8, 7), Cell(1, 5, 5, 4)]
    assert to_cells(STANDING, [seal("b", 7)]) == [Cell(0, 10, 8, 7), Cell(1, 5, 5, 0)]


def logged(*seals: Seal) -> list[bytes]:
    """Return the entries of a seals' log."""
    kind = EntryKind.ENTRY_KIND_SEAL
    return [LogEntry(kind=kind, topic="seals", value=one.SerializeToString()).SerializeToString() for one in seals]


def test_a_gap_is_told_though_later_seals_say_nothing_of_it() -> None:
    """A sealer says once what was lost: an alarm that is gone a second later is none."""
    sealing = Sealing()
    first = sealing.seal()
    sealing.partitions[2].lose("offsets 5 to 7 were deleted before they were read", 8)
    lost = sealing.seal()
    sealing.read(*records(3))
    entries = logged(first, lost, *(sealing.seal() for _ in range(100)))
    found = told_by(entries, POLICY, "transactions")
    (gap,) = found.gaps
    assert "s1 found a gap in partition 2 of transactions: offsets 5 to 7" in gap
    assert [seal.statement.number for seal in found.seals] == [101]
    forged = Seal.FromString(lost.SerializeToString())
    forged.signature = bytes(64)
    assert told_by(logged(first, forged), POLICY, "transactions").gaps == []


def test_a_sealer_that_is_silent_is_named() -> None:
    """Others' seals do not stand for its word, nor does what it said of another topic."""
    mine = logged(Sealing("s1").seal())
    assert told_by(mine, POLICY, "transactions").silent == ["s2"]
    assert told_by([*mine, *logged(Sealing("s2").seal())], POLICY, "transactions").silent == []
    other = told_by(mine, POLICY, "another")
    assert (other.seals, other.silent) == ([], ["s1", "s2"])
    assert told_by([b"no entry"], POLICY, "transactions").silent == ["s1", "s2"]
