"""Hashes of leaves and nodes (RFC 6962 §2.1), one at a time and in batches."""

from collections.abc import Collection, Iterable
from hashlib import sha256

from tallystick.merkle.errors import MerkleError

HASH_SIZE = 32
MAX_SIZE = 2**63 - 1
"""The most leaves a tree may have: what every implementation that counts in signed 64 bits accepts."""

_LEAF = b"\x00"
_NODE = b"\x01"

EMPTY_ROOT: bytes = sha256(b"").digest()
"""The root of a tree without leaves."""


class HashError(MerkleError):
    """A hash is not 32 bytes."""


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(00 ‖ entry) (RFC 6962 §2.1)."""
    return sha256(_LEAF + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the leaf hashes of a batch of entries, in their order."""
    hashed = sha256
    return [hashed(_LEAF + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(01 ‖ left ‖ right) (RFC 6962 §2.1)."""
    return sha256(_NODE + left + right).digest()


def join_hashes(hashes: Collection[bytes]) -> bytes:
    """Concatenate hashes, the form in which `parents` and tiles hold them.

    Raises:
        HashError: one of them is not 32 bytes.
    """
    if not set(map(len, hashes)) <= {HASH_SIZE}:
        raise HashError(f"every hash must be {HASH_SIZE} bytes long")
    return b"".join(hashes)


def parents(nodes: bytes) -> bytes:
    """Hash concatenated siblings pairwise: 64 bytes in, 32 out, for each pair.

    Requires an even number of hashes. This is where a log's appender spends its time: one slice and one addition a node.
    """
    hashed = sha256
    return b"".join([hashed(_NODE + nodes[at : at + 64]).digest() for at in range(0, len(nodes), 64)])


def perfect_root(nodes: bytes) -> bytes:
    """Return the root over concatenated nodes. Requires that their number is a power of two."""
    while len(nodes) > HASH_SIZE:
        nodes = parents(nodes)
    return nodes
