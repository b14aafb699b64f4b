"""Inclusion and consistency proofs at telling sizes, and what breaks them."""

from collections.abc import Callable, Iterator
from hashlib import sha256

from ..case import Case, accept, agree, reject, undecided
from ..reference.tree import Tree, node_hash, proves_consistency, proves_inclusion
from .log import SIZES, entry, tree, uniform

SPEC = "RFC 6962 §2.1.1 and §2.1.2"

HUGE = (2**31, 2**32 + 1, 2**53 + 1, 2**62, 2**62 + 1, 2**63 - 1)
OTHER = sha256(b"another hash").digest()


def _inclusion(
    make: Callable[..., Case], name: str, why: str, index: int, size: int, leaf: bytes, proof: list[bytes], root: bytes
) -> Case:
    fields = {
        "index": str(index),
        "size": str(size),
        "leaf": leaf.hex(),
        "root": root.hex(),
        "proof": [value.hex() for value in proof],
    }
    case = make(name, why, **fields)
    agree(case, proves_inclusion(index, size, leaf, proof, root))
    return case


def _consistency(
    make: Callable[..., Case], name: str, why: str, old: int, size: int, roots: tuple[bytes, bytes], proof: list[bytes]
) -> Case:
    fields = {"old_size": str(old), "size": str(size), "old_root": roots[0].hex(), "root": roots[1].hex()}
    case = make(name, why, **fields, proof=[value.hex() for value in proof])
    agree(case, proves_consistency(old, size, *roots, proof))
    return case


def _leaf(log: Tree, index: int, size: int, why: str, suffix: str = "") -> Case:
    proof, name = log.inclusion(index, size), f"leaf {index:,} of {size:,}{suffix}"
    return _inclusion(accept, name, why, index, size, log.leaf(index), proof, log.root(size))


def _growth(log: Tree, old: int, size: int, why: str, suffix: str = "") -> Case:
    roots, name = (log.root(old), log.root(size)), f"from {old:,} to {size:,}{suffix}"
    return _consistency(accept, name, why, old, size, roots, log.consistency(old, size))


