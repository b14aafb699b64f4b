"""What a witness cosigns and what it refuses: functions of values, no clock, no state, no key.

`admit` looks at the request alone, `decide` holds it against what was cosigned last. The checks are C2SP tlog-witness's, in its
order:

| check | else |
|---|---|
| the body is a request, a signed note and a checkpoint | 400 |
| the origin is known | 404 |
| a known key of this log has signed; no signature by such a key is bad | 403 |
| the old size is not larger than the checkpoint's | 400 |
| the old size is that of the checkpoint cosigned last, 0 if none was | 409, with the size |
| an empty tree has the empty tree's root; the proof from the old size holds, and is empty from size 0 | 422 |

and two of our own: no cosignature of ours is newer than what we remember (500); the clock does not stand before the last
one (503).
"""

from dataclasses import dataclass
from hashlib import sha256

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.keys import NoteError, SignatureError, VerifierKey
from tallystick.merkle.notes import Note, SignatureLine, verify_note
from tallystick.merkle.proofs import ProofError, verify_consistency
from tallystick.witness.logs import Logs
from tallystick.witness.request import AddCheckpoint

SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"
CLOCK_TOLERANCE_S = 2
"""Machines that share a state may disagree by so much; meanwhile the last time is repeated, which stays true."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal as HTTP says it: status, text and type.

    `forked` is true if the log has signed two trees of one size: evidence against it. `forgotten` is true if the request shows
    that this witness has lost what it once knew.
    """

    status: int
    text: str
    media_type: str = TEXT_TYPE
    forked: bool = False
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """A request whose checkpoint a known log has signed.

    `signatures` are the log's, each once and verified. `own_time_s` is the latest time of a cosignature of ours, 0 if none.
    """

    checkpoint: Checkpoint
    text: bytes
    signatures: tuple[SignatureLine, ...]
    old_size: int
    proof: tuple[bytes, ...]
    own_time_s: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A checkpoint to be cosigned, and with which time (seconds since 1970)."""

    submission: Submission
    time_s: int


@dataclass(frozen=True, slots=True)
class Head:
    """What was cosigned last for a log: its tree's size and root, when (s), and the note with the log's signatures and ours."""

    origin: str
    size: int
    root: bytes
    time_s: int
    note: bytes

    @property
    def log_id(self) -> str:
        """The log's id, as `log_id` makes it."""
        return log_id(self.origin)


def log_id(origin: str) -> str:
    """Return the lower-case hex SHA-256 of a log's origin, by which C2SP tlog-witness names it."""
    return sha256(origin.encode()).hexdigest()


def admit(body: bytes, logs: Logs, witness: VerifierKey) -> Submission | Refused:
    """Check all that needs no memory. `logs` are the known ones, `witness` is our own key."""
    try:
        request = AddCheckpoint.parse(body)
        note = Note.parse(request.checkpoint)
        checkpoint = Checkpoint.parse(note.text)
    except MerkleError as error:
        return Refused(400, f"this is no add-checkpoint request: {error}\n")
    keys = logs.get(checkpoint.origin)
    if keys is None:
        return Refused(404, "this witness does not know a log of this origin\n")
    # A line that is repeated a hundred times would cost a hundred verifications.
    note = Note(note.text, tuple(dict.fromkeys(note.signatures)))
    try:
        verify_note(note, keys)
    except NoteError as error:
        return Refused(403, f"the checkpoint is not to be trusted: {error}\n")
    if request.old_size > checkpoint.size:
        return Refused(400, f"the old size {request.old_size} is larger than the checkpoint's, {checkpoint.size}\n")
    known = {(key.name, key.key_id) for key in keys}
    signatures = tuple([line for line in note.signatures if (line.name, line.key_id) in known])
    return Submission(checkpoint, note.text, signatures, request.old_size, request.proof, _own_time_s(note, witness))


def decide(submission: Submission, stored: Head | None, now_s: int) -> Accepted | Refused:
    """Hold a submission against what was cosigned last for its log (None: nothing ever). `now_s` is in seconds since 1970."""
    recorded, last_s = (stored.size, stored.time_s) if stored else (0, 0)
    if submission.own_time_s > last_s:
        return Refused(500, "this witness has cosigned what it does not remember: its state is lost or old\n", forgotten=True)
    if submission.old_size != recorded:
        return Refused(409, f"{recorded}\n", SIZE_TYPE)
    try:
        _check_extends(submission, stored)
    except ProofError as error:
        shown = submission.checkpoint
        forked = stored is not None and shown.size == stored.size and shown.root != stored.root
        return Refused(422, f"the checkpoint is not shown to extend the one that was cosigned last: {error}\n", forked=forked)
    if now_s < last_s - CLOCK_TOLERANCE_S or now_s < 1:
        return Refused(503, "this witness's clock stands before the time of its last cosignature for this log\n")
    return Accepted(submission, max(now_s, last_s))


def _check_extends(submission: Submission, stored: Head | None) -> None:
    new = submission.checkpoint
    if new.size == 0 and new.root != EMPTY_ROOT:
        raise ProofError("a tree without leaves has another root")
    if stored is None or stored.size == 0:
        # Everything extends the empty tree, so there is nothing that a proof could say.
        if submission.proof:
            raise ProofError("there is no proof from an empty tree, so no hashes may stand there")
        return
    verify_consistency(stored.size, new.size, stored.root, new.root, submission.proof)


def _own_time_s(note: Note, witness: VerifierKey) -> int:
    times = [0]
    for line in note.signatures:
        if (line.name, line.key_id) == (witness.name, witness.key_id):
            try:
                times.append(witness.verify(note.text, line.signature) or 0)
            except SignatureError:
                continue  # not one of the log's keys: what it says badly is ignored
    return max(times)
