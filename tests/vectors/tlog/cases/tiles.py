"""The tiles and bundles of the suite's log at every size, and readings of logs in which one tile is broken."""

from functools import cache
from hashlib import sha256
from typing import Any

from ..case import Case, accept, reject
from ..reference.tree import Tree, bundle, proves_consistency, proves_inclusion, tile_path
from .log import SIZES, entry, tree

SPEC = "https://c2sp.org/tlog-tiles"


@cache
def files(size: int) -> list[tuple[str, bytes]]:
    """Return every hash tile, then every entry bundle of the log."""
    bundles = []
    for number in range((size + 255) // 256):
        entries = [entry(index) for index in range(256 * number, min(size, 256 * number + 256))]
        bundles.append((tile_path("entries", number, len(entries)), bundle(entries)))
    return [*tree().tiles(size), *bundles]


def logs() -> list[dict[str, Any]]:
    """Return root and files of each log. Full tiles of the big ones are named by a digest over all of them."""
    described = []
    for size in SIZES:
        digests = [(path, sha256(data).hexdigest()) for path, data in files(size)]
        listing = "".join(f"{digest}  {path}\n" for path, digest in digests)
        told = [
            pair
            for pair in digests
            if size <= 257
            or ".p/" in pair[0]
            or pair[0].endswith("/000")
            or not pair[0].startswith(("tile/0/", "tile/entries/"))
        ]
        described.append(
            {
                "size": size,
                "root": tree().root(size).hex(),
                "number_of_files": len(digests),
                "all_files_sha256": sha256(listing.encode()).hexdigest(),
                "files_sha256": dict(told),
            }
        )
    return described


def _flip(path: str, byte: int) -> dict[str, Any]:
    return {"path": path, "flip_lowest_bit_of_byte": byte}


def _readings() -> list[Case]:
    """Ask a reader for roots, proofs and entries of logs, whole and broken."""
    why = "computed from the right edge's tiles"
    asks = [accept(f"root of {size:,}", why, size=size, ask={"root": True}, change=None) for size in SIZES]
    for size, index in [
        (1, 0),
        (2, 1),
        (255, 254),
        (256, 0),
        (257, 256),
        (257, 3),
        (65_535, 65_534),
        (65_536, 300),
        (65_537, 65_536),
        (65_537, 0),
    ]:
        asks.append(
            accept(f"leaf {index:,} of {size:,}", "proved from tiles", size=size, ask={"inclusion": index}, change=None)
        )
    for old, size in [
        (1, 2),
        (255, 256),
        (256, 257),
        (1, 257),
        (257, 65_535),
        (65_535, 65_536),
        (65_536, 65_537),
        (256, 65_537),
    ]:
        asks.append(accept(f"from {old:,} to {size:,}", "proved from tiles", size=size, ask={"consistency": old}, change=None))
    for size, number in [(1, 0), (256, 0), (257, 1), (65_537, 256), (65_537, 255)]:
        asks.append(
            accept(
                f"bundle {number} of {size:,}", "each entry hashes to its leaf", size=size, ask={"entries": number}, change=None
            )
        )
    broken: list[tuple[str, str, int, dict[str, Any], dict[str, Any]]] = [
        ("root: leaf tile altered", "another root", 255, {"root": True}, _flip("tile/0/000.p/255", 31)),
        ("root: partial leaf tile altered", "another root", 257, {"root": True}, _flip("tile/0/001.p/1", 0)),
        ("root: upper tile altered", "another root", 257, {"root": True}, _flip("tile/1/000.p/1", 5)),
        ("root: top tile altered", "another root", 65_537, {"root": True}, _flip("tile/2/000.p/1", 5)),
        ("root: a byte missing", "32 bytes a hash", 257, {"root": True}, {"path": "tile/1/000.p/1", "drop_last_bytes": 1}),
        (
            "root: a hash missing",
            "as many hashes as the path says",
            255,
            {"root": True},
            {"path": "tile/0/000.p/255", "drop_last_bytes": 32},
        ),
        ("root: a byte too many", "32 bytes a hash", 257, {"root": True}, {"path": "tile/1/000.p/1", "append": "\u0000"}),
        (
            "root: a hash too many",
            "as many hashes as the path says",
            255,
            {"root": True},
            {"path": "tile/0/000.p/255", "append": "0123456789abcdef0123456789abcdef"},
        ),
        (
            "root: tile empty",
            "empty tiles are never served",
            257,
            {"root": True},
            {"path": "tile/0/001.p/1", "drop_last_bytes": 32},
        ),
        ("root: tile missing", "the log's size requires it", 257, {"root": True}, {"path": "tile/0/001.p/1", "missing": True}),
        (
            "root: two hashes exchanged",
            "order counts",
            255,
            {"root": True},
            {"path": "tile/0/000.p/255", "exchange_first_two_hashes": True},
        ),
        ("leaf: sibling altered", "the proof leads to another root", 257, {"inclusion": 3}, _flip("tile/0/000", 64)),
        ("leaf: the leaf itself altered", "the proof is of another leaf", 257, {"inclusion": 3}, _flip("tile/0/000", 96)),
        ("leaf: full tile cut short", "8,192 bytes", 65_537, {"inclusion": 300}, {"path": "tile/0/001", "drop_last_bytes": 32}),
        ("leaf: right edge altered", "the proof leads to another root", 65_537, {"inclusion": 300}, _flip("tile/0/256.p/1", 7)),
        (
            "consistency: old tree's tile altered",
            "the proof leads to another old root",
            65_537,
            {"consistency": 257},
            _flip("tile/1/000", 0),
        ),
        (
            "consistency: right edge altered",
            "the proof leads to another root",
            65_537,
            {"consistency": 65_536},
            _flip("tile/0/256.p/1", 7),
        ),
        ("bundle: an entry altered", "it no longer hashes to its leaf", 257, {"entries": 1}, _flip("tile/entries/001.p/1", 3)),
        ("bundle: a length altered", "the bundle ends within an entry", 257, {"entries": 1}, _flip("tile/entries/001.p/1", 1)),
        (
            "bundle: an entry missing",
            "as many entries as the path says",
            2,
            {"entries": 0},
            {"path": "tile/entries/000.p/2", "drop_last_bytes": 9},
        ),
        (
            "bundle: an entry too many",
            "as many entries as the path says",
            2,
            {"entries": 0},
            {"path": "tile/entries/000.p/2", "append": "\u0000\u0001x"},
        ),
        (
            "bundle: missing",
            "the log's size requires it",
            257,
            {"entries": 1},
            {"path": "tile/entries/001.p/1", "missing": True},
        ),
    ]
    return asks + [reject(name, why, size=size, ask=ask, change=change) for name, why, size, ask, change in broken]


def cases() -> list[Case]:
    """Return the readings. That the whole logs answer soundly is checked here; that the broken ones do not is plain."""
    every = _readings()
    log: Tree = tree()
    for case in every:
        size, ask = case["size"], case["ask"]
        if "inclusion" in ask:
            index = ask["inclusion"]
            assert proves_inclusion(index, size, log.leaf(index), log.inclusion(index, size), log.root(size)), case["id"]
        if "consistency" in ask:
            old = ask["consistency"]
            assert proves_consistency(old, size, log.root(old), log.root(size), log.consistency(old, size)), case["id"]
        if case["change"]:
            assert case["change"]["path"] in dict(files(size)), case["id"]
    return every
