"""Checkpoints as notes."""

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, VerifierKey, verify_note
from tallystick.notary.errors import ForkError, NotaryError
from tallystick.notary.signer import NoteSigner

from .stand import ORIGIN, LocalKeys

CHECKPOINT = Checkpoint(ORIGIN, 0, EMPTY_ROOT)


class RotatedKeys(LocalKeys):
    """Keys that sign with another version than the one they show."""

    async def sign(self, key: str, message: bytes) -> bytes:
        """See `Keys`."""
        return await super().sign(f"{key}, version 2", message)


async def test_a_note_is_signed_by_the_origins_key() -> None:
    """The key's name is the origin, and the same checkpoint gives the same note."""
    signer = NoteSigner(LocalKeys(), "notary-decisions", ORIGIN)
    key = VerifierKey.make(ORIGIN, ED25519, await LocalKeys().public_key("notary-decisions"))

    note = await signer.sign(CHECKPOINT)

    assert [signature.key for signature in verify_note(Note.parse(note), [key])] == [key]
    assert await signer.sign(CHECKPOINT) == note
    assert await signer.open(note) == CHECKPOINT


async def test_the_clocks_cosignature_says_when() -> None:
    """With a clock, the note bears a cosignature/v1 by `notary-clock` with the time in whole seconds."""
    signer = NoteSigner(LocalKeys(), "notary-governance", ORIGIN, clock_s=lambda: 1_700_000_000.9)
    clock = VerifierKey.make("notary-clock", COSIGNATURE_V1, await LocalKeys().public_key("notary-clock"))

    (cosigned,) = verify_note(Note.parse(await signer.sign(CHECKPOINT)), [clock])

    assert cosigned.time_s == 1_700_000_000


async def test_a_signature_that_does_not_verify_is_never_published() -> None:
    """A key that was rotated in Vault is found before its note leaves the notary."""
    with pytest.raises(NotaryError, match="rotated"):
        await NoteSigner(RotatedKeys(), "notary-decisions", ORIGIN).sign(CHECKPOINT)


async def test_a_checkpoint_of_another_key_is_refused() -> None:
    """Somebody else's checkpoint in the log directory stops the notary; so does what is no note at all."""
    signer = NoteSigner(LocalKeys(), "notary-decisions", ORIGIN)
    theirs = await NoteSigner(LocalKeys(), "another key", ORIGIN).sign(CHECKPOINT)

    for note in (theirs, b"", b"garbage\n"):
        with pytest.raises(ForkError, match="not this log's"):
            await signer.open(note)
