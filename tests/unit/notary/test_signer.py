"""Checkpoints as notes."""

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, VerifierKey, verify_note
from tallystick.notary.errors import ForkError, NotaryError
from tallystick.notary.signer import NoteSigner

from .stand import ALLOWED, ORIGIN, Known, LocalKeys

CHECKPOINT = Checkpoint(ORIGIN, 0, EMPTY_ROOT)


class ReplacedKeys(LocalKeys):
    """Keys that sign with others than those they show."""

    async def sign(self, key: str, message: bytes, version: int | None = None) -> bytes:
        """See `Keys`."""
        return await super().sign(f"another {key}", message, version)


async def test_a_note_is_signed_by_the_origins_key() -> None:
    """The key's name is the origin, and the same checkpoint gives the same note."""
    signer = NoteSigner(LocalKeys(), "notary-decisions", ORIGIN, ALLOWED)
    key = VerifierKey.make(ORIGIN, ED25519, LocalKeys().public_of("notary-decisions"))

    note = await signer.sign(CHECKPOINT)

    assert [signature.key for signature in verify_note(Note.parse(note), [key])] == [key]
    assert await signer.sign(CHECKPOINT) == note
    assert await signer.open(note) == CHECKPOINT


async def test_the_clocks_cosignature_says_when() -> None:
    """With a clock, the note bears a cosignature/v1 by `notary-clock` with the time in whole seconds."""
    signer = NoteSigner(LocalKeys(), "notary-governance", ORIGIN, ALLOWED, clock_s=lambda: 1_700_000_000.9)
    clock = VerifierKey.make("notary-clock", COSIGNATURE_V1, LocalKeys().public_of("notary-clock"))

    (cosigned,) = verify_note(Note.parse(await signer.sign(CHECKPOINT)), [clock])

    assert cosigned.time_s == 1_700_000_000


async def test_a_signature_that_does_not_verify_is_never_published() -> None:
    """A key that was replaced in Vault is found before its note leaves the notary."""
    with pytest.raises(NotaryError, match="was replaced"):
        await NoteSigner(ReplacedKeys(), "notary-decisions", ORIGIN, ALLOWED).sign(CHECKPOINT)


async def test_a_checkpoint_of_another_key_is_refused() -> None:
    """Somebody else's checkpoint in the log directory stops the notary; so does what is no note at all."""
    signer = NoteSigner(LocalKeys(), "notary-decisions", ORIGIN, ALLOWED)
    theirs = await NoteSigner(LocalKeys(), "another key", ORIGIN, Known([LocalKeys().public_of("another key")])).sign(
        CHECKPOINT
    )

    for note in (theirs, b"", b"garbage\n"):
        with pytest.raises(ForkError, match="not this log's"):
            await signer.open(note)


LOG = "notary-decisions"
OLD, NEW = LocalKeys().public_of(LOG), LocalKeys().public_of(LOG, 2)


async def signed_by(keys: LocalKeys, allowed: Known) -> list[bytes]:
    """Return the public keys whose signatures a note bears."""
    note = Note.parse(await NoteSigner(keys, LOG, ORIGIN, allowed).sign(CHECKPOINT))
    verifiers = [VerifierKey.make(ORIGIN, ED25519, key) for key in (OLD, NEW)]
    assert len(note.signatures) == len(verify_note(note, verifiers))
    return [signature.key.public_key for signature in verify_note(note, verifiers)]


async def test_a_version_that_is_not_the_log_s_signs_nothing() -> None:
    """Rotated behind the log's back, a key goes on with the version that is the log's; both sign once both are."""
    rotated = LocalKeys({LOG: 2})
    assert await signed_by(rotated, Known([OLD])) == [OLD]
    assert await signed_by(rotated, Known([OLD, NEW])) == [OLD, NEW]
    assert await signed_by(rotated, Known([OLD, NEW], retired=[OLD])) == [NEW]


async def test_a_signer_learns_of_a_new_key_while_it_runs() -> None:
    """The next note after the key became the log's bears both signatures, and after the old one's retirement the new one's."""
    keys, allowed = LocalKeys(), Known([OLD])
    signer = NoteSigner(keys, LOG, ORIGIN, allowed)
    lines = []
    for versions, known, retired in ((1, [OLD], []), (2, [OLD], []), (2, [OLD, NEW], []), (2, [OLD, NEW], [OLD])):
        keys.versions[LOG], allowed.keys, allowed.retired = versions, known, retired
        lines.append(len(Note.parse(await signer.sign(CHECKPOINT)).signatures))
    assert lines == [1, 1, 2, 1]


@pytest.mark.parametrize("allowed", [Known([]), Known([NEW]), Known([OLD], retired=[OLD])])
async def test_without_a_key_of_the_log_s_nothing_is_signed(allowed: Known) -> None:
    """Vault's keys are other ones, or the only one is retired: the notary stops and says what to do."""
    with pytest.raises(NotaryError, match="no version of notary-decisions in Vault is a key of this log"):
        await NoteSigner(LocalKeys(), LOG, ORIGIN, allowed).sign(CHECKPOINT)


async def test_what_a_retired_key_signed_is_still_the_log_s() -> None:
    """A checkpoint published before the retirement opens after it."""
    before = await NoteSigner(LocalKeys(), LOG, ORIGIN, Known([OLD])).sign(CHECKPOINT)
    signer = NoteSigner(LocalKeys({LOG: 2}), LOG, ORIGIN, Known([OLD, NEW], retired=[OLD]))
    assert await signer.open(before) == CHECKPOINT


async def test_a_larger_head_by_a_retired_key_is_no_head_of_the_log_s() -> None:
    """Neither a thief's, nor one that the next checkpoint replaces, keeps a notary from its start."""
    before = await NoteSigner(LocalKeys(), LOG, ORIGIN, Known([OLD])).sign(CHECKPOINT)
    allowed = Known([OLD, NEW], retired=[OLD], last_size=CHECKPOINT.size - 1)
    signer = NoteSigner(LocalKeys({LOG: 2}), LOG, ORIGIN, allowed)
    assert await signer.open(before) is None
    assert await signer.open(await signer.sign(CHECKPOINT)) == CHECKPOINT


async def test_after_a_loss_the_key_that_people_put_into_the_policy_signs() -> None:
    """Vault has lost the old key and has another: what the old one signed is still the log's, and the new one goes on."""
    before = await NoteSigner(LocalKeys(), LOG, ORIGIN, Known([OLD])).sign(CHECKPOINT)
    made_anew = "made anew"
    signer = NoteSigner(LocalKeys(), made_anew, ORIGIN, Known([OLD, LocalKeys().public_of(made_anew)]))
    assert await signer.open(before) == CHECKPOINT
    assert len(Note.parse(await signer.sign(CHECKPOINT)).signatures) == 1
