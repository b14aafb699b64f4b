"""Proofs of forks: two trees that part somewhere are told from one that grew, whatever their sizes and wherever they part."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.merkle.forks import PrefixProof, prefix_proof, proves_fork
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.proofs import ProofError
from tallystick.merkle.tiles import TileBuilder

sizes = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 511, 512, 513, 1024]))


def leaves(count: int, forked_at: int | None = None) -> list[bytes]:
    """Return leaf hashes; those from `forked_at` on are of another history."""
    return [sha256(b"%d %d" % (index, forked_at is not None and index >= forked_at)).digest() for index in range(count)]


def root(hashes: list[bytes]) -> bytes:
    """Return the tree's root."""
    tree = Frontier()
    tree.append(hashes)
    return tree.root()


def proof(size1: int, hashes: list[bytes]) -> PrefixProof | None:
    """Return what the tree of these leaves begins with."""
    if size1 == len(hashes):
        return None
    return prefix_proof(size1, len(hashes), TileBuilder().append(hashes).__getitem__)


@given(sizes, sizes, st.integers(0, 1100))
def test_exactly_the_forks_are_proven(one: int, other: int, forked_at: int) -> None:
    """A proof shows a fork if and only if the larger tree does not begin with the smaller one's leaves."""
    size1, size2 = sorted((one, other))
    small, large = leaves(size1), leaves(size2, forked_at)
    assert proves_fork(size1, root(small), size2, root(large), proof(size1, large)) == (forked_at < size1)


@given(sizes, sizes, st.data())
def test_a_proof_of_another_tree_proves_nothing(one: int, other: int, data: st.DataObject) -> None:
    """Any hash of it changed, left out or added: no verdict, an error."""
    size1, size2 = sorted({one, other, one + 1})[:2]
    large = leaves(size2, 0)
    sound = proof(size1, large)
    assert sound is not None
    hashes = [sound.start, *sound.path]
    at = data.draw(st.integers(0, len(hashes) - 1))
    broken = data.draw(
        st.sampled_from(
            [
                [*hashes[:at], sha256(hashes[at]).digest(), *hashes[at + 1 :]],
                [*hashes, bytes(32)],
                hashes[:-1] or [b""],
                [*hashes[:at], hashes[at][:31], *hashes[at + 1 :]],
            ]
        )
    )
    with pytest.raises(ProofError):
        proves_fork(size1, root(leaves(size1)), size2, root(large), PrefixProof(broken[0], tuple(broken[1:])))


def test_sizes_out_of_range_are_refused() -> None:
    """Nothing is a fork of the empty tree, and no larger tree is a beginning."""
    with pytest.raises(ProofError):
        proves_fork(0, bytes(32), 5, bytes(32), None)
    with pytest.raises(ProofError):
        prefix_proof(5, 5, lambda _: b"")
    assert not proves_fork(3, bytes(32), 5, bytes(32), None)
