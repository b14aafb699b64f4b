"""Merkle trees by the recursive definitions of RFC 6962 §2.1, and tiles by the formula of C2SP tlog-tiles."""

from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def split(n: int) -> int:
    """Return k, the largest power of two smaller than n. Requires n > 1."""
    return 1 << (n - 1).bit_length() - 1


class Tree:
    """A log of which only `leaf(index)`, the leaf hashes, are known; every node is computed from the definition, once."""

    def __init__(self, leaf: Callable[[int], bytes]) -> None:
        """Name the leaves; nothing is hashed yet."""
        self.leaf = leaf
        self.subtree = cache(self._subtree)

    def _subtree(self, start: int, end: int) -> bytes:
        """Return MTH(D[start:end])."""
        if start == end:
            return sha256(b"").digest()
        if end - start == 1:
            return self.leaf(start)
        middle = start + split(end - start)
        return node_hash(self.subtree(start, middle), self.subtree(middle, end))

    def root(self, size: int) -> bytes:
        """Return MTH(D[0:size])."""
        return self.subtree(0, size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return PATH(index, D[0:size])."""
        return self._path(index, 0, size)

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start <= 1:
            return []
        middle = start + split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self.subtree(middle, end)]
        return [*self._path(index, middle, end), self.subtree(start, middle)]

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Return PROOF(old, D[0:size])."""
        return self._subproof(old, 0, size, whole=True)

    def _subproof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self.subtree(start, end)]
        middle = start + split(end - start)
        if old <= middle:
            return [*self._subproof(old, start, middle, whole=whole), self.subtree(middle, end)]
        return [*self._subproof(old, middle, end, whole=False), self.subtree(start, middle)]

    def tiles(self, size: int) -> Iterator[tuple[str, bytes]]:
        """Give path and bytes of every tile of a log of this size, full and partial, level by level."""
        level = 0
        while (hashes := size // 256**level) > 0:
            for number in range((hashes + 255) // 256):
                width = min(256, hashes - 256 * number)
                span = 256**level
                starts = [(256 * number + i) * span for i in range(width)]
                yield tile_path(str(level), number, width), b"".join(self.subtree(start, start + span) for start in starts)
            level += 1


class UniformTree(Tree):
    """A log whose leaves are all the same: a subtree depends on its size alone, so trees of any size can be computed."""

    def __init__(self, entry: bytes) -> None:
        """Name the one entry."""
        super().__init__(lambda _index: leaf_hash(entry))
        self.subtree = cache(self._shifted)

    def _shifted(self, start: int, end: int) -> bytes:
        return self.subtree(0, end - start) if start else self._subtree(start, end)


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to, by the recursion that made it; None if its length is wrong."""
    if size <= 1:
        return leaf if size == 1 and index == 0 and not proof else None
    if not proof or not 0 <= index < size:
        return None
    middle = split(size)
    if index < middle:
        left = root_from_inclusion(index, middle, leaf, proof[:-1])
        return None if left is None else node_hash(left, proof[-1])
    right = root_from_inclusion(index - middle, size - middle, leaf, proof[:-1])
    return None if right is None else node_hash(proof[-1], right)


def roots_from_consistency(old: int, size: int, proof: list[bytes], old_root: bytes | None) -> tuple[bytes, bytes] | None:
    """Return the roots, old and new, that a consistency proof leads to; `old_root` while the old tree is a whole subtree."""
    if old == size:
        if old_root is not None:
            return (old_root, old_root) if not proof else None
        return (proof[0], proof[0]) if len(proof) == 1 else None
    if not proof or not 0 < old < size:
        return None
    middle, last = split(size), proof[-1]
    if old <= middle:
        below = roots_from_consistency(old, middle, proof[:-1], old_root)
        return None if below is None else (below[0], node_hash(below[1], last))
    below = roots_from_consistency(old - middle, size - middle, proof[:-1], None)
    return None if below is None else (node_hash(last, below[0]), node_hash(last, below[1]))


def proves_inclusion(index: int, size: int, leaf: bytes, proof: list[bytes], root: bytes) -> bool:
    """Say whether a proof is one, all hashes of 32 bytes."""
    sound = all(len(value) == 32 for value in (leaf, root, *proof)) and 0 <= index < size < 2**63
    return sound and root_from_inclusion(index, size, leaf, proof) == root


def proves_consistency(old: int, size: int, old_root: bytes, root: bytes, proof: list[bytes]) -> bool:
    """Say whether a proof is one, all hashes of 32 bytes; there is none from size 0."""
    sound = all(len(value) == 32 for value in (old_root, root, *proof)) and 0 < old <= size < 2**63
    return sound and roots_from_consistency(old, size, proof, old_root) == (old_root, root)


def tile_path(level: str, number: int, width: int) -> str:
    """Return a tile's path; `level` is a number or "entries"."""
    digits = f"{number:0{(len(str(number)) + 2) // 3 * 3}d}"
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([f"x{group}" for group in groups[:-1]] + [groups[-1]])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def bundle(entries: list[bytes]) -> bytes:
    """Return an entry bundle."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundle(data: bytes, width: int) -> list[bytes] | None:
    """Read an entry bundle of just `width` entries; None if it is not one."""
    entries = []
    while data:
        length = int.from_bytes(data[:2], "big")
        if len(data) < 2 + length:
            return None
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
    return entries if len(entries) == width and 1 <= width <= 256 else None
