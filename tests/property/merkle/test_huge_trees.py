"""Trees of any size up to 2^63 - 1, whose leaves are all alike, so that RFC 6962's definitions take O(log n) steps."""

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import MAX_SIZE, HashError, leaf_hash, node_hash
from tallystick.merkle.proofs import ProofError, verify_consistency, verify_inclusion
from tallystick.merkle.tiles import (
    TILE_WIDTH,
    TileBuilder,
    TileError,
    TilePath,
    consistency_proof,
    inclusion_proof,
    root_hash,
)

LEAF = leaf_hash(b"the same again")

around_powers = st.builds(
    lambda power, off: max(1, min((1 << power) + off, MAX_SIZE)), st.integers(0, 63), st.integers(-300, 300)
)
around_tiles = st.builds(lambda tiles, off: tiles * 65_536 + off, st.integers(1, 2**40), st.integers(-2, 2))
sizes = st.integers(1, MAX_SIZE) | around_powers | around_tiles


def _split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


@cache
def perfect(height: int) -> bytes:
    """Return the root over 2^height leaves."""
    return LEAF if height == 0 else node_hash(perfect(height - 1), perfect(height - 1))


def mth(n: int) -> bytes:
    """MTH of n leaves (RFC 6962 §2.1)."""
    if n & (n - 1) == 0:
        return perfect(n.bit_length() - 1)
    k = _split(n)
    return node_hash(mth(k), mth(n - k))


def path(m: int, n: int) -> list[bytes]:
    """PATH(m, D[n]) (RFC 6962 §2.1.1)."""
    if n == 1:
        return []
    k = _split(n)
    return [*path(m, k), mth(n - k)] if m < k else [*path(m - k, n - k), mth(k)]


def subproof(m: int, n: int, *, whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], whole) (RFC 6962 §2.1.2)."""
    if m == n:
        return [] if whole else [mth(n)]
    k = _split(n)
    if m <= k:
        return [*subproof(m, k, whole=whole), mth(n - k)]
    return [*subproof(m - k, n - k, whole=False), mth(k)]


def read(tile: TilePath) -> bytes:
    """Return any hash tile of such a tree."""
    return perfect(8 * tile.level) * tile.width


@given(st.data(), sizes)
def test_inclusion(data: st.DataObject, size: int) -> None:
    """At any size the proof from tiles is the reference's, and verifies."""
    index = data.draw(st.integers(0, size - 1) | st.sampled_from([0, size // 2, size - 1]))
    hashes = inclusion_proof(index, size, read)
    assert hashes == path(index, size)
    assert root_hash(size, read) == mth(size)
    verify_inclusion(index, size, LEAF, hashes, mth(size))
    with pytest.raises(ProofError):
        verify_inclusion(index, size, mth(2), hashes, mth(size))
    with pytest.raises(ProofError):
        verify_inclusion(index, size, LEAF, [*hashes, LEAF], mth(size))


@given(st.data(), sizes)
def test_consistency(data: st.DataObject, size2: int) -> None:
    """At any two sizes the proof from tiles is the reference's, and verifies."""
    size1 = data.draw(st.integers(1, size2) | st.sampled_from([1, (size2 + 1) // 2, max(1, size2 - 1), size2]))
    hashes = consistency_proof(size1, size2, read)
    assert hashes == subproof(size1, size2)
    verify_consistency(size1, size2, mth(size1), mth(size2), hashes)
    with pytest.raises(ProofError):
        verify_consistency(size1, size2, mth(size1), LEAF if size2 > 1 else mth(2), hashes)


@given(sizes, st.integers(0, 1000))
@example(MAX_SIZE - 700, 700)
@example(MAX_SIZE, 1)
@example(MAX_SIZE - 5, 300)
def test_appending_at_any_size(size: int, more: int) -> None:
    """Loaded at any size, frontier and builder append with the reference's root, and refuse to grow beyond the largest size."""
    edge = Frontier(size, [perfect(bit) for bit in reversed(range(63)) if size >> bit & 1])
    builder = TileBuilder.load(size, read)
    assert edge.root() == builder.root() == mth(size)
    if size + more > MAX_SIZE:
        with pytest.raises(HashError):
            edge.append([LEAF] * more)
        with pytest.raises(TileError):
            builder.append([LEAF] * more)
        assert (edge.size, builder.size) == (size, size)
        assert edge.root() == builder.root() == mth(size), "nothing changes if it raises"
        return
    edge.append([LEAF] * more)
    tiles = builder.append([LEAF] * more)
    assert edge.root() == builder.root() == mth(size + more)
    assert all(content == read(tile) for tile, content in tiles.items())
    assert sum(tile.width for tile in tiles if tile.level == 0) == (size % TILE_WIDTH + more if more else 0)
