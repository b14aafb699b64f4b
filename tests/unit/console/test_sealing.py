"""The strip's cells, from what was decided, logged and sealed."""

from tallystick.audit.console.charts import Cell
from tallystick.audit.console.sealing import to_cells
from tallystick.contracts import SealedPartition, SealStatement
from tallystick.trust.seals import SignedSeal

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
