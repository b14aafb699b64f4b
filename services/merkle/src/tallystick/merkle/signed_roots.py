"""A log's root, signed in COSE (RFC 9052): what every receipt of that tree is made from, once a head.

    18([ << { 1: -19,                     alg: Ed25519 (RFC 9864)
              4: h'…',                    kid: the key's SHA-256 thumbprint (RFC 9679)
              15: {1: "origin"},          CWT claims (RFC 9597): the issuer is the log
              395: 1,                     vds: RFC9162_SHA256 (RFC 9942)
              -65537: size } >>,          the tree's number of leaves, a private label
         { },                             a receipt has its proof here
         null,                            the root is not sent: whoever verifies computes it
         signature ])

Why the size is signed: RFC 9942 signs the root alone, and one path leads to one root from several pairs of size and index,
those of leaf 4 of 5 and leaf 1 of 2 for one. With the size signed, an index has one path and a path one index.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from tallystick.merkle import cbor, ed25519
from tallystick.merkle.cbor import Map, Tag
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE
from tallystick.merkle.keys import NoteError, check_name

COSE_SIGN1 = 18
ED25519 = -19
RFC9162_SHA256 = 1
KEY_ID_SIZE = 32


class Label(IntEnum):
    """Header parameters of COSE."""

    ALG = 1
    KID = 4
    CWT_CLAIMS = 15
    VDS = 395
    PROOFS = 396
    TREE_SIZE = -65537


class Claim(IntEnum):
    """Claims of CWT (RFC 8392)."""

    ISS = 1


class ReceiptError(MerkleError):
    """A receipt, or the signed root that one is made from, is malformed or not to be believed."""


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """Whose receipts are believed: a log's origin and 32 bytes of Ed25519 public key.

    Raises:
        ReceiptError: an origin that no log can have.
        PublicKeyError: a public key that must not be trusted.
    """

    origin: str
    public_key: bytes

    def __post_init__(self) -> None:
        _check_origin(self.origin)
        ed25519.check_public_key(self.public_key)

    @property
    def key_id(self) -> bytes:
        """The COSE key thumbprint (RFC 9679): SHA-256 of {1: 1 (OKP), -1: 6 (Ed25519), -2: public key}."""
        return sha256(cbor.encode({1: 1, -1: 6, -2: self.public_key})).digest()


@dataclass(frozen=True, slots=True)
class RootHeader:
    """What is signed beside the root: which log, how many leaves, by which key.

    Raises:
        ReceiptError: an origin that no log can have, a size not from 1 to `MAX_SIZE`, or a key id that is not 32 bytes.
    """

    origin: str
    size: int
    key_id: bytes

    def __post_init__(self) -> None:
        _check_origin(self.origin)
        if not 1 <= self.size <= MAX_SIZE:
            raise ReceiptError(f"a receipt's tree has 1 to {MAX_SIZE} leaves, not {self.size}")
        if len(self.key_id) != KEY_ID_SIZE:
            raise ReceiptError(f"a receipt's key id has {KEY_ID_SIZE} bytes, not {len(self.key_id)}")

    def encode(self) -> bytes:
        """Return the protected header, its keys in the order of RFC 8949 §4.2.1."""
        return cbor.encode(
            {
                Label.ALG: ED25519,
                Label.KID: self.key_id,
                Label.CWT_CLAIMS: {Claim.ISS: self.origin},
                Label.VDS: RFC9162_SHA256,
                Label.TREE_SIZE: self.size,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "RootHeader":
        """Parse a protected header, in the one spelling that `encode` writes.

        Raises:
            ReceiptError, CborError: it says something else, or more, or less.
        """
        match cbor.decode(data):
            case {Label.CWT_CLAIMS: {Claim.ISS: str(origin)}, Label.KID: bytes(key_id), Label.TREE_SIZE: int(size)}:
                header = cls(origin, size, key_id)
            case _:
                raise ReceiptError("the protected header does not name a log, a tree size and a key")
        if header.encode() != data:
            raise ReceiptError(
                "the protected header has something else than Ed25519, RFC9162_SHA256, a log, a tree size and a key"
            )
        return header

    def signing_input(self, root: bytes) -> bytes:
        """Return the bytes that the key signs (RFC 9052 §4.4), the root being the payload.

        Raises:
            ReceiptError: the root is not 32 bytes.
        """
        if len(root) != HASH_SIZE:
            raise ReceiptError(f"a root has {HASH_SIZE} bytes, not {len(root)}")
        return cbor.encode(["Signature1", self.encode(), b"", root])


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """A header and the signature (64 bytes) over it and a root that is kept elsewhere; nothing is verified yet.

    Raises:
        ReceiptError: a signature that is not 64 bytes.
    """

    header: RootHeader
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.signature) != ed25519.SIGNATURE_SIZE:
            raise ReceiptError(f"a receipt's signature has {ed25519.SIGNATURE_SIZE} bytes, not {len(self.signature)}")

    def encode(self, unprotected: Map | None = None) -> bytes:
        """Return the COSE_Sign1, by default without a proof in it."""
        return cbor.encode(Tag(COSE_SIGN1, [self.header.encode(), unprotected or {}, None, self.signature]))

    @classmethod
    def parse(cls, data: bytes) -> "SignedRoot":
        """Parse what `encode` writes without a proof.

        Raises:
            ReceiptError, CborError: it is something else.
        """
        signed, unprotected = open_sign1(data)
        if unprotected:
            raise ReceiptError("a signed root has an empty unprotected header")
        return signed

    def verify(self, root: bytes, keys: Iterable[ReceiptKey]) -> None:
        """Verify that the key which the header names is one of `keys`, is for this log, and has signed this root and size.

        Raises:
            ReceiptError: there is no such key, or the signature is not good.
        """
        header = self.header
        known = [key for key in keys if (key.origin, key.key_id) == (header.origin, header.key_id)]
        if not known:
            raise ReceiptError(f"no known receipt key of {header.origin!r} has the id {header.key_id.hex()}")
        try:
            ed25519.verify(known[0].public_key, header.signing_input(root), self.signature)
        except ed25519.SignatureError as error:
            raise ReceiptError(
                f"the receipt key of {header.origin!r} has not signed the root that the proof leads to, at {header.size} leaves"
            ) from error


def open_sign1(data: bytes) -> tuple[SignedRoot, Map]:
    """Return a COSE_Sign1's signed root and its unprotected header, which nobody has signed.

    Raises:
        ReceiptError, CborError: it is not one, or carries its payload.
    """
    match cbor.decode(data):
        case Tag(number, [bytes(protected), dict(unprotected), None, bytes(signature)]) if number == COSE_SIGN1:
            return SignedRoot(RootHeader.parse(protected), signature), unprotected
    raise ReceiptError("a receipt is a tagged COSE_Sign1 whose payload is left out (tag 18, four parts, the third null)")


def _check_origin(origin: str) -> None:
    try:
        check_name(origin)
    except NoteError as error:
        raise ReceiptError(f"a log's origin is its key's name: {error}") from error
