"""Witnesses in memory: three strict ones of whom two are a quorum, and what a stranger believes of them."""

import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.keys import COSIGNATURE_V1, VerifierKey, cosignature_message
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proofs import verify_consistency
from tallystick.notary.effects import KnownHead
from tallystick.notary.errors import UnavailableError
from tallystick.notary.witnesses import Prove

NAMES = ("w1", "w2", "w3")
PRIVATE = {name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")) for name in NAMES}
KEYS = {
    name: VerifierKey.make(f"{name}.example", COSIGNATURE_V1, key.public_key().public_bytes_raw())
    for name, key in PRIVATE.items()
}
URLS = {name: f"http://{name}.example" for name in NAMES}


def policy_text(*logs: VerifierKey) -> bytes:
    """Return the policy: these logs, and two of the three witnesses."""
    lines = [f"log {key}" for key in logs]
    lines += [f"witness {name} {KEYS[name]} {URLS[name]}" for name in NAMES]
    return "\n".join([*lines, "group witnesses 2 w1 w2 w3", "quorum witnesses", ""]).encode()


def cosignature(name: str, text: bytes, time_s: int | None = None) -> SignatureLine:
    """Return a witness's cosignature, as of now unless a time is given."""
    at_s = int(time.time()) if time_s is None else time_s
    return SignatureLine.by(KEYS[name], PRIVATE[name].sign(cosignature_message(text, at_s)), at_s)


@dataclass
class MemoryWitnesses:
    """A log's witnesses: they cosign whatever is proven to continue what they know, and fail the test over anything else."""

    notes: dict[str, bytes] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)

    async def heads(self, known: LogPolicy) -> list[KnownHead]:
        """See `Cosigners`."""
        self._need_quorum()
        for note in self.notes.values():
            known.verify_checkpoint(note, _head(note).origin)
        return [KnownHead(f"what {name} cosigned", _head(note)) for name, note in self.notes.items()]

    async def cosign(self, checkpoint: Checkpoint, note: bytes, prove: Prove) -> bytes:
        """See `Cosigners`."""
        self._need_quorum()
        parsed = Note.parse(note)
        for name in (name for name in NAMES if name not in self.dead):
            if (known := self.notes.get(name)) is not None and (head := _head(known)).size:
                proof = await prove(head.size, checkpoint.size)
                verify_consistency(head.size, checkpoint.size, head.root, checkpoint.root, proof)
            line = cosignature(name, parsed.text)
            parsed = Note(parsed.text, (*parsed.signatures, line))
            self.notes[name] = note
        return parsed.encode()

    def _need_quorum(self) -> None:
        if len(self.dead) > 1:
            raise UnavailableError("witnesses", f"{', '.join(sorted(self.dead))}: dead")


def _head(note: bytes) -> Checkpoint:
    return Checkpoint.parse(Note.parse(note).text)
