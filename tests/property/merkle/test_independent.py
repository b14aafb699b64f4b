"""merklelib and pymerkle, written by others, agree with this package on random trees."""

import collections
import collections.abc
from collections.abc import Iterator
from types import ModuleType

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.proofs import verify_consistency, verify_inclusion
from tallystick.merkle.tiles import TileBuilder, TilePath, consistency_proof, inclusion_proof, root_hash

# merklelib finds a leaf by its hash, so entries differ.
entry_lists = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=80, unique=True)


@pytest.fixture(scope="module")
def merklelib() -> Iterator[ModuleType]:
    """Import merklelib 1.0, given back for as long as it is used the name that Python 3.10 took away from it."""
    collections.Iterable = collections.abc.Iterable  # type: ignore[attr-defined]  # gone since 3.10
    import merklelib

    yield merklelib
    del collections.Iterable  # type: ignore[attr-defined]


class Log:
    """The log over some entries, with the tiles that were written when it had each of its sizes."""

    def __init__(self, entries: list[bytes]) -> None:
        self.leaves = leaf_hashes(entries)
        self._tiles: dict[TilePath, bytes] = {}
        builder = TileBuilder()
        for leaf in self.leaves:
            self._tiles |= builder.append([leaf])

    def read(self, path: TilePath) -> bytes:
        """Read a tile."""
        return self._tiles[path]

    def root(self, size: int) -> bytes:
        """Return the root of the first leaves."""
        return root_hash(size, self.read)


@settings(max_examples=40)
@given(entry_lists)
def test_merklelib_agrees(merklelib: ModuleType, entries: list[bytes]) -> None:
    """The tree of merklelib has the same root, its inclusion proofs are ours, and it finds our older roots consistent."""
    tree, log, size = merklelib.MerkleTree(entries), Log(entries), len(entries)
    assert tree.merkle_root == log.root(size).hex()
    for index, entry in enumerate(entries):
        theirs = [node.hash for node in tree.get_proof(entry)._nodes]
        assert theirs == inclusion_proof(index, size, log.read)
        assert merklelib.verify_tree_consistency(tree, log.root(index + 1).hex(), index + 1)


@settings(max_examples=40)
@given(entry_lists)
def test_pymerkle_agrees(entries: list[bytes]) -> None:
    """The tree of pymerkle has the same root at every size, and each side accepts the other's inclusion proofs."""
    tree, log, size = pymerkle.InmemoryTree(algorithm="sha256"), Log(entries), len(entries)
    for entry in entries:
        tree.append_entry(entry)
    for older in range(1, size + 1):
        assert tree.get_root(older) == log.root(older)
    for index, leaf in enumerate(log.leaves):
        theirs = tree.prove_inclusion(index + 1, size)
        base, *path = theirs.path
        assert base == leaf, "pymerkle's path begins with the leaf itself"
        verify_inclusion(index, size, leaf, path, log.root(size))
        theirs.path = [leaf, *inclusion_proof(index, size, log.read)]
        pymerkle.verify_inclusion(leaf, log.root(size), theirs, index=index + 1, size=size)


@settings(max_examples=40)
@given(entry_lists)
def test_pymerkle_consistency_agrees(entries: list[bytes]) -> None:
    """Where pymerkle finds two sizes consistent, our proof of the same sizes verifies against its roots."""
    tree, log, size = pymerkle.InmemoryTree(algorithm="sha256"), Log(entries), len(entries)
    for entry in entries:
        tree.append_entry(entry)
    for older in range(1, size + 1):
        # pymerkle goes down to a leaf where RFC 6962 stops at a subtree, so the two proofs are not the same hashes.
        pymerkle.verify_consistency(log.root(older), log.root(size), tree.prove_consistency(older, size))
        verify_consistency(older, size, tree.get_root(older), tree.get_root(size), consistency_proof(older, size, log.read))
