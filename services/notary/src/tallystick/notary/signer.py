"""Checkpoints as signed notes, by keys that never leave Vault."""

import logging
from collections.abc import Callable, Mapping
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
from tallystick.merkle.policy import LogPolicy, RetiredKeyError
from tallystick.notary.errors import ForkError, NotaryError

_log = logging.getLogger(__name__)
CLOCK = "notary-clock"
"""Name of the cosigning key, in Vault and in notes: it says nothing but what time it was."""


class Keys(Protocol):
    """Ed25519 keys that sign but are not given away; `tallystick.runtime.vault.Vault` is one such place."""

    async def sign(self, key: str, message: bytes, version: int | None = None) -> bytes:
        """Return the 64-byte signature, by the newest version unless another is asked for."""
        ...

    async def public_key(self, key: str) -> bytes:
        """Return the 32-byte public key of the newest version."""
        ...

    async def public_keys(self, key: str) -> Mapping[int, bytes]:
        """Return the 32-byte public key of each version."""
        ...


class Allowed(Protocol):
    """Who says which keys are a log's; `tallystick.notary.keyring.Keyring` does."""

    async def signing(self, origin: str) -> frozenset[bytes]:
        """Return the public keys that sign the log's next checkpoint."""
        ...

    async def known(self, origin: str) -> LogPolicy:
        """Return the keys that sign, or have signed, its checkpoints, and how far the retired ones are good; no witnesses."""
        ...


class NoteSigner:
    """Signs one log's checkpoints, by every version of its key that is the log's.

    Args:
        keys: where the keys are.
        key: the log key's name there; in notes its name is the log's origin.
        origin: the log.
        allowed: which public keys are the log's: a version that was made behind its back signs nothing.
        clock_s: seconds since 1970; if given, each note also bears a cosignature by `CLOCK` with this time.

    """

    def __init__(self, keys: Keys, key: str, origin: str, allowed: Allowed, clock_s: Callable[[], float] | None = None) -> None:
        self._keys, self._key, self._origin, self._allowed, self._clock_s = keys, key, origin, allowed, clock_s
        self._signing: frozenset[bytes] | None = None
        self._versions: Mapping[int, VerifierKey] = {}
        self._clock: VerifierKey | None = None

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return the checkpoint as a signed note. Raises NotaryError if no key may sign, or a signature does not verify."""
        text = checkpoint.encode()
        verifiers, lines = list[VerifierKey](), list[SignatureLine]()
        for version, log in (await self._log_versions()).items():
            verifiers.append(log)
            lines.append(SignatureLine.by(log, await self._keys.sign(self._key, text, version)))
        if self._clock_s is not None:
            clock = await self._clock_key()
            time_s = int(self._clock_s())
            signature = await self._keys.sign(CLOCK, cosignature_message(text, time_s))
            verifiers.append(clock)
            lines.append(SignatureLine.by(clock, signature, time_s))
        note = Note(text, tuple(lines))
        try:
            verify_note(note, verifiers)
        except NoteError as error:
            raise NotaryError(
                f"{error}: a signing key in Vault ({self._key} or {CLOCK}) was replaced, or {CLOCK} was rotated. Restore it; a "
                "log gets another key by `tallystick rotate-key` alone"
            ) from error
        return note.encode()

    async def open(self, note: bytes) -> Checkpoint | None:
        """Return a note's checkpoint, None if retired keys alone have signed it, beyond the size to which they are good.

        Such a head is nobody's: a thief's, or one from before a stolen key's retirement, which the next checkpoint replaces.

        Raises:
            ForkError: no key of this log has signed it.

        """
        known = await self.known()
        try:
            return known.verify_checkpoint(note, self._origin).checkpoint
        except RetiredKeyError as error:
            _log.warning("the public checkpoint is passed over: %s", error, extra={"origin": self._origin})
            return None
        except ValueError as error:
            raise ForkError(
                f"{self._origin}: the public checkpoint is not this log's ({error}). Is the log's place another "
                "installation's, or the trust policy another's?"
            ) from error

    async def known(self) -> LogPolicy:
        """Return the keys that sign, or have signed, this log's checkpoints; see `Allowed`."""
        return await self._allowed.known(self._origin)

    async def _log_versions(self) -> Mapping[int, VerifierKey]:
        """Return the versions of the log's key in Vault that sign now, oldest first."""
        signing = await self._allowed.signing(self._origin)
        if signing != self._signing:
            versions = sorted((await self._keys.public_keys(self._key)).items())
            for version, public_key in versions:
                if public_key not in signing:
                    _log.info("version %d of %s in Vault signs nothing: it is not the log's", version, self._key)
            self._versions = {
                version: VerifierKey.make(self._origin, ED25519, key) for version, key in versions if key in signing
            }
            if not self._versions:
                raise NotaryError(
                    f"{self._origin}: no version of {self._key} in Vault is a key of this log, by the trust policy and the "
                    "governance log. Restore Vault's keys; or put the key into the log (`tallystick rotate-key`)"
                )
            self._signing = signing
        return self._versions

    async def _clock_key(self) -> VerifierKey:
        if self._clock is None:
            self._clock = VerifierKey.make(CLOCK, COSIGNATURE_V1, await self._keys.public_key(CLOCK))
        return self._clock
