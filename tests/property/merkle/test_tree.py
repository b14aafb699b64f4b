"""Trees, proofs and tiles against a naive reference written straight from RFC 6962 §2.1."""

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tallystick.merkle.frontier import Frontier
from tallystick.merkle.proofs import ProofError, verify_consistency, verify_inclusion
from tallystick.merkle.tiles import (
    TILE_WIDTH,
    TileBuilder,
    TilePath,
    consistency_proof,
    frontier,
    inclusion_proof,
    read_within,
    root_hash,
)

# Trees around a full tile at level 0 and at level 1, where a row of tiles begins, ends, or is about to.
EDGES = [1, 2, 3, 255, 256, 257, 511, 512, 513, 65_279, 65_280, 65_281, 65_535, 65_536, 65_537, 65_792, 66_049]
LARGEST = 66_100
LEAVES = [sha256(b"\x00" + str(i).encode()).digest() for i in range(LARGEST)]

sizes = st.one_of(st.integers(1, 600), st.sampled_from(EDGES), st.integers(1, LARGEST))


# The reference: RFC 6962 §2.1, §2.1.1 and §2.1.2 word for word, over leaves[start:stop].


def _split(n: int) -> int:
    """Return the largest power of two smaller than n."""
    return 1 << (n - 1).bit_length() - 1


@cache
def mth(start: int, stop: int) -> bytes:
    """MTH(D[start:stop])."""
    n = stop - start
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return LEAVES[start]
    k = _split(n)
    return sha256(b"\x01" + mth(start, start + k) + mth(start + k, stop)).digest()


def path(m: int, start: int, stop: int) -> list[bytes]:
    """PATH(m, D[start:stop])."""
    n = stop - start
    if n == 1:
        return []
    k = _split(n)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, stop)]
    return [*path(m - k, start + k, stop), mth(start, start + k)]


def proof(m: int, n: int) -> list[bytes]:
    """PROOF(m, D[n])."""
    return subproof(m, 0, n, whole=True)


def subproof(m: int, start: int, stop: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:stop], whole)."""
    n = stop - start
    if m == n:
        return [] if whole else [mth(start, stop)]
    k = _split(n)
    if m <= k:
        return [*subproof(m, start, start + k, whole=whole), mth(start + k, stop)]
    return [*subproof(m - k, start + k, stop, whole=False), mth(start, start + k)]


# The tiles by the specification's own formula: MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l]).


def tile(path: TilePath) -> bytes:
    """Return the bytes of a hash tile of the largest tree, cut to the path's width."""
    span = TILE_WIDTH**path.level
    first = path.index * TILE_WIDTH
    assert (first + path.width) * span <= LARGEST, f"{path.path()} is beyond the tree"
    return b"".join(mth(i * span, (i + 1) * span) for i in range(first, first + path.width))


def tiles_of(size: int) -> dict[TilePath, bytes]:
    """Return every tile, full and partial, of the tree of `size` leaves."""
    tiles = {}
    level = 0
    while in_level := size // TILE_WIDTH**level:
        full, partial = divmod(in_level, TILE_WIDTH)
        paths = [TilePath(level, index) for index in range(full)]
        if partial:
            paths.append(TilePath(level, full, partial))
        tiles.update({path: tile(path) for path in paths})
        level += 1
    return tiles


def reader(size: int) -> Callable[[TilePath], bytes]:
    """Read tiles of the tree of `size` leaves, and no others: a full tile that is not full yet is not there."""

    def read(path: TilePath) -> bytes:
        in_level = size // TILE_WIDTH**path.level
        assert path.width == min(TILE_WIDTH, in_level - path.index * TILE_WIDTH), f"{path.path()} is no tile of size {size}"
        return tile(path)

    return read


@given(sizes)
def test_roots(size: int) -> None:
    """Frontier, tiles and reference have the same root at every size."""
    edge = Frontier()
    edge.append(LEAVES[:size])
    assert edge.root() == mth(0, size)
    assert root_hash(size, reader(size)) == mth(0, size)
    assert frontier(size, reader(size)).hashes == edge.hashes


def test_roots_of_every_small_size() -> None:
    """One leaf at a time, every size up to two full tiles and a bit has the reference's root."""
    edge, builder = Frontier(), TileBuilder()
    for size in range(1, 530):
        edge.append(LEAVES[size - 1 : size])
        builder.append(LEAVES[size - 1 : size])
        assert edge.root() == builder.root() == mth(0, size)
        assert (edge.size, builder.size) == (size, size)


@given(st.data(), sizes)
def test_inclusion(data: st.DataObject, size: int) -> None:
    """The proof from tiles is the reference's, and verifies for its leaf, index, size and root alone."""
    index = data.draw(
        st.integers(0, size - 1) | st.sampled_from([i for i in (0, 255, 256, size - 2, size - 1) if 0 <= i < size])
    )
    hashes = inclusion_proof(index, size, reader(size))
    assert hashes == path(index, 0, size)
    root = mth(0, size)
    verify_inclusion(index, size, LEAVES[index], hashes, root)
    for wrong in range(max(0, index - 2), min(size, index + 3)):
        if wrong != index:
            with pytest.raises(ProofError):
                verify_inclusion(wrong, size, LEAVES[index], hashes, root)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, LEAVES[index], hashes, mth(0, size - 1))


