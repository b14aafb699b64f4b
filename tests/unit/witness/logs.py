"""A log to be witnessed: small, in memory, straight from RFC 6962 §2.1, and able to show a second history."""

from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.witness.key import WitnessKey
from tallystick.witness.request import AddCheckpoint

NOW_S = 1_790_000_000


@cache
def leaf(history: str, index: int) -> bytes:
    """Return the hash of an entry. A history `a/b@5` is `a` up to the entry 5, where `b` begins."""
    parts = [part.partition("@") for part in history.split("/")]
    name = [name for name, _, start in parts if index >= int(start or 0)][-1]
    return sha256(b"\x00" + f"{name} {index}".encode()).digest()


@cache
def root(history: str, start: int, stop: int) -> bytes:
    """MTH(D[start:stop])."""
    if stop == start:
        return sha256(b"").digest()
    if stop == start + 1:
        return leaf(history, start)
    middle = start + _split(stop - start)
    return sha256(b"\x01" + root(history, start, middle) + root(history, middle, stop)).digest()


def consistency(history: str, old: int, new: int) -> tuple[bytes, ...]:
    """PROOF(old, D[new]); empty if the trees are of one size, or the old one is empty."""
    return () if old in {0, new} else tuple(_subproof(history, old, 0, new, whole=True))


def _subproof(history: str, old: int, start: int, stop: int, *, whole: bool) -> list[bytes]:
    if old == stop - start:
        return [] if whole else [root(history, start, stop)]
    middle = start + _split(stop - start)
    if old <= middle - start:
        return [*_subproof(history, old, start, middle, whole=whole), root(history, middle, stop)]
    return [*_subproof(history, old - (middle - start), middle, stop, whole=False), root(history, start, middle)]


def _split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


@dataclass(frozen=True)
class Log:
    """A log's origin and key; `key_name` if its key has another name than its origin."""

    origin: str = "bank.example/decisions"
    key_name: str = ""
    seed: str = ""
    extensions: tuple[str, ...] = field(default=())

    @property
    def private(self) -> Ed25519PrivateKey:
        """The log's private key, the same in every run."""
        return Ed25519PrivateKey.from_private_bytes(sha256(f"log {self.seed or self.origin}".encode()).digest())

    @property
    def key(self) -> VerifierKey:
        """The log's verifier key."""
        return VerifierKey.make(self.key_name or self.origin, ED25519, self.private.public_key().public_bytes_raw())

    def text(self, size: int, history: str = "true") -> bytes:
        """Return the text of a checkpoint."""
        return Checkpoint(self.origin, size, root(history, 0, size), self.extensions).encode()

    def sign(self, text: bytes) -> SignatureLine:
        """Sign a text."""
        return SignatureLine.by(self.key, self.private.sign(text))

    def checkpoint(self, size: int, history: str = "true") -> bytes:
        """Return a signed checkpoint of one of its histories."""
        text = self.text(size, history)
        return Note(text, (self.sign(text),)).encode()

    def request(self, old: int, size: int, history: str = "true") -> bytes:
        """Return an add-checkpoint body with the proof that belongs to it."""
        proof = consistency(history, old, size) if old <= size else ()
        return AddCheckpoint(old, proof, self.checkpoint(size, history)).encode()


def witness_key(name: str = "witness.example/w1") -> WitnessKey:
    """Return a witness's key, the same in every run."""
    return WitnessKey(name, Ed25519PrivateKey.from_private_bytes(sha256(f"witness {name}".encode()).digest()))
