"""What the public proofs leave out: proofs that are right but for their form."""

import pytest

from tallystick.merkle.hashing import leaf_hash, node_hash
from tallystick.merkle.proofs import ProofError, verify_consistency, verify_inclusion

A, B, C, D = (leaf_hash(letter.encode()) for letter in "abcd")
AB, CD = node_hash(A, B), node_hash(C, D)


@pytest.mark.parametrize("moved", [1, -1])
def test_a_byte_moved_between_hashes(moved: int) -> None:
    """Hashes of 31 and 33 bytes that make the same node are refused: a leaf and a proof have one form."""
    both, cut = A + B, 32 + moved
    verify_inclusion(0, 2, A, [B], AB)
    with pytest.raises(ProofError, match="bytes"):
        verify_inclusion(0, 2, both[:cut], [both[cut:]], AB)
    # From 3 to 4 leaves: the node c, its sibling d, and the root of a and b to their left.
    verify_consistency(3, 4, node_hash(AB, C), node_hash(AB, CD), [C, D, AB])
    with pytest.raises(ProofError, match="bytes"):
        verify_consistency(3, 4, node_hash(AB, C), node_hash(AB, CD), [(C + D)[:cut], (C + D)[cut:], AB])


def test_an_entry_is_not_a_node() -> None:
    """Two leaves' hashes laid side by side as an entry do not make the leaf that a node would be."""
    with pytest.raises(ProofError):
        verify_inclusion(0, 1, leaf_hash(A + B), [], AB)


def test_consistency_binds_both_roots() -> None:
    """Each of the two roots is compared: a proof that leads to one of them is not enough."""
    old, new = node_hash(AB, C), node_hash(AB, CD)
    for root1, root2 in ((AB, new), (old, AB), (new, old)):
        with pytest.raises(ProofError, match="does not lead"):
            verify_consistency(3, 4, root1, root2, [C, D, AB])
    verify_consistency(2, 4, AB, new, [CD])
    with pytest.raises(ProofError, match="newer"):
        verify_consistency(2, 4, CD, new, [CD])


def test_the_empty_tree_needs_no_proof() -> None:
    """Everything extends the empty tree: a proof from it is refused, an empty one too."""
    for proof in ([], [AB]):
        with pytest.raises(ProofError, match="from a tree of 0"):
            verify_consistency(0, 2, leaf_hash(b""), AB, proof)
