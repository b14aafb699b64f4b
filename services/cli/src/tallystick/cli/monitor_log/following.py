"""One step of following a log: the head that was kept, the head that is there now, and what that means."""

from dataclasses import dataclass

from tallystick.cli.monitor_log.evidence import FORK, ROLLBACK, Evidence
from tallystick.merkle.checkpoints import Checkpoint, CheckpointError
from tallystick.merkle.forks import PrefixProof, prefix_proof, proves_fork
from tallystick.merkle.notes import Note
from tallystick.merkle.policy import LogPolicy, QuorumError
from tallystick.runtime.log_reader import LogReader


class AlarmError(Exception):
    """The log has shown two heads that do not go together; `evidence` holds both."""

    def __init__(self, message: str, evidence: Evidence) -> None:
        super().__init__(message)
        self.evidence = evidence


class UnprovenError(Exception):
    """The log's tiles do not prove a head that it has signed: nothing follows from that yet, but the head is not believed."""


@dataclass(frozen=True, slots=True)
class Head:
    """A head that the log has signed, and the note that it came in; `quorum` says whether its witnesses suffice."""

    checkpoint: Checkpoint
    note: bytes
    quorum: bool


def open_head(note: bytes, policy: LogPolicy) -> Head:
    """Return the head in a note that one of the policy's logs has signed; too few cosignatures are no error here.

    Raises:
        NoteError, CheckpointError: It is none.
    """
    origin = Checkpoint.parse(Note.parse(note).text).origin
    if origin not in {key.name for key, _ in policy.logs}:
        raise CheckpointError(f"the policy knows no log {origin!r}")
    try:
        return Head(policy.verify_checkpoint(note, origin).checkpoint, note, quorum=True)
    except QuorumError:  # raised last, when all else is verified
        return Head(Checkpoint.parse(Note.parse(note).text), note, quorum=False)


async def compare(kept: Head, shown: Head, reader: LogReader, seen_at: str) -> None:
    """Return if the head that is shown continues the one that was kept.

    Raises:
        AlarmError: It does not: the log is forked, or rolled back.
        UnprovenError: The log's tiles prove neither.
        LogUnavailableError: The tiles cannot be read.
    """
    old, new = kept.checkpoint, shown.checkpoint
    if old.origin != new.origin:
        raise CheckpointError(f"the log is {new.origin}, and the head that was kept is of {old.origin}")
    prefix = None
    smaller, larger = sorted((old, new), key=lambda head: head.size)
    if smaller.size and smaller.size < larger.size:
        prefix = await _prefix(smaller, larger, reader, needed=old.size < new.size)
    if smaller.size and proves_fork(smaller.size, smaller.root, larger.size, larger.root, prefix):
        raise AlarmError(
            f"{new.origin} is forked: its heads of {new.size:,} entries, and of {old.size:,} seen before, are two histories",
            Evidence(FORK, kept.note, shown.note, prefix, seen_at),
        )
    if new.size < old.size:
        raise AlarmError(
            f"{new.origin} is rolled back: it shows {new.size:,} entries, and had shown {old.size:,}",
            Evidence(ROLLBACK, kept.note, shown.note, None, seen_at),
        )


async def _prefix(smaller: Checkpoint, larger: Checkpoint, reader: LogReader, *, needed: bool) -> PrefixProof | None:
    """Return what the larger tree begins with, as the log's tiles say; None if they do not, and it is not needed."""
    try:
        proof = await reader.compute(lambda read: prefix_proof(smaller.size, larger.size, read))
        proves_fork(smaller.size, smaller.root, larger.size, larger.root, proof)
    except ValueError as error:  # MerkleError, and what a reader says of a tile that is too short or too long
        if needed:
            raise UnprovenError(f"the log's tiles are not those of its head of {larger.size:,} entries: {error}") from error
        return None
    except OSError:
        if needed:
            raise
        return None  # whoever rolls back takes the tiles away
    return proof
