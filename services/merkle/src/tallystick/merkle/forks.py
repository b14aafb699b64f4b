"""Two trees where there should be one: proof, for anybody, that a log has signed two histories.

Two roots for one size speak for themselves. For two sizes, a path of hashes shows which tree of the smaller size the larger one
begins with: if that is not the one that was signed, the log was forked.
"""

from dataclasses import dataclass

from tallystick.merkle.proofs import ProofError, check_sizes, prefix_roots
from tallystick.merkle.tile_reading import ReadTile, consistency_proof, subtree_root


@dataclass(frozen=True, slots=True)
class PrefixProof:
    """What the tree of `size2` begins with: `start`, the last perfect subtree of its first `size1` leaves, and the way up."""

    start: bytes
    path: tuple[bytes, ...]


def prefix_proof(size1: int, size2: int, read: ReadTile) -> PrefixProof:
    """Return the path that shows which tree of `size1` leaves the tree of `size2` in these tiles begins with.

    Raises:
        ProofError: not 1 <= size1 < size2.
        TileError: a tile's length is wrong.
    """
    if size1 >= size2:
        raise ProofError("a tree begins with smaller ones only")
    proof = consistency_proof(size1, size2, read)
    if size1 & (size1 - 1):
        return PrefixProof(proof[0], tuple(proof[1:]))
    # A consistency proof leaves out what its reader has, the old root.
    return PrefixProof(subtree_root(size1.bit_length() - 1, 0, size2, read), tuple(proof))


def proves_fork(size1: int, root1: bytes, size2: int, root2: bytes, proof: PrefixProof | None) -> bool:
    """Say whether two heads are of two histories: two roots for a size, or a larger tree that does not begin with the smaller.

    Requires `size1` <= `size2`. Without a proof only heads of one size can be told apart.

    Raises:
        ProofError: the proof is malformed, or is not one of the larger tree.
    """
    check_sizes(size1, size2)
    if size1 == size2:
        return root1 != root2
    if proof is None:
        return False
    older, newer = prefix_roots(size1, size2, proof.start, proof.path)
    if newer != root2:
        raise ProofError(f"the proof does not lead to the root of the larger tree, of {size2} leaves")
    return older != root1
