"""Tile paths, bundles, the frontier's and the builder's preconditions."""

import pytest

from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import EMPTY_ROOT, MAX_SIZE, HashError, leaf_hash, leaf_hashes
from tallystick.merkle.proofs import ProofError
from tallystick.merkle.tiles import (
    ENTRIES,
    TileBuilder,
    TileError,
    TilePath,
    consistency_proof,
    decode_bundle,
    encode_bundle,
    frontier,
    inclusion_proof,
    root_hash,
)

LEAVES = leaf_hashes(b"%d" % i for i in range(600))

PATHS = [
    (TilePath(0, 0), "tile/0/000"),
    (TilePath(0, 0, 1), "tile/0/000.p/1"),
    (TilePath(1, 999, 255), "tile/1/999.p/255"),
    (TilePath(2, 1000), "tile/2/x001/000"),
    (TilePath(63, 1234067, 8), "tile/63/x001/x234/067.p/8"),
    (TilePath(ENTRIES, 1234067, 8), "tile/entries/x001/x234/067.p/8"),
    (TilePath(0, MAX_SIZE >> 8), "tile/0/x036/x028/x797/x018/x963/967"),
]

REFUSED = {
    "empty": "",
    "absolute": "/tile/0/000",
    "other prefix": "tiles/0/000",
    "level missing": "tile/000",
    "level 64": "tile/64/000",
    "level with a leading zero": "tile/00/000",
    "level negative": "tile/-1/000",
    "level not a number": "tile/data/000",
    "index too short": "tile/0/00",
    "index too long": "tile/0/0000",
    "index not a number": "tile/0/00a",
    "digits of another script": "tile/0/٠٠٠",
    "first group without x": "tile/0/001/000",
    "last group with x": "tile/0/x001/x000",
    "superfluous group": "tile/0/x000/001",
    "index beyond any tree": "tile/0/x036/x028/x797/x018/x963/968",
    "much too long": "tile/0/" + "x001/" * 1000 + "000",
    "width 0": "tile/0/000.p/0",
    "width 256": "tile/0/000.p/256",
    "width with a leading zero": "tile/0/000.p/08",
    "width missing": "tile/0/000.p/",
    "width missing with its slash": "tile/0/000.p",
    "parent folder": "tile/0/../0/000",
    "trailing slash": "tile/0/000/",
    "trailing newline": "tile/0/000\n",
    "checkpoint": "checkpoint",
}


@pytest.mark.parametrize(("tile", "path"), PATHS)
def test_paths(tile: TilePath, path: str) -> None:
    """A path is written as the specification has it, and read back."""
    assert tile.path() == path
    assert TilePath.parse(path) == tile


@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED)
def test_paths_refused(path: str) -> None:
    """Whatever is not a tile's path in its one spelling is refused."""
    with pytest.raises(TileError):
        TilePath.parse(path)


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**55, 1), (0, 0, 0), (0, 0, 257)]
)
def test_tiles_out_of_range(level: int, index: int, width: int) -> None:
    """No path can be made for a tile that cannot be."""
    with pytest.raises(TileError):
        TilePath(level, index, width)


def test_full_path() -> None:
    """A partial tile knows the full one that it will be."""
    assert TilePath(1, 5, 7).full() == TilePath(1, 5)
    assert TilePath(1, 5).is_full
    assert not TilePath(1, 5, 7).is_full


@pytest.mark.parametrize("entries", [[b""], [b"a", b"", b"ccc"], [b"x" * 65_535] * 2, [b"%d" % i for i in range(256)]])
def test_bundles(entries: list[bytes]) -> None:
    """A bundle holds its entries, each after its length."""
    data = encode_bundle(entries)
    assert len(data) == sum(2 + len(entry) for entry in entries)
    assert decode_bundle(data, len(entries)) == entries


def test_bundle_bytes() -> None:
    """Lengths are big-endian."""
    assert encode_bundle([b"a" * 258, b""]) == b"\x01\x02" + b"a" * 258 + b"\x00\x00"


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 65_536]])
def test_bundles_refused_to_write(entries: list[bytes]) -> None:
    """No bundle is made of no entries, too many, or one that is too long."""
    with pytest.raises(TileError):
        encode_bundle(entries)


@pytest.mark.parametrize(
    ("data", "width"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x00\x01", 1),
        (b"\x00\x02a", 1),
        (b"\x00\x01a", 2),
        (b"\x00\x01a\x00", 2),
        (b"\x00\x01a\x00", 1),
        (b"\x00\x01a\x00\x00", 1),
        (b"\x00\x01a", 0),
        (b"\x00\x01a", -1),
        (b"\x00\x00" * 257, 257),
    ],
)
def test_bundles_refused(data: bytes, width: int) -> None:
    """A bundle with bytes missing or left over, or of an impossible width, is refused."""
    with pytest.raises(TileError):
        decode_bundle(data, width)


