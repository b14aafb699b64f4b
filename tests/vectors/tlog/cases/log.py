"""The log of this suite, entries by formula, and a tree of equal leaves for sizes that no log has."""

from functools import cache

from ..reference.note import COSIGNATURE, Key
from ..reference.tree import Tree, UniformTree, leaf_hash

SIZES = (0, 1, 2, 255, 256, 257, 65_535, 65_536, 65_537)
FORMULA = "entry i is the ASCII text `entry i`, i in decimal: `entry 0`, `entry 1`, ..."
UNIFORM_ENTRY = b"the same entry everywhere"

LOG = Key("example.com/log")
WITNESSES = [Key(f"witness.example/w{i}", COSIGNATURE) for i in range(1, 5)]


def entry(index: int) -> bytes:
    """Return an entry of the log."""
    return b"entry %d" % index


@cache
def tree() -> Tree:
    """Return the log's tree."""
    return Tree(lambda index: leaf_hash(entry(index)))


@cache
def uniform() -> UniformTree:
    """Return the tree of equal leaves."""
    return UniformTree(UNIFORM_ENTRY)
