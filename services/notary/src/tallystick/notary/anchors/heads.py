"""The heads that may be anchored: signed, cosigned as the trust policy asks, and grown out of those anchored before."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proofs import verify_consistency
from tallystick.merkle.tiles import consistency_proof
from tallystick.notary.anchors.errors import AnchoringError, RollbackError
from tallystick.runtime.log_reader import LogReader, LogUnavailableError


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A log's head: the log's name, the checkpoint, and the signed note it came in."""

    log: str
    checkpoint: Checkpoint
    note: bytes

    @property
    def origin(self) -> str:
        """The log's name in checkpoints."""
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        """The tree's number of entries."""
        return self.checkpoint.size


class PublishedHead:
    """The published head of one log. Every new one must be consistent with the one before, as a witness would ask.

    `anchored` returns the head that the first one must be consistent with: the largest that is anchored, None if none is.
    """

    def __init__(
        self,
        log: str,
        origin: str,
        reader: LogReader,
        policy: LogPolicy,
        anchored: Callable[[], Awaitable[Checkpoint | None]],
    ) -> None:
        self.log, self.origin = log, origin
        self._reader, self._policy, self._anchored = reader, policy, anchored
        self._last: Checkpoint | None = None

    async def read(self) -> SignedHead | None:
        """Return the head, None while the log is empty or has not been published.

        Raises:
            AnchoringError: the log does not answer, or its checkpoint is not to be believed.
            RollbackError: it is not what it was.
        """
        try:
            note = await self._reader.checkpoint()
            checkpoint = self._policy.verify_checkpoint(note, self.origin).checkpoint
            if checkpoint.size == 0:
                return None
            await self._check_grown(checkpoint)
        except (LogUnavailableError, MerkleError) as error:
            raise AnchoringError(f"{self.log}: {error}") from error
        self._last = checkpoint
        return SignedHead(self.log, checkpoint, note)

    async def _check_grown(self, new: Checkpoint) -> None:
        last = self._last or await self._anchored()
        if last is None:
            return
        try:
            if new.size < last.size:
                raise RollbackError(f"{self.log}: the log shrank from {last.size:,} to {new.size:,} entries")
            proof = await self._reader.compute(lambda read: consistency_proof(last.size, new.size, read))
            verify_consistency(last.size, new.size, last.root, new.root, proof)
        except MerkleError as error:
            raise RollbackError(f"{self.log}: {new.size:,} entries do not extend the {last.size:,} before: {error}") from error


Heads = Mapping[str, SignedHead]
"""Heads by the log's name."""
