"""A tree's right edge: all that is needed to append to it and to know its root, O(log n) hashes."""

from collections.abc import Iterable, Sequence

from tallystick.merkle.hashing import EMPTY_ROOT, HASH_SIZE, MAX_SIZE, HashError, join_hashes, node_hash, parents


class Frontier:
    """The roots of the perfect subtrees that a tree falls into, one for every bit set in its size.

    Mutable and small. Not safe for use by several threads at once.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Start at a tree of `size` leaves whose subtree roots are `hashes`, left to right, the largest subtree first.

        Raises:
            HashError: the size is out of range, the hashes are too many or too few for it, or one is not 32 bytes.
        """
        if not 0 <= size <= MAX_SIZE:
            raise HashError(f"a tree's size must lie between 0 and {MAX_SIZE}, not {size}")
        if len(hashes) != size.bit_count():
            raise HashError(f"a tree of {size} leaves has {size.bit_count()} hashes at its right edge, not {len(hashes)}")
        join_hashes(hashes)
        self._size = size
        self._hashes = list(hashes)

    @property
    def size(self) -> int:
        """The number of leaves so far."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The subtree roots, left to right, the largest subtree first."""
        return tuple(self._hashes)

    def append(self, leaf_hashes: Iterable[bytes]) -> None:
        """Append leaves, given by their hashes. Whole batches are fast; nothing changes if it raises.

        Raises:
            HashError: a hash is not 32 bytes, or the tree would grow beyond `MAX_SIZE`.
        """
        batch = list(leaf_hashes)
        nodes = join_hashes(batch)
        if self._size + len(batch) > MAX_SIZE:
            raise HashError(f"a tree cannot have more than {MAX_SIZE} leaves")
        size, singles = self._size, []
        while nodes:
            # At each height: the subtree that was waiting there comes first, and one without a sibling waits in its place.
            if size & 1:
                nodes = self._hashes.pop() + nodes
            if len(nodes) // HASH_SIZE & 1:
                singles.append(nodes[-HASH_SIZE:])
                nodes = nodes[:-HASH_SIZE]
            nodes = parents(nodes)
            size >>= 1
        self._hashes.extend(reversed(singles))
        self._size += len(batch)

    def root(self) -> bytes:
        """Return the tree's root (RFC 6962 §2.1); `EMPTY_ROOT` if it has no leaves."""
        return fold(self._hashes)

    def copy(self) -> "Frontier":
        """Return an independent copy."""
        return Frontier(self._size, self._hashes)


def fold(hashes: Sequence[bytes]) -> bytes:
    """Join neighbouring perfect subtrees, the largest first, into the root over all of them."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root
