"""Merkle-Patricia proofs (Yellow Paper, appendix D): that a trie with a known root holds a value under a key."""

from collections.abc import Sequence

from tallystick.trust.anchors import rlp
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.keccak import keccak256

MAX_NODES = 16
_BRANCH, _SHORT = 17, 2


def verify_value(root: bytes, key: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the value under `key` in the trie with `root`.

    Args:
        root: the root node's Keccak-256.
        key: as bytes; it must lead to a leaf.
        proof: the nodes on the way, root first, as stored. A node of less than 32 bytes, which its parent would hold in itself,
            is refused: no receipt is that short.

    Raises:
        AnchorError: the nodes do not lead there, or some are left over.
    """
    if not 1 <= len(proof) <= MAX_NODES:
        raise AnchorError(f"a trie proof has 1 to {MAX_NODES} nodes")
    expected, path = root, [nibble for byte in key for nibble in (byte >> 4, byte & 15)]
    for place, node in enumerate(proof, start=1):
        if keccak256(node) != expected:
            raise AnchorError(f"node {place} of the trie proof is not the one that its parent names")
        items = rlp.list_items(node)
        if len(items) == _BRANCH and path:
            expected, path = rlp.string(items[path[0]]), path[1:]
        elif len(items) == _SHORT:
            nibbles, is_leaf = _compact(rlp.string(items[0]))
            if path[: len(nibbles)] != nibbles:
                raise AnchorError("the trie proof leads elsewhere")
            path = path[len(nibbles) :]
            expected = rlp.string(items[1])
            if is_leaf:
                if path or place != len(proof):
                    raise AnchorError("the trie proof does not end with the key")
                return expected
        else:
            raise AnchorError("a node of the trie proof is neither a branch, an extension nor a leaf")
    raise AnchorError("the trie proof does not reach a leaf")


def _compact(prefix: bytes) -> tuple[list[int], bool]:
    """Return the nibbles of a hex-prefix encoding, and whether it is a leaf's."""
    if not prefix or prefix[0] >> 4 > 3 or (not prefix[0] & 0x10 and prefix[0] & 0x0F):
        raise AnchorError("a path in the trie proof is not written as it must be")
    nibbles = [nibble for byte in prefix for nibble in (byte >> 4, byte & 15)]
    return nibbles[1 if prefix[0] & 0x10 else 2 :], bool(prefix[0] & 0x20)