def test_partial_tiles_are_not_hashed_upwards() -> None:
    """A level holds the roots of the full tiles below it, and of nothing else."""
    builder = TileBuilder()
    assert set(builder.append(LEAVES[:255])) == {TilePath(0, 0, 255)}
    assert set(builder.append(LEAVES[255:256])) == {TilePath(0, 0), TilePath(1, 0, 1)}
    assert set(builder.append(LEAVES[256:511])) == {TilePath(0, 1, 255)}
    assert set(builder.append(LEAVES[511:513])) == {TilePath(0, 1), TilePath(0, 2, 1), TilePath(1, 0, 2)}
    assert builder.append([]) == {}


def test_empty_trees() -> None:
    """A tree without leaves has the empty root and needs no tile."""

    def read(path: TilePath) -> bytes:
        raise AssertionError(path)

    assert Frontier().root() == TileBuilder().root() == root_hash(0, read) == EMPTY_ROOT
    assert frontier(0, read).hashes == ()
    assert TileBuilder.load(0, read).append([]) == {}


@pytest.mark.parametrize("bad", [LEAVES[0][:31], LEAVES[0] + b"\x00", b""])
def test_appending_what_is_no_hash(bad: bytes) -> None:
    """A batch with something in it that is not 32 bytes is refused whole: nothing changes."""
    edge, builder = Frontier(), TileBuilder()
    edge.append(LEAVES[:3])
    builder.append(LEAVES[:3])
    root = edge.root()
    for append in (edge.append, builder.append):
        with pytest.raises(HashError):
            append([LEAVES[3], bad, LEAVES[4]])
    assert (edge.size, edge.root(), builder.size, builder.root()) == (3, root, 3, root)


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        (-1, []),
        (MAX_SIZE + 1, [bytes(32)]),
        (0, [bytes(32)]),
        (1, []),
        (3, [bytes(32)]),
        (1, [bytes(31)]),
        (2, [bytes(32)] * 2),
    ],
)
def test_frontiers_that_cannot_be(size: int, hashes: list[bytes]) -> None:
    """A frontier has as many hashes as its size has bits set."""
    with pytest.raises(HashError):
        Frontier(size, hashes)


@pytest.mark.parametrize("length", [0, 31, 32 * 9, 32 * 11, 32 * 256])
def test_tiles_of_another_length(length: int) -> None:
    """A tile that is not as long as its width says is refused wherever it is read."""

    def read(path: TilePath) -> bytes:
        return bytes(length)

    for use in (
        lambda: root_hash(10, read),
        lambda: frontier(10, read),
        lambda: TileBuilder.load(10, read),
        lambda: inclusion_proof(3, 10, read),
        lambda: consistency_proof(3, 10, read),
    ):
        with pytest.raises(TileError, match=r"tile/0/000\.p/10"):
            use()


def test_sizes_out_of_range() -> None:
    """No root, proof or builder for a size that no tree has, and no tile is read for it."""

    def read(path: TilePath) -> bytes:
        raise AssertionError(path)

    for size in (-1, MAX_SIZE + 1):
        for use in (root_hash, frontier, TileBuilder.load):
            with pytest.raises(TileError):
                use(size, read)
        with pytest.raises(ProofError):
            inclusion_proof(0, size, read)
        with pytest.raises(ProofError):
            consistency_proof(1, size, read)
    for index, size in ((-1, 10), (10, 10), (0, 0)):
        with pytest.raises(ProofError):
            inclusion_proof(index, size, read)
    for size1, size2 in ((0, 10), (-1, 10), (11, 10), (0, 0)):
        with pytest.raises(ProofError):
            consistency_proof(size1, size2, read)


def test_proofs_read_each_tile_once() -> None:
    """A proof reads no tile twice, and none that it does not need."""
    builder = TileBuilder()
    tiles = builder.append(LEAVES)
    read: list[TilePath] = []

    def reading(path: TilePath) -> bytes:
        read.append(path)
        return tiles[path]

    inclusion_proof(0, 600, reading)
    assert sorted(path.path() for path in read) == ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"]


def test_storage_errors_pass_through() -> None:
    """What storage raises is the caller's, unchanged."""

    def read(path: TilePath) -> bytes:
        raise FileNotFoundError(path.path())

    with pytest.raises(FileNotFoundError):
        root_hash(1, read)


def test_leaf_of_nothing() -> None:
    """An empty entry is a leaf like any other, and not the empty tree."""
    assert leaf_hash(b"") != EMPTY_ROOT