@given(st.data(), sizes)
@example(None, 1)
def test_consistency(data: st.DataObject | None, size2: int) -> None:
    """The proof from tiles is the reference's, and verifies for its two sizes and roots alone."""
    small = st.sampled_from([s for s in EDGES if s <= size2]) | st.integers(1, size2)
    size1 = data.draw(small) if data else 1
    hashes = consistency_proof(size1, size2, reader(size2))
    assert hashes == proof(size1, size2)
    root1, root2 = mth(0, size1), mth(0, size2)
    verify_consistency(size1, size2, root1, root2, hashes)
    if size1 < size2:
        with pytest.raises(ProofError):
            verify_consistency(size1, size2, root2, root1, hashes)
        with pytest.raises(ProofError):
            verify_consistency(size1, size2, mth(1, size1 + 1), root2, hashes)
        with pytest.raises(ProofError):
            verify_consistency(size1, size2, root1, mth(1, size2), hashes)


@given(st.data(), st.integers(2, 600))
def test_proofs_have_one_form(data: st.DataObject, size: int) -> None:
    """A proof with a hash more, a hash less, two swapped or one bit changed is refused."""
    index = data.draw(st.integers(0, size - 1))
    size1 = data.draw(st.integers(1, size - 1))
    inclusion, consistency = path(index, 0, size), proof(size1, size)
    for altered in _alterations(data, inclusion):
        with pytest.raises(ProofError):
            verify_inclusion(index, size, LEAVES[index], altered, mth(0, size))
    for altered in _alterations(data, consistency):
        with pytest.raises(ProofError):
            verify_consistency(size1, size, mth(0, size1), mth(0, size), altered)


def _alterations(data: st.DataObject, hashes: list[bytes]) -> list[list[bytes]]:
    at = data.draw(st.integers(0, len(hashes) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(hashes[at], "big") ^ 1 << bit).to_bytes(32, "big")
    altered = [
        [*hashes, hashes[at]],
        [hashes[at], *hashes],
        [*hashes[:at], *hashes[at + 1 :]],
        [*hashes[:at], flipped, *hashes[at + 1 :]],
        [*hashes[:at], hashes[at][:-1], *hashes[at + 1 :]],
        [*hashes[:at], hashes[at] + b"\x00", *hashes[at + 1 :]],
        [],
    ]
    if len(hashes) > 1:
        altered.append(hashes[::-1])
    return altered


@given(
    st.integers(0, 2**64),
    st.integers(0, 2**64),
    st.lists(st.binary(min_size=32, max_size=32) | st.binary(max_size=40), max_size=130),
    st.binary(min_size=32, max_size=32),
)
def test_arbitrary_proofs_end_in_an_answer(a: int, b: int, hashes: list[bytes], root: bytes) -> None:
    """Whatever is claimed of trees of any size, verification ends, and raises nothing but its own error."""
    with pytest.raises(ProofError):
        verify_inclusion(a, b, root, [root, *hashes], root)
    with pytest.raises(ProofError):
        verify_consistency(a, b, root, root, [root, *hashes])


@settings(max_examples=25)
@given(st.lists(st.integers(0, 700) | st.sampled_from([256, 65_280, 65_536]), max_size=6), st.integers(0, 6))
@example([65_535, 1, 1], 1)
@example([65_280, 256, 513], 2)
def test_builder(batches: Sequence[int], reload_at: int) -> None:
    """Appending in any batches, with a copy and a restart in between, leaves exactly the tiles of each size reached."""
    builder = TileBuilder()
    stored: dict[TilePath, bytes] = {}
    for number, batch in enumerate(batches):
        start, stop = builder.size, min(builder.size + batch, LARGEST)
        if number == reload_at:
            builder = TileBuilder.load(start, stored.__getitem__)
        twin = builder.copy()
        new = builder.append(LEAVES[start:stop])
        assert (twin.size, twin.root()) == (start, mth(0, start)), "a copy does not change with its original"
        before, after = tiles_of(start), tiles_of(stop)
        assert new == {path: content for path, content in after.items() if path not in before}
        assert (builder.size, builder.root()) == (stop, mth(0, stop))
        stored.update(new)


@given(st.integers(0, 700) | st.sampled_from([65_535, 65_536]), st.integers(0, 700))
def test_smaller_trees_in_a_larger_ones_tiles(size: int, more: int) -> None:
    """A tree is read out of the tiles of any later size, which alone a log must serve."""
    larger = min(size + more, LARGEST)
    read = read_within(larger, tiles_of(larger).__getitem__)
    assert TileBuilder.load(size, read).root() == root_hash(size, read) == mth(0, size)


@given(st.integers(0, 600), st.integers(0, 600))
def test_frontier_continues(size: int, more: int) -> None:
    """A frontier rebuilt from its size and hashes, or copied, goes on like the first, which does not change with it."""
    edge = Frontier()
    edge.append(iter(LEAVES[:size]))
    hashes = edge.hashes
    rebuilt, copied = Frontier(size, hashes), edge.copy()
    rebuilt.append(LEAVES[size : size + more])
    copied.append(LEAVES[size : size + more])
    assert rebuilt.root() == copied.root() == mth(0, size + more)
    assert (edge.size, edge.hashes) == (size, hashes)


@given(sizes, sizes)
def test_the_right_edge_is_the_partial_tiles(size: int, first: int) -> None:
    """Whatever was appended at once, the edge is what a tree of this size has for partial tiles at every level."""
    builder = TileBuilder()
    builder.append(LEAVES[: min(first, size)])
    builder.append(LEAVES[min(first, size) : size])
    whole = TileBuilder().append(LEAVES[:size])
    assert builder.right_edge() == {path: tile for path, tile in whole.items() if not path.is_full}
