"""Checkpoints as signed notes, by keys that never leave Vault."""

from collections.abc import Callable
from typing import Protocol

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    NoteError,
    SignatureLine,
    VerifierKey,
    cosignature_message,
    verify_note,
)
from tallystick.notary.errors import ForkError, NotaryError

CLOCK = "notary-clock"
"""Name of the cosigning key, in Vault and in notes: it says nothing but what time it was."""


class Keys(Protocol):
    """Ed25519 keys that sign but are not given away; `tallystick.runtime.vault.Vault` is one such place."""

    async def sign(self, key: str, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        ...

    async def public_key(self, key: str) -> bytes:
        """Return the 32-byte public key."""
        ...


class NoteSigner:
    """Signs one log's checkpoints.

    Args:
        keys: where the keys are.
        key: the log key's name there; in notes its name is the log's origin.
        origin: the log.
        clock_s: seconds since 1970; if given, each note also bears a cosignature by `CLOCK` with this time.

    """

    def __init__(self, keys: Keys, key: str, origin: str, clock_s: Callable[[], float] | None = None) -> None:
        self._keys, self._key, self._origin, self._clock_s = keys, key, origin, clock_s
        self._verifiers: dict[str, VerifierKey] = {}

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return the checkpoint as a signed note. Raises NotaryError if its own signature does not verify."""
        text = checkpoint.encode()
        log = await self._verifier(self._key, self._origin, ED25519)
        verifiers, lines = [log], [SignatureLine.by(log, await self._keys.sign(self._key, text))]
        if self._clock_s is not None:
            clock = await self._verifier(CLOCK, CLOCK, COSIGNATURE_V1)
            time_s = int(self._clock_s())
            signature = await self._keys.sign(CLOCK, cosignature_message(text, time_s))
            verifiers.append(clock)
            lines.append(SignatureLine.by(clock, signature, time_s))
        note = Note(text, tuple(lines))
        try:
            verify_note(note, verifiers)
        except NoteError as error:
            raise NotaryError(
                f"{error}: a signing key in Vault ({self._key} or {CLOCK}) was rotated or replaced. A log keeps its key; "
                "restore it, or start a new log"
            ) from error
        return note.encode()

    async def open(self, note: bytes) -> Checkpoint:
        """Return a note's checkpoint. Raises ForkError if this log's key has not signed it."""
        log = await self._verifier(self._key, self._origin, ED25519)
        try:
            parsed = Note.parse(note)
            verify_note(parsed, [log])
            return Checkpoint.parse(parsed.text)
        except ValueError as error:
            raise ForkError(
                f"{self._origin}: the public checkpoint is not this log's ({error}). Is the log directory another "
                f"installation's, or Vault's key {self._key} not the one that this log was begun with?"
            ) from error

    async def log_keys(self) -> list[VerifierKey]:
        """Return the keys that sign, or have signed, this log's checkpoints."""
        return [await self._verifier(self._key, self._origin, ED25519)]

    async def _verifier(self, key: str, name: str, kind: int) -> VerifierKey:
        if key not in self._verifiers:
            self._verifiers[key] = VerifierKey.make(name, kind, await self._keys.public_key(key))
        return self._verifiers[key]
