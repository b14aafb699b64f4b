"""Verifier keys of signed notes: `name+hex(key id)+base64(kind ‖ public key)` (C2SP signed-note)."""

from dataclasses import dataclass
from hashlib import sha256

from tallystick.merkle import ed25519
from tallystick.merkle.encoding import EncodingError, decode_base64, encode_base64
from tallystick.merkle.errors import MerkleError

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
KEY_ID_SIZE = 4
MAX_NAME_SIZE = 1024

_KINDS = {ED25519, COSIGNATURE_V1}
_TIME_SIZE = 8
_MAX_TIME_S = 2**63 - 1
_MAX_KEY_SIZE = 4096  # enough for an ML-DSA key too, so that it is refused for what it is


class NoteError(MerkleError):
    """A note, or the key to verify one, is malformed, or nobody known has signed it."""


class SignatureError(NoteError):
    """A key that is known has a signature here that it did not make."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Who may sign notes: a name, a kind (`ED25519` or `COSIGNATURE_V1`) and an Ed25519 public key of 32 bytes.

    Raises:
        NoteError: a bad name, another kind, a key id that is not the other fields', or a public key that must not be trusted.
    """

    name: str
    key_id: bytes
    kind: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.kind not in _KINDS:
            raise NoteError(f"keys of kind {self.kind} are not known here, only 1 (Ed25519) and 4 (cosignature/v1)")
        try:
            ed25519.check_public_key(self.public_key)
        except ed25519.PublicKeyError as error:
            raise NoteError(f"key {self.name}: {error}") from error
        if self.key_id != key_id(self.name, self.kind, self.public_key):
            raise NoteError(f"key {self.name}: the key id does not belong to this name and public key")

    @classmethod
    def make(cls, name: str, kind: int, public_key: bytes) -> "VerifierKey":
        """Make a key from its parts, with the key id that belongs to them.

        Raises:
            NoteError: as the class says.
        """
        check_name(name)
        if kind not in _KINDS:
            raise NoteError(f"keys of kind {kind} are not known here, only 1 (Ed25519) and 4 (cosignature/v1)")
        return cls(name, key_id(name, kind, public_key), kind, public_key)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Parse `name+hex+base64`, in the one spelling that `str()` writes.

        Raises:
            NoteError: it is not one, or as the class says.
        """
        parts = text.split("+", 2) if len(text) <= _MAX_KEY_SIZE else []
        if len(parts) != 3:
            raise NoteError("a verifier key is written name+hex+base64")
        name, hexadecimal, encoded = parts
        try:
            material = decode_base64(encoded)
        except EncodingError as error:
            raise NoteError(f"verifier key: the public key is {error}") from error
        if not material:
            raise NoteError("verifier key: the public key is missing")
        key = cls.make(name, material[0], material[1:])
        if key.key_id.hex() != hexadecimal:
            raise NoteError(f"key {name}: the key id does not belong to this name and public key")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.kind]) + self.public_key)}"

    def verify(self, text: bytes, signature_blob: bytes) -> int | None:
        """Verify what stands after the key id in a signature line, over the note's text.

        Returns:
            The cosignature's time in seconds since 1970 for a cosignature/v1 key, None for an Ed25519 key.

        Raises:
            SignatureError: the signature is malformed or not this key's over this text.
        """
        time_s, signature, message = None, signature_blob, text
        if self.kind == COSIGNATURE_V1:
            time_s = int.from_bytes(signature_blob[:_TIME_SIZE], "big")
            signature = signature_blob[_TIME_SIZE:]
            if not 0 < time_s <= _MAX_TIME_S:
                raise SignatureError(f"the cosignature of {self.name} has a time that cannot be")
            message = cosignature_message(text, time_s)
        try:
            ed25519.verify(self.public_key, message, signature)
        except ed25519.SignatureError as error:
            raise SignatureError(f"the signature of {self.name} does not verify") from error
        return time_s


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name ‖ 0A ‖ kind ‖ public key)."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:KEY_ID_SIZE]


def cosignature_message(note_text: bytes, time_s: int) -> bytes:
    """Return what a cosignature/v1 signs: a header line, a time line, and the whole text (C2SP tlog-cosignature)."""
    return b"cosignature/v1\ntime %d\n" % time_s + note_text


def check_name(name: str) -> None:
    """Refuse what cannot be a key's name.

    Raises:
        NoteError: empty, too long, not UTF-8, or with spaces, plus signs or control characters.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise NoteError("a key's name must be UTF-8") from error
    if not 1 <= size <= MAX_NAME_SIZE:
        raise NoteError(f"a key's name has 1 to {MAX_NAME_SIZE} bytes, not {size}")
    if "+" in name or any(character.isspace() or character < " " for character in name):
        raise NoteError("a key's name has no spaces, plus signs or control characters")
