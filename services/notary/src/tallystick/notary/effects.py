"""Everything that a pipeline does to the world, as one Protocol, so that tests can lose any of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.tiles import ReadTile
from tallystick.notary.intake import Batch
from tallystick.notary.staging import Staged
from tallystick.notary.state import Commit, Head, Progress


@dataclass(frozen=True, slots=True)
class Opened:
    """What the database holds of a log, read under the writer epoch `epoch`."""

    epoch: int
    head: Head
    progress: Progress


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head of the log that somebody knows: who ("the checkpoint that …", for people), and what, its signature verified."""

    who: str
    checkpoint: Checkpoint


class Effects(Protocol):
    """One log's effects, in the order in which a batch needs them; each may be repeated with the same arguments.

    Any may raise UnavailableError: then it was done, or not, or in part. The pipeline never guesses which; it starts over from
    `open`. Any other error ends the notary.
    """

    async def open(self, epoch: int | None) -> Opened:
        """Read the log's state from the database; without an epoch, take the next one, which shuts every other writer out.

        Raises:
            FencedError: `epoch` is no longer the log's epoch.

        """
        ...

    async def public_checkpoint(self) -> Checkpoint | None:
        """Return what is published. Raises ForkError if this notary's key has not signed it."""
        ...

    async def known_heads(self) -> Sequence[KnownHead]:
        """Return the largest heads of the log that others keep: witnesses, anchors.

        Raises UnavailableError if too few of them answer to tell whether this log is the one that they know.
        """
        ...

    async def read_staged(self, name: str) -> Staged | None:
        """Return a staging object; None if there is none of this name any more: then its files are public and durable."""
        ...

    def read_tile(self) -> ReadTile:
        """Return the reader of the public files, to be called from a thread. It raises CorruptLogError for a missing one."""
        ...

    async def stage(self, staged: Staged, name: str) -> None:
        """Make a staging object durable."""
        ...

    async def commit(self, change: Commit, epoch: int) -> None:
        """Make the log longer, in one transaction: all of `change` or nothing, and only if head and epoch are still the old.

        Raises:
            FencedError: they are not.

        """
        ...

    async def publish_files(self, staged: Staged) -> None:
        """Copy a staging object's files to their public paths, durably, each appearing whole or not at all."""
        ...

    async def drop_staged(self, name: str) -> None:
        """Delete a staging object whose files are public and durable."""
        ...

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return the signed note."""
        ...

    async def cosign(self, checkpoint: Checkpoint, note: bytes) -> bytes:
        """Return the signed note with the cosignatures of a quorum of witnesses. Raises UnavailableError without a quorum."""
        ...

    async def publish_checkpoint(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Replace the public checkpoint, atomically and durably.

        Raises:
            FencedError: a larger one is public already.
            ForkError: one of the same size with another root is.

        """
        ...

    async def record_checkpoint(self, checkpoint: Checkpoint, note: bytes, epoch: int) -> None:
        """Note in the database what was published. Raises FencedError if the epoch has passed."""
        ...

    async def announce(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Send the note to the topic of checkpoints."""
        ...


class Source(Protocol):
    """The log's topic: all its partitions, read from where the database says. Raises UnavailableError."""

    @property
    def stops(self) -> dict[int, str]:
        """Partitions that cannot be read any further, and why."""
        ...

    async def seek(self, progress: Progress) -> None:
        """Drop whatever was read ahead and start at `progress`."""
        ...

    async def fetch(self, timeout_s: float) -> Batch:
        """Return the next records as soon as there are any, nothing after `timeout_s`."""
        ...

    def stop(self, partition: int, reason: str) -> None:
        """Read a partition no further for now."""
        ...

    def resume(self, partition: int, offset: int) -> None:
        """Read a stopped partition again, from this record on, to see whether it can go on; it still counts as stopped."""
        ...

    def going(self, partition: int) -> None:
        """Take note that a partition goes on."""
        ...

    def lag(self, progress: Progress) -> int:
        """Return how many records the brokers hold beyond `progress`, as of the last fetch."""
        ...
