"""COSE receipts: what their parts refuse to be made of, and the key's thumbprint."""

from hashlib import sha256

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.merkle.cbor import CborError
from tallystick.merkle.ed25519 import PublicKeyError
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import MAX_SIZE, leaf_hash, node_hash
from tallystick.merkle.proofs import ProofError
from tallystick.merkle.receipts import (
    ConsistencyReceipt,
    InclusionReceipt,
    ReceiptError,
    ReceiptKey,
    parse_receipt,
    verify_inclusion_receipt,
)
from tallystick.merkle.signed_roots import RootHeader, SignedRoot

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = ReceiptKey("example.com/log", PRIVATE.public_key().public_bytes_raw())
HASH = bytes(range(32))
LEAF = leaf_hash(b"an entry")
ROOT = node_hash(HASH, LEAF)
HEADER = RootHeader(KEY.origin, 2, KEY.key_id)
SIGNED = SignedRoot(HEADER, PRIVATE.sign(HEADER.signing_input(ROOT)))


def test_the_key_id_is_the_keys_thumbprint() -> None:
    """RFC 9679 §3: SHA-256 over the deterministic encoding of the key's required parameters, here kty, crv and x."""
    cose_key = cbor2.dumps({1: 1, -1: 6, -2: KEY.public_key}, canonical=True)
    assert KEY.key_id == sha256(cose_key).digest()


def test_a_signed_root_is_a_cose_sign1_without_payload() -> None:
    """As cbor2 reads it; it parses back, and a receipt is no signed root."""
    protected, unprotected, payload, signature = cbor2.loads(SIGNED.encode()).value
    assert cbor2.loads(protected) == {1: -19, 4: KEY.key_id, 15: {1: KEY.origin}, 395: 1, -65537: 2}
    assert (unprotected, payload, signature) == ({}, None, SIGNED.signature)
    assert SignedRoot.parse(SIGNED.encode()) == SIGNED
    with pytest.raises(ReceiptError, match="empty unprotected header"):
        SignedRoot.parse(InclusionReceipt(SIGNED, 1, (HASH,)).encode())
    with pytest.raises(ReceiptError, match="holds one proof"):
        parse_receipt(SIGNED.encode())


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\n", "\ud800"])
def test_origins_are_key_names(origin: str) -> None:
    """Nobody can be called so in a checkpoint's signature."""
    for make in (lambda: ReceiptKey(origin, KEY.public_key), lambda: RootHeader(origin, 1, KEY.key_id)):
        with pytest.raises(ReceiptError, match="origin"):
            make()


def test_keys_that_anybody_can_sign_for_are_refused() -> None:
    """As everywhere."""
    with pytest.raises(PublicKeyError):
        ReceiptKey("example.com/log", bytes(32))


@pytest.mark.parametrize("size", [0, -1, MAX_SIZE + 1])
def test_sizes_in_range(size: int) -> None:
    """An empty tree has no receipts."""
    with pytest.raises(ReceiptError, match="leaves"):
        RootHeader(KEY.origin, size, KEY.key_id)


def test_parts_have_their_lengths() -> None:
    """Key id, root, signature, path."""
    with pytest.raises(ReceiptError, match="key id"):
        RootHeader(KEY.origin, 1, bytes(31))
    with pytest.raises(ReceiptError, match="a root has 32 bytes"):
        HEADER.signing_input(bytes(33))
    with pytest.raises(ReceiptError, match="signature has 64 bytes"):
        SignedRoot(HEADER, bytes(63))
    with pytest.raises(ReceiptError, match="1 to 64 hashes, not 0"):
        InclusionReceipt(SIGNED, 0, ())
    with pytest.raises(ReceiptError, match="1 to 64 hashes, not 65"):
        ConsistencyReceipt(SIGNED, 1, (HASH,) * 65)
    with pytest.raises(ReceiptError, match="not 32 bytes"):
        InclusionReceipt(SIGNED, 0, (bytes(31),))
    with pytest.raises(ProofError, match="no leaf 2"):
        InclusionReceipt(SIGNED, 2, (HASH,))
    with pytest.raises(ProofError, match="no consistency proof"):
        ConsistencyReceipt(SIGNED, 3, (HASH,))


HEADER_MUTATIONS: dict[str, dict[int, object]] = {
    "EdDSA, which names no curve": {1: -8},
    "ECDSA": {1: -7},
    "no algorithm": {1: None},
    "another structure": {395: 2},
    "no structure": {395: None},
    "a claim more": {15: {1: KEY.origin, 2: "subject"}},
    "no issuer": {15: {}},
    "a key id of 31 bytes": {4: bytes(31)},
    "no size": {-65537: None},
    "a size of 0": {-65537: 0},
    "a size that is text": {-65537: "2"},
    "a critical header": {2: [1]},
    "a label nobody knows": {99: 1},
}


@pytest.mark.parametrize("name", HEADER_MUTATIONS)
def test_a_header_says_one_thing_only(name: str) -> None:
    """However well it is signed: neither more, nor less, nor something else; the same header unchanged is read."""
    sound: dict[int, object] = {1: -19, 4: KEY.key_id, 15: {1: KEY.origin}, 395: 1, -65537: 2}
    assert RootHeader.parse(cbor2.dumps(sound)) == HEADER
    changed = {label: value for label, value in {**sound, **HEADER_MUTATIONS[name]}.items() if value is not None}
    with pytest.raises(MerkleError):
        RootHeader.parse(cbor2.dumps(changed))


def test_a_header_in_another_order_is_not_the_same() -> None:
    """One spelling: the deterministic order of RFC 8949."""
    with pytest.raises(ReceiptError, match="something else"):
        RootHeader.parse(cbor2.dumps({4: KEY.key_id, 1: -19, 15: {1: KEY.origin}, 395: 1, -65537: 2}))


def test_the_key_is_chosen_by_log_and_id() -> None:
    """Of several keys the one that is named; one of another log, or none, does not do."""
    other = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32).public_key().public_bytes_raw()
    receipt = InclusionReceipt(SIGNED, 1, (HASH,))
    assert verify_inclusion_receipt(receipt, LEAF, [ReceiptKey(KEY.origin, other), KEY]) == ROOT
    for keys in ([], [ReceiptKey(KEY.origin, other)], [ReceiptKey("example.com/other", KEY.public_key)]):
        with pytest.raises(ReceiptError, match="no known receipt key"):
            verify_inclusion_receipt(receipt, LEAF, keys)


@pytest.mark.parametrize("data", [b"", b"\xd2", b"\x81" * 9, bytes(100_000)])
def test_what_is_no_receipt(data: bytes) -> None:
    """CBOR's errors are errors of merkle, too."""
    with pytest.raises(CborError):
        parse_receipt(data)
    assert issubclass(CborError, MerkleError)
