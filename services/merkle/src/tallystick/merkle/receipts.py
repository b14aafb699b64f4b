"""COSE receipts (RFC 9942) of inclusion and of consistency: a signed root with one proof in its unprotected header.

    { 396: { -1: [ << [size, index, [hash, …]] >> ] } }       inclusion: leaf to root
    { 396: { -2: [ << [size1, size2, [hash, …]] >> ] } }      consistency: as RFC 9162 §2.1.4 lists them

The header before and the signature after it are in `signed_roots`. The format has no empty path: a log of one entry, or two
equal sizes, has no receipt.

A receipt is the word of one key. It carries no cosignatures: that everybody is shown the same log it does not prove.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from tallystick.merkle import cbor
from tallystick.merkle.cbor import Map, Value
from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.proofs import check_range, check_sizes, consistency_root, inclusion_root
from tallystick.merkle.signed_roots import Label, ReceiptError, ReceiptKey, SignedRoot, open_sign1

__all__ = [
    "ConsistencyReceipt",
    "InclusionReceipt",
    "ReceiptError",
    "ReceiptKey",
    "parse_receipt",
    "verify_consistency_receipt",
    "verify_inclusion_receipt",
]

MAX_PATH = 64
"""The longest consistency proof of any tree; inclusion paths are one shorter."""


class ProofKind(IntEnum):
    """Kinds of proof in RFC9162_SHA256."""

    INCLUSION = -1
    CONSISTENCY = -2


@dataclass(frozen=True, slots=True)
class InclusionReceipt:
    """That some leaf is at `index` in the tree of the signed root; `path` from leaf to root.

    Raises:
        ReceiptError: no hash in the path or too many, or one that is not 32 bytes.
        ProofError: no such index in the tree.
    """

    signed: SignedRoot
    index: int
    path: tuple[bytes, ...]

    def __post_init__(self) -> None:
        check_range(self.index, self.signed.header.size)
        _check_path(self.path)

    def encode(self) -> bytes:
        """Return the receipt's bytes."""
        return self.signed.encode(_proof(ProofKind.INCLUSION, [self.signed.header.size, self.index, list(self.path)]))


@dataclass(frozen=True, slots=True)
class ConsistencyReceipt:
    """That the tree of the signed root begins with all leaves of some tree of `old_size`.

    Raises:
        ReceiptError: no hash in the path or too many, or one that is not 32 bytes.
        ProofError: the older tree is empty, or not the smaller one.
    """

    signed: SignedRoot
    old_size: int
    path: tuple[bytes, ...]

    def __post_init__(self) -> None:
        check_sizes(self.old_size, self.signed.header.size)
        _check_path(self.path)

    def encode(self) -> bytes:
        """Return the receipt's bytes."""
        return self.signed.encode(_proof(ProofKind.CONSISTENCY, [self.old_size, self.signed.header.size, list(self.path)]))


def parse_receipt(data: bytes) -> InclusionReceipt | ConsistencyReceipt:
    """Parse a receipt of one proof, in the one spelling that `encode` writes.

    Raises:
        MerkleError: it is not one, of either kind.
    """
    signed, unprotected = open_sign1(data)
    parsed: InclusionReceipt | ConsistencyReceipt
    match unprotected:
        case {Label.PROOFS: {ProofKind.INCLUSION: [bytes(proof)]}}:
            _, index, path = _open_proof(proof)
            parsed = InclusionReceipt(signed, index, path)
        case {Label.PROOFS: {ProofKind.CONSISTENCY: [bytes(proof)]}}:
            old_size, _, path = _open_proof(proof)
            parsed = ConsistencyReceipt(signed, old_size, path)
        case _:
            raise ReceiptError("a receipt's unprotected header holds one proof, of inclusion or of consistency")
    if parsed.encode() != data:
        raise ReceiptError("the receipt has something unsigned beside its proof, or another tree size there than is signed")
    return parsed


def verify_inclusion_receipt(receipt: InclusionReceipt, leaf: bytes, keys: Iterable[ReceiptKey]) -> bytes:
    """Verify that the leaf hash `leaf` is at the receipt's index in a tree whose root one of the keys has signed.

    Returns:
        The root.

    Raises:
        ProofError: the path is not one of this index.
        ReceiptError: no known key has signed the root that it leads to.
    """
    root = inclusion_root(receipt.index, receipt.signed.header.size, leaf, receipt.path)
    receipt.signed.verify(root, keys)
    return root


def verify_consistency_receipt(receipt: ConsistencyReceipt, old_root: bytes, keys: Iterable[ReceiptKey]) -> bytes:
    """Verify that a tree whose root one of the keys has signed begins with the tree of the receipt's old size and `old_root`.

    Returns:
        The newer root.

    Raises:
        ProofError: the path does not lead to the older root, or is not one of these sizes.
        ReceiptError: no known key has signed the newer root that it leads to.
    """
    root = consistency_root(receipt.old_size, receipt.signed.header.size, old_root, receipt.path)
    receipt.signed.verify(root, keys)
    return root


def _proof(kind: ProofKind, parts: list[Value]) -> Map:
    return {Label.PROOFS: {kind: [cbor.encode(parts)]}}


def _open_proof(data: bytes) -> tuple[int, int, tuple[bytes, ...]]:
    match cbor.decode(data):
        case [int(first), int(second), list(path)]:
            return first, second, tuple([node for node in path if isinstance(node, bytes)])
    raise ReceiptError("a receipt's proof is two numbers and an array of hashes")


def _check_path(path: tuple[bytes, ...]) -> None:
    if not 1 <= len(path) <= MAX_PATH:
        raise ReceiptError(f"a receipt's path has 1 to {MAX_PATH} hashes, not {len(path)}")
    if any(len(node) != HASH_SIZE for node in path):
        raise ReceiptError(f"a hash in the receipt's path is not {HASH_SIZE} bytes")
