"""Signers with fixed keys, so that every run makes the same notes."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, SignatureLine, VerifierKey, cosignature_message


@dataclass(frozen=True)
class Signer:
    """Somebody who signs notes (`ED25519`) or cosigns them (`COSIGNATURE_V1`)."""

    name: str
    kind: int = ED25519

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(self.name.encode()).digest())

    @cached_property
    def key(self) -> VerifierKey:
        """The verifier key."""
        return VerifierKey.make(self.name, self.kind, self._private.public_key().public_bytes_raw())

    def sign(self, text: bytes, time_s: int = 1_700_000_000) -> SignatureLine:
        """Sign a note's text."""
        if self.kind == COSIGNATURE_V1:
            return SignatureLine.by(self.key, self._private.sign(cosignature_message(text, time_s)), time_s)
        return SignatureLine.by(self.key, self._private.sign(text))


def signed(text: bytes, *signers: Signer) -> bytes:
    """Return the note with the signatures of these signers."""
    return Note(text, tuple(signer.sign(text) for signer in signers)).encode()
