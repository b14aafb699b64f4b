"""Verify inclusion and consistency proofs (RFC 6962 §2.1.1 and §2.1.2; after RFC 9162 §2.1.3.2 and §2.1.4.2)."""

from collections.abc import Sequence

from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE, node_hash


class ProofError(MerkleError):
    """A proof does not prove what it should, or none can exist for what was asked."""


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Verify that the leaf hash `leaf` is at `index` in the tree of `size` leaves with the root `root`.

    Args:
        index: counted from 0; must be less than `size`.
        size: the tree's number of leaves.
        leaf: the leaf's hash, not the entry.
        proof: sibling hashes from the leaf up to the root.
        root: the root to arrive at; where it comes from is the caller's to check.

    Raises:
        ProofError: anything is out of range, too long, too short or not 32 bytes, or the proof leads to another root.
    """
    if inclusion_root(index, size, leaf, proof) != root:
        raise ProofError(f"the proof does not lead from leaf {index} to the root of {size} leaves")


def inclusion_root(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to; see `verify_inclusion`. It proves nothing until the root is believed.

    Raises:
        ProofError: anything is out of range, too long, too short or not 32 bytes.
    """
    check_range(index, size)
    _check_length(proof, _path_length(index, size - 1))
    _check_hashes(leaf, *proof)
    return _climb(index, size - 1, leaf, proof)


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Verify that the tree of `size2` leaves begins with all the leaves, in order, of the tree of `size1`.

    Requires `size1` >= 1: everything extends the empty tree, so a proof from it says nothing. Equal sizes call for equal
    roots and an empty proof.

    Raises:
        ProofError: sizes are out of range, the proof is too long, too short or not of 32-byte hashes, or leads to other roots.
    """
    if consistency_root(size1, size2, root1, proof) == root2:
        return
    if size1 == size2:
        raise ProofError(f"two different roots for one size, {size1}")
    raise ProofError(f"the proof does not lead to the root of the newer tree, of {size2} leaves")


def consistency_root(size1: int, size2: int, root1: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the newer tree's root that a consistency proof leads to; see `verify_consistency`.

    It proves nothing until both roots are believed.

    Raises:
        ProofError: sizes are out of range, the proof is too long, too short or not of 32-byte hashes, or does not lead to the
            older root.
    """
    check_sizes(size1, size2)
    if size1 == size2:
        # Nothing is hashed, so the root's form does not matter here: whoever parsed it has checked it.
        _check_length(proof, 0)
        return root1
    _check_hashes(root1)
    # The proof starts with the largest perfect subtree that ends where the old tree does, unless that is all of the old tree.
    explicit = 1 if size1 & (size1 - 1) else 0
    if explicit and not proof:
        raise ProofError("an empty proof where the tree calls for one")
    older, newer = prefix_roots(size1, size2, proof[0] if explicit else root1, proof[explicit:])
    if older != root1:
        raise ProofError(f"the proof does not lead to the root of the older tree, of {size1} leaves")
    return newer


def prefix_roots(size1: int, size2: int, start: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of `size1` and of `size2` leaves that follow from one subtree and the hashes beside its way up.

    Requires 1 <= `size1` < `size2`. `start` is the root of the largest perfect subtree that ends where the smaller tree does.

    Raises:
        ProofError: the path is too long, too short or not of 32-byte hashes.
    """
    shift = (size1 & -size1).bit_length() - 1
    node, last = (size1 - 1) >> shift, (size2 - 1) >> shift
    _check_length(path, _path_length(node, last))
    _check_hashes(start, *path)
    return _climb_old(node, last, start, path), _climb(node, last, start, path)


def check_range(index: int, size: int) -> None:
    """Raise ProofError unless 0 <= index < size <= MAX_SIZE."""
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofError(f"there is no leaf {index} in a tree of {size} leaves")


def check_sizes(size1: int, size2: int) -> None:
    """Raise ProofError unless 1 <= size1 <= size2 <= MAX_SIZE."""
    if not 1 <= size1 <= size2 <= MAX_SIZE:
        raise ProofError(f"there is no consistency proof from a tree of {size1} leaves to one of {size2}")


def _path_length(node: int, last: int) -> int:
    """Count the siblings on the way up from `node`, in a row whose last node is `last`."""
    # Below the height where the two paths meet every node has a sibling; above it only right children do.
    meeting = (node ^ last).bit_length()
    return meeting + (node >> meeting).bit_count()


def _climb(node: int, last: int, start: bytes, path: Sequence[bytes]) -> bytes:
    """Hash from `node` up to the root. Requires a path of the right length."""
    reached = start
    for sibling in path:
        while not node & 1 and node == last:  # a node without a sibling rises unchanged
            node >>= 1
            last >>= 1
        reached = node_hash(sibling, reached) if node & 1 else node_hash(reached, sibling)
        node >>= 1
        last >>= 1
    return reached


def _climb_old(node: int, last: int, start: bytes, path: Sequence[bytes]) -> bytes:
    """Hash from `node` up to the root of the tree that ends with `node`: only what lies to the left belongs to it."""
    reached = start
    for sibling in path:
        while not node & 1 and node == last:
            node >>= 1
            last >>= 1
        if node & 1:
            reached = node_hash(sibling, reached)
        node >>= 1
        last >>= 1
    return reached


def _check_hashes(*hashes: bytes) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofError(f"a hash of {len(value)} bytes; all must have {HASH_SIZE}")


def _check_length(proof: Sequence[bytes], expected: int) -> None:
    if len(proof) != expected:
        raise ProofError(f"a proof of {len(proof)} hashes where the tree calls for {expected}")
