"""Where a log's public files and its staging objects are: one Protocol, kept by a directory or by a bucket."""

from collections.abc import Mapping
from typing import Protocol

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note
from tallystick.merkle.tiles import TilePath
from tallystick.notary.errors import CorruptLogError, FencedError, ForkError


class LogStorage(Protocol):
    """One log's public files, among them its checkpoint, and its staging objects.

    Durability: what a method wrote survives a power cut from the moment that it returns. One that raises has done its work, or
    a part of it, or nothing; it may be repeated with the same arguments, and then does what is left.

    Concurrency: whoever reads sees each file whole or not at all. Two notaries may write at once, one of them fenced and only
    now waking up: a public tile never changes, and of two checkpoints the one that may not follow the other is refused,
    whichever comes first and at whatever moment.

    Every method blocks, so call it from a thread. Each may raise OSError: the place is full, read-only or away, which others
    repair, and it is waited for.
    """

    @property
    def component(self) -> str:
        """What health calls the place."""
        ...

    def prepare(self) -> None:
        """See whether the place can be used, before a notary takes the writer's epoch.

        Raises:
            SettingError: it cannot, and waiting will not help; by the name of the setting that says where it is.

        """
        ...

    def begin(self, epoch: int, staged: str | None) -> None:
        """Stand ready for the writer `epoch`; comes before all that follows.

        Delete what writers up to `epoch` left unfinished, but not the committed object `staged`. Requires that `epoch` is ours:
        nothing of an earlier writer can be committed any more. What a later one stages is not touched, should we have been
        overtaken meanwhile.
        """
        ...

    def stage(self, name: str, data: bytes) -> None:
        """Keep a staging object. Its name holds epoch, size and root, so that one name never has two contents."""
        ...

    def read_staged(self, name: str) -> bytes | None:
        """Return a staging object, None if there is none of that name."""
        ...

    def drop_staged(self, name: str) -> None:
        """Delete a staging object; fine if it is gone."""
        ...

    def publish(self, files: Mapping[TilePath, bytes]) -> None:
        """Write tiles and bundles to their public paths; then delete the partial ones that a full one now stands for.

        What is there already with the same bytes stays.

        Raises:
            CorruptLogError: there are other bytes at one of the paths.

        """
        ...

    def read_tile(self, path: TilePath) -> bytes:
        """Return a tile or bundle; a partial hash tile also from the full one. Raises CorruptLogError if there is neither."""
        ...

    def read_checkpoint(self) -> bytes | None:
        """Return the public checkpoint's note, None before the first."""
        ...

    def replace_checkpoint(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Publish a checkpoint's note, unless the public one forbids it.

        Raises:
            FencedError: a larger one is public.
            ForkError: one of the same size and another root is.

        """
        ...


def refuse_if_after(present: bytes, new: Checkpoint) -> None:
    """Raise FencedError or ForkError if the public note `present` may not be followed by `new`."""
    public = Checkpoint.parse(Note.parse(present).text)
    if public.size > new.size:
        raise FencedError(
            f"{new.origin}: a checkpoint of size {public.size} is public, this notary's is {new.size}: it is not the only one"
        )
    if public.size == new.size and public.root != new.root:
        raise ForkError(f"{new.origin}: another root than this notary's is public for size {new.size}")


def other_bytes(place: str) -> CorruptLogError:
    """Return the error for a public file that should be written, and is there with other bytes."""
    return CorruptLogError(
        f"{place} is public already, with other bytes than the database committed: an older database was restored, two logs "
        "share this place, or the file was damaged. Find out which: then restore a database as new as the log, or give the log "
        "a place of its own, or remove the damaged file"
    )


def missing(place: str) -> CorruptLogError:
    """Return the error for a public file that should be there."""
    return CorruptLogError(
        f"{place} is missing: restore the log's files from a backup that is as new as the database; hash tiles alone, in a "
        "directory, `tallystick repair` makes anew from the entries"
    )
