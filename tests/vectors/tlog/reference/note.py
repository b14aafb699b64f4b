"""Signed notes, verifier keys, checkpoints and cosignatures (C2SP), read by regular expressions: as naive as it gets."""

import base64
import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from .ed25519 import key_is_acceptable, public_key, sign, verify

ED25519, COSIGNATURE = 1, 4
# The code points with Unicode's property White_Space, but for the controls below U+0020.
SPACES = "\x20\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_NAME = f"[^+\\x00-\\x1f{SPACES}]+"
_BASE64 = "[A-Za-z0-9+/]+={0,2}"
_LINE = re.compile(f"— ({_NAME}) ({_BASE64})")
_VKEY = re.compile(f"({_NAME})\\+([0-9a-f]{{8}})\\+({_BASE64})")
_CHECKPOINT = re.compile("([^\\x00-\\x1f]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n((?:[^\\x00-\\x1f]+\n)*)")


@dataclass(frozen=True)
class Key:
    """A private key of this suite and the name it signs under; its seed is SHA-256 of `seed`, by default of the name."""

    name: str
    kind: int = ED25519
    seed: str = ""

    @property
    def secret(self) -> bytes:
        """The private key, 32 bytes."""
        return sha256((self.seed or self.name).encode()).digest()

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return _public(self.secret)

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return vkey(self.name, self.kind, self.public)

    def blob(self, text: bytes, time_s: int = 1_700_000_000) -> bytes:
        """Return what a signature line holds in base64: key id, for a cosignature the time, and the signature."""
        head = key_id(self.name, self.kind, self.public)
        if self.kind == ED25519:
            return head + sign(self.secret, text)
        message = b"cosignature/v1\ntime %d\n" % time_s + text
        return head + time_s.to_bytes(8, "big") + sign(self.secret, message)

    def line(self, text: bytes, time_s: int = 1_700_000_000) -> bytes:
        """Return the signature line over a text, newline included."""
        return line(self.name, self.blob(text, time_s))


@cache
def _public(secret: bytes) -> bytes:
    return public_key(secret)


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name ‖ newline ‖ type ‖ public key)."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name: str, kind: int, public: bytes) -> str:
    """Return a verifier key of any type."""
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def line(name: str, blob: bytes) -> bytes:
    """Return a signature line, whoever made the signature."""
    return f"— {name} {base64.b64encode(blob).decode()}\n".encode()


def unbase64(text: str) -> bytes | None:
    """Decode base64 in its one canonical spelling, else None."""
    if len(text) % 4 or re.fullmatch("[A-Za-z0-9+/]*={0,2}", text) is None:
        return None
    data = base64.b64decode(text)
    return data if base64.b64encode(data).decode() == text else None


def read_vkey(text: str) -> tuple[str, bytes, int, bytes] | None:
    """Read a verifier key of type 1 or 4: name, key id, type and public key; None if it is not to be accepted."""
    found = _VKEY.fullmatch(text)
    data = unbase64(found[3]) if found else None
    if found is None or not data or data[0] not in {ED25519, COSIGNATURE} or not key_is_acceptable(data[1:]):
        return None
    name, kind, public = found[1], data[0], data[1:]
    return (name, bytes.fromhex(found[2]), kind, public) if key_id(name, kind, public).hex() == found[2] else None


def read_note(data: bytes) -> tuple[bytes, list[tuple[str, bytes]]] | None:
    """Split a note into its text and its signatures' names and blobs; None if it is malformed."""
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        return None
    if re.search("[\\x00-\\x09\\x0b-\\x1f]", whole) or "\n\n" not in whole or not whole.endswith("\n"):
        return None
    at = whole.rindex("\n\n")
    lines = whole[at + 2 :].split("\n")[:-1]
    signatures = []
    for text in lines:
        found = _LINE.fullmatch(text)
        blob = unbase64(found[2]) if found else None
        if found is None or blob is None or len(blob) < 5:
            return None
        signatures.append((found[1], blob))
    return (whole[: at + 1].encode(), signatures) if signatures else None


def open_note(data: bytes, vkeys: list[str]) -> list[tuple[str, int | None]] | None:
    """Verify a note: who signed it, cosignatures with their time; None if it is to be refused."""
    note = read_note(data)
    keys = [key for key in map(read_vkey, vkeys) if key is not None]
    if note is None or len(keys) != len(vkeys):
        return None
    text, signatures = note
    signers: list[tuple[str, int | None]] = []
    for name, blob in signatures:
        for key_name, identifier, kind, public in keys:
            if (name, blob[:4]) == (key_name, identifier):
                time_s = check(kind, public, text, blob[4:])
                if time_s is None:
                    return None
                signers.append((vkey(key_name, kind, public), time_s or None))
                break
    return signers or None


def check(kind: int, public: bytes, text: bytes, signature: bytes) -> int | None:
    """Verify one signature: 0 for a plain one that is good, the time of a good cosignature, None for a bad one."""
    if kind == ED25519:
        return 0 if verify(public, text, signature) else None
    time_s = int.from_bytes(signature[:8], "big")
    if len(signature) != 72 or not 0 < time_s < 2**63:
        return None
    return time_s if verify(public, b"cosignature/v1\ntime %d\n" % time_s + text, signature[8:]) else None


def read_checkpoint(text: bytes) -> tuple[str, int, bytes, list[str]] | None:
    """Read a checkpoint's text: origin, size, root and extension lines; None if it is not one."""
    try:
        found = _CHECKPOINT.fullmatch(text.decode())
    except UnicodeDecodeError:
        return None
    root = unbase64(found[3]) if found else None
    if found is None or root is None or int(found[2]) >= 2**63:
        return None
    return found[1], int(found[2]), root, found[4].split("\n")[:-1]


def checkpoint(origin: str, size: int, root: bytes, *extensions: str) -> bytes:
    """Write a checkpoint's text."""
    return "".join(f"{row}\n" for row in (origin, size, base64.b64encode(root).decode(), *extensions)).encode()