def _lengths(proof: list[bytes], root: bytes, leaf: bytes) -> Iterator[tuple[str, str, list[bytes]]]:
    """Give what breaks any proof of two hashes or more."""
    yield "no hashes", "the tree calls for more", []
    yield "first hash missing", "the tree calls for more", proof[1:]
    yield "last hash missing", "the tree calls for more", proof[:-1]
    yield "a hash in front", "the tree calls for fewer", [OTHER, *proof]
    yield "the root behind", "the tree calls for fewer", [*proof, root]
    yield "the leaf in front", "the tree calls for fewer", [leaf, *proof]
    yield "the proof twice", "the tree calls for fewer", proof * 2
    yield "first hash one bit off", "leads to another root", [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
    yield "last hash one bit off", "leads to another root", [*proof[:-1], proof[-1][:-1] + bytes([proof[-1][-1] ^ 0x80])]
    yield "first two hashes exchanged", "order counts", [proof[1], proof[0], *proof[2:]]
    yield "reversed", "order counts", proof[::-1]
    yield "a hash of 31 bytes", "hashes have 32 bytes", [proof[0][:31], *proof[1:]]
    yield "a hash of 33 bytes", "hashes have 32 bytes", [proof[0] + b"\0", *proof[1:]]
    yield "an empty hash", "hashes have 32 bytes", [b"", *proof[1:]]
    yield "two hashes in one", "hashes have 32 bytes", [proof[0] + proof[1], *proof[2:]]


def inclusion_cases() -> list[Case]:
    """Return inclusion proofs, sound and broken."""
    log, equal = tree(), uniform()
    sizes = (*SIZES[1:3], 3, 5, 7, 8, *SIZES[3:])
    places = [(index, size) for size in sizes for index in sorted({0, 1, 2, size // 2, 255, 256, size - 2, size - 1})]
    cases = [_leaf(log, index, size, "PATH of RFC 6962 §2.1.1") for index, size in places if 0 <= index < size]
    why = "trees go up to 2^63 - 1 leaves"
    cases += [_leaf(equal, index, size, why, ", all leaves equal") for size in HUGE for index in (0, size // 2, size - 1)]
    for size, index in ((5, 2), (257, 3), (65_537, 65_535)):
        cases += _broken_inclusion(log, size, index)
    leaf = log.leaf(0)
    nobody = [
        ("leaf 0 of 0", "an empty tree has no leaves", 0, 0, leaf, [], log.root(0)),
        ("leaf 1 of 1", "an index is less than the size", 1, 1, leaf, [], leaf),
        ("leaf 0 of 0 with a proof", "an empty tree has no leaves", 0, 0, leaf, [OTHER], node_hash(leaf, OTHER)),
        ("leaf 1 of 1 with a proof", "an index is less than the size", 1, 1, leaf, [OTHER], node_hash(OTHER, leaf)),
        ("leaf 2 of 2 with a proof", "an index is less than the size", 2, 2, leaf, [OTHER], node_hash(leaf, OTHER)),
        (
            "leaf 2 of 2 with a proof of two",
            "an index is less than the size",
            2,
            2,
            leaf,
            [OTHER, OTHER],
            node_hash(OTHER, node_hash(leaf, OTHER)),
        ),
        ("leaf 0 of 1 with a proof", "a tree of one leaf calls for no hashes", 0, 1, leaf, [OTHER], node_hash(leaf, OTHER)),
        ("leaf 0 of 1 with another root", "the root of one leaf is the leaf", 0, 1, leaf, [], OTHER),
        ("leaf of 31 bytes that is the root", "hashes have 32 bytes", 0, 1, leaf[:31], [], leaf[:31]),
        ("empty leaf and root", "hashes have 32 bytes", 0, 1, b"", [], b""),
        ("leaf 2^63 - 1 of 2^63 - 1", "an index is less than the size", 2**63 - 1, 2**63 - 1, leaf, [], leaf),
    ]
    cases += [_inclusion(reject, *values) for values in nobody]
    big = 2**63
    cases.append(
        _inclusion(
            undecided,
            "leaf 0 of 2^63",
            "more than a signed 64-bit size holds",
            0,
            big,
            equal.leaf(0),
            equal.inclusion(0, big),
            equal.root(big),
        )
    )
    return cases


def _broken_inclusion(log: Tree, size: int, index: int) -> list[Case]:
    leaf, root, proof, at = log.leaf(index), log.root(size), log.inclusion(index, size), f"leaf {index:,} of {size:,}: "
    cases = [
        _inclusion(reject, at + name, why, index, size, leaf, hashes, root) for name, why, hashes in _lengths(proof, root, leaf)
    ]
    wrong: list[tuple[str, str, int, int, bytes, bytes]] = [
        ("the next index", "another place, another path", index + 1, size, leaf, root),
        ("the sibling's index", "left and right exchanged", index ^ 1, size, leaf, root),
        ("index 0", "another place, another path", 0, size, leaf, root),
        ("index + size", "an index is less than the size", index + size, size, leaf, root),
        ("size 1", "a tree of one leaf calls for no hashes", 0, 1, leaf, root),
        ("size doubled", "a larger tree calls for more", index, size * 2, leaf, root),
        ("size halved", "a smaller tree calls for fewer", index % (size // 2), size // 2, leaf, root),
        ("another leaf", "leads to another root", index, size, OTHER, root),
        (
            "the entry's plain SHA-256",
            "leaves are hashed with 00 before them",
            index,
            size,
            sha256(entry(index)).digest(),
            root,
        ),
        ("another root", "leads to this log's root", index, size, leaf, OTHER),
        ("the empty tree's root", "leads to this log's root", index, size, leaf, log.root(0)),
        ("the root of one leaf more", "another tree", index, size, leaf, log.root(size + 1)),
        ("a leaf of 31 bytes", "hashes have 32 bytes", index, size, leaf[:31], root),
        ("a root of 31 bytes", "hashes have 32 bytes", index, size, leaf, root[:31]),
        ("a root with a byte behind", "hashes have 32 bytes", index, size, leaf, root + b"\0"),
    ]
    return cases + [_inclusion(reject, at + name, why, i, n, value, proof, top) for name, why, i, n, value, top in wrong]


def consistency_cases() -> list[Case]:
    """Return consistency proofs, sound and broken."""
    log, equal = tree(), uniform()
    pairs = {(old, size) for size in (*SIZES[1:], 3, 4, 5, 7, 8) for old in (1, 2, 3, 4, 6, 7, *SIZES[3:]) if old <= size}
    cases = [
        _growth(log, old, size, "equal trees: no hashes" if old == size else "PROOF of RFC 6962 §2.1.2")
        for old, size in sorted(pairs, key=lambda pair: pair[::-1])
    ]
    why = "trees go up to 2^63 - 1 leaves"
    huge = [(old, size) for size in HUGE for old in sorted({1, 3, 2**31, size // 2, size - 1}) if old < size]
    cases += [_growth(equal, old, size, why, ", all leaves equal") for old, size in huge]
    for old, size in ((3, 7), (4, 13), (256, 65_537), (257, 65_536)):
        cases += _broken_consistency(log, old, size)
    one, two, none = log.root(1), log.root(2), log.root(0)
    nobody = [
        ("from 2 to 1", "no tree shrinks", 2, 1, (two, one), []),
        ("from 2 to 1, the proof from 1 to 2", "no tree shrinks", 2, 1, (two, one), log.consistency(1, 2)),
        ("equal sizes, different roots", "two trees of one size", 2, 2, (two, OTHER), []),
        ("equal sizes, a proof", "equal trees call for no hashes", 2, 2, (two, two), [two]),
        ("equal sizes of 1, a proof", "equal trees call for no hashes", 1, 1, (one, one), [one]),
    ]
    cases += [_consistency(reject, *values) for values in nobody]
    why = "no proof is needed from the empty tree: a verifier may say so, or refuse; a witness takes `old 0`, see witness.json"
    cases.append(_consistency(undecided, "from 0 to 2", why, 0, 2, (none, two), []))
    cases.append(_consistency(undecided, "from 0 to 0", why, 0, 0, (none, none), []))
    cases.append(_consistency(reject, "from 0 to 2, with a proof", "there is none", 0, 2, (none, two), [two]))
    cases.append(_consistency(reject, "from 0 to 0, different roots", "two trees of one size", 0, 0, (none, OTHER), []))
    return cases


def _broken_consistency(log: Tree, old: int, size: int) -> list[Case]:
    roots, proof, at = (log.root(old), log.root(size)), log.consistency(old, size), f"from {old:,} to {size:,}: "
    cases = [
        _consistency(reject, at + name, why, old, size, roots, hashes)
        for name, why, hashes in _lengths(proof, roots[1], roots[0])
    ]
    wrong: list[tuple[str, str, int, int, tuple[bytes, bytes]]] = [
        ("another old root", "leads to this log's", old, size, (OTHER, roots[1])),
        ("another new root", "leads to this log's", old, size, (roots[0], OTHER)),
        ("roots exchanged", "old before new", old, size, roots[::-1]),
        ("sizes exchanged", "no tree shrinks", size, old, roots),
        ("the old root twice", "the tree has grown", old, size, (roots[0], roots[0])),
        ("the new root twice", "the tree has grown", old, size, (roots[1], roots[1])),
        ("old size doubled", "another old tree", old * 2, size, roots),
        ("new size doubled", "another new tree", old, size * 2, roots),
        ("old root of 31 bytes", "hashes have 32 bytes", old, size, (roots[0][:31], roots[1])),
        ("new root with a byte behind", "hashes have 32 bytes", old, size, (roots[0], roots[1] + b"\0")),
        ("old size 0", "nothing is proved from the empty tree", 0, size, (log.root(0), roots[1])),
    ]
    return cases + [_consistency(reject, at + name, why, m, n, both, proof) for name, why, m, n, both in wrong]
