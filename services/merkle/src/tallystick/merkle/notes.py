"""Signed notes (C2SP signed-note): text, an empty line, then `— name base64(key id ‖ signature)` lines."""

from collections.abc import Iterable
from dataclasses import dataclass

from tallystick.merkle.encoding import EncodingError, decode_base64, encode_base64
from tallystick.merkle.keys import (
    COSIGNATURE_V1,
    ED25519,
    KEY_ID_SIZE,
    NoteError,
    SignatureError,
    VerifierKey,
    check_name,
    cosignature_message,
)

__all__ = [
    "COSIGNATURE_V1",
    "ED25519",
    "Note",
    "NoteError",
    "SignatureError",
    "SignatureLine",
    "VerifiedSignature",
    "VerifierKey",
    "cosignature_message",
    "open_note",
    "verify_note",
]

MAX_NOTE_SIZE = 1_000_000
MAX_SIGNATURES = 100
_DASH = "— "
_CONTROLS = bytes(set(range(0x20)) - {0x0A})


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature: the name and id of the key that is said to have made it, and the bytes after the key id.

    Raises:
        NoteError: a bad name, a key id that is not 4 bytes, or no signature at all.
    """

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != KEY_ID_SIZE or not self.signature:
            raise NoteError(f"the signature of {self.name} is too short to be one")

    @classmethod
    def by(cls, key: VerifierKey, signature: bytes, time_s: int | None = None) -> "SignatureLine":
        """Make the line for a signature (64 bytes) by `key`; a cosignature also needs its time in seconds."""
        prefix = b"" if time_s is None else time_s.to_bytes(8, "big")
        return cls(key.name, key.key_id, prefix + signature)

    def encode(self) -> str:
        """Return the line, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> "SignatureLine":
        """Parse a line, given without its newline.

        Raises:
            NoteError: it is not a signature line.
        """
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space:
            raise NoteError("a signature line is written: em dash, space, name, space, base64")
        try:
            blob = decode_base64(encoded)
        except EncodingError as error:
            raise NoteError(f"a signature is {error}") from error
        return cls(name, blob[:KEY_ID_SIZE], blob[KEY_ID_SIZE:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures, none of them verified yet.

    Raises:
        NoteError: the text is not UTF-8, has control characters or lacks its newline; no signatures or too many; too large.
    """

    text: bytes
    signatures: tuple[SignatureLine, ...]

    def __post_init__(self) -> None:
        if len(self.text) > MAX_NOTE_SIZE:
            raise NoteError(f"a note of more than {MAX_NOTE_SIZE:,} bytes")
        _check_text(self.text)
        if not self.text.endswith(b"\n"):
            raise NoteError("a note's text ends in a newline")
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise NoteError(f"a note has 1 to {MAX_SIGNATURES} signatures, not {len(self.signatures)}")

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return self.text + b"\n" + "".join([line.encode() for line in self.signatures]).encode()

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Parse a note. The last empty line separates text and signatures.

        Raises:
            NoteError: it is not a note, or larger than is accepted.
        """
        if len(data) > MAX_NOTE_SIZE:
            raise NoteError(f"a note of more than {MAX_NOTE_SIZE:,} bytes")
        _check_text(data)
        text, separator, block = data.rpartition(b"\n\n")
        lines = block.decode().split("\n")
        if not separator or lines.pop() != "" or not lines:
            raise NoteError("a note is a text, an empty line, and signature lines that each end in a newline")
        if len(lines) > MAX_SIGNATURES:
            raise NoteError(f"a note has 1 to {MAX_SIGNATURES} signatures, not {len(lines)}")
        note = cls(text + b"\n", tuple([SignatureLine.parse(line) for line in lines]))
        if note.encode() != data:
            raise NoteError("the note is not written in its canonical form")
        return note


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that verifies: whose, and for a cosignature when, in seconds since 1970."""

    key: VerifierKey
    time_s: int | None


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> list[VerifiedSignature]:
    """Verify every signature of a known key, in the note's order; lines of unknown keys are ignored.

    Raises:
        SignatureError: a known key's signature does not verify: the whole note is refused.
        NoteError: no known key has signed, or two of the known keys cannot be told apart.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NoteError(f"two known keys are called {key.name} and have the same key id")
    verified = []
    for line in note.signatures:
        signer = known.get((line.name, line.key_id))
        if signer is not None:
            verified.append(VerifiedSignature(signer, signer.verify(note.text, line.signature)))
    if not verified:
        raise NoteError("no known key has signed this note")
    return verified


def open_note(data: bytes, keys: Iterable[VerifierKey]) -> tuple[Note, list[VerifierKey]]:
    """Parse a note and verify it; return it with the known keys that signed it, each once.

    Raises:
        NoteError: malformed, signed by no known key, or with a bad signature of a known key (SignatureError).
    """
    note = Note.parse(data)
    return note, list(dict.fromkeys(signature.key for signature in verify_note(note, keys)))


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise NoteError("a note must be UTF-8") from error
    if len(data.translate(None, _CONTROLS)) != len(data):
        raise NoteError("a note has no control characters but newlines")
