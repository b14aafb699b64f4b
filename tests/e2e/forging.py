"""Checkpoints that should not be: signed with the notary's own key, and cosigned by witnesses who went over to the operator."""

import asyncio
import time
from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tallystick.cli.demo.platform import Platform
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.keys import ED25519, VerifierKey, cosignature_message
from tallystick.merkle.notes import Note, SignatureLine

from .evidence import administrator

KEYS = {"decisions": "notary-decisions", "governance": "notary-governance"}
COLLUDING = ("w1", "w2")


def origin_of(platform: Platform, log: str) -> str:
    """Return a log's name in its checkpoints."""
    return Checkpoint.parse(Note.parse((platform.log_dir / log / "checkpoint").read_bytes()).text).origin


def forged(platform: Platform, log: str, size: int, root: bytes, colluding: Collection[str] = ()) -> bytes:
    """Return a checkpoint signed with the notary's key, and cosigned as of now by these witnesses, whose keys we have."""
    origin = origin_of(platform, log)
    text, log_key = Checkpoint(origin, size, root).encode(), asyncio.run(administrator(platform).public_key(KEYS[log]))
    signature = asyncio.run(administrator(platform).sign(KEYS[log], text))
    lines, now_s = [SignatureLine.by(VerifierKey.make(origin, ED25519, log_key), signature)], int(time.time())
    for witness in platform.witnesses:
        if witness.name in colluding:
            key = load_pem_private_key(witness.key_file.read_bytes(), None)
            assert isinstance(key, Ed25519PrivateKey)
            lines.append(SignatureLine.by(witness.described.key, key.sign(cosignature_message(text, now_s)), now_s))
    return Note(text, tuple(lines)).encode()
