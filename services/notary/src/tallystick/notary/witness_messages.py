r"""What a log and a witness say to each other (C2SP tlog-witness), from the log's side. Pure.

POST <url>/add-checkpoint                      old <size>\n, <base64 hash>\n for each of the proof, \n, the signed checkpoint
    200                                        cosignature lines
    409, text/x.tlog.size                      <the size that it last cosigned>\n
GET <url>/<hex SHA-256 of origin>/checkpoint   its latest checkpoint of the log, cosigned; 404 if it has none

A witness is a stranger: whatever it answers is checked here, and what is wrong with it is a `WitnessError`, its fault alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import encode_base64, parse_decimal
from tallystick.merkle.hashing import MAX_SIZE
from tallystick.merkle.keys import VerifierKey
from tallystick.merkle.notes import Note, SignatureLine, verify_note
from tallystick.merkle.policy import LogPolicy

MAX_ANSWER_BYTES = 65_536
SIZE_TYPE = "text/x.tlog.size"
MAX_SKEW_S = 30
"""How far from this machine's clock a cosignature's time may lie: readers ask for less than a minute."""

OK, NOT_FOUND, CONFLICT = 200, 404, 409
_REFUSALS = {
    400: "it finds the request malformed",
    403: "it does not accept this log's signature: its operator must be given the log's key",
    404: "it does not know this log: its operator must be given the log's origin and key",
    409: "it says that it cosigned another tree of this size",
    422: "it says that this is not a continuation of what it cosigned before",
}


class WitnessError(Exception):
    """A witness did not do its part; says what it did instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; of a body longer than `MAX_ANSWER_BYTES`, only that there is too much."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A cosignature that verifies, and its time in seconds since 1970."""

    line: SignatureLine
    time_s: int


@dataclass(frozen=True, slots=True)
class Expected:
    """The witness last cosigned `size`, and wants a proof from there."""

    size: int


def add_checkpoint(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Return the body of a request to cosign `note`, with the consistency proof from the size `old`."""
    lines = [f"old {old}", *(encode_base64(node) for node in proof), ""]
    return "\n".join(lines).encode() + b"\n" + note


def head_path(origin: str) -> str:
    """Return where a witness shows its latest checkpoint of a log."""
    return f"{sha256(origin.encode()).hexdigest()}/checkpoint"


def read_cosigned(answer: Answer, text: bytes, key: VerifierKey, now_s: float) -> Cosigned | Expected:
    """Read the answer to `add_checkpoint`.

    Args:
        answer: what the witness said.
        text: the checkpoint that it was asked to cosign.
        key: the witness's; lines of other keys are ignored.
        now_s: seconds since 1970 by this machine's clock.

    Raises:
        WitnessError: it refuses, or what it gives is not its cosignature of `text` as of now.
    """
    if answer.status == CONFLICT and answer.content_type == SIZE_TYPE:
        return Expected(_size(answer.body))
    if answer.status != OK:
        raise WitnessError(_REFUSALS.get(answer.status, f"it answers with HTTP status {answer.status}"))
    try:
        note = Note.parse(text + b"\n" + answer.body)
        if note.text != text:
            raise WitnessError("its answer is more than cosignature lines")
        found = [(line, key.verify(text, line.signature)) for line in note.signatures if _is_by(line, key)]
    except ValueError as error:
        raise WitnessError(f"its answer is refused: {error}") from error
    if not found:
        raise WitnessError(f"its answer holds no cosignature by {key.name}: it has another key than the policy says")
    line, time_s = max(found, key=lambda each: each[1] or 0)
    if time_s is None or abs(time_s - now_s) > MAX_SKEW_S:
        raise WitnessError(f"its clock is {abs((time_s or 0) - now_s):.0f} s away from this machine's, or this one's is wrong")
    return Cosigned(line, time_s)


def read_head(answer: Answer, origin: str, known: LogPolicy, key: VerifierKey) -> Checkpoint | None:
    """Read the answer to a request for the witness's latest checkpoint; None if it never cosigned one.

    Raises:
        WitnessError: what it gives is not the log's checkpoint with its own cosignature.
    """
    if answer.status == NOT_FOUND:
        return None
    if answer.status != OK:
        raise WitnessError(f"asked for its latest checkpoint, it answers with HTTP status {answer.status}")
    try:
        verified = known.verify_checkpoint(answer.body, origin)
        verify_note(verified.note, [key])
    except ValueError as error:
        raise WitnessError(f"the checkpoint that it shows is refused: {error}") from error
    return verified.checkpoint


def with_cosignatures(note: Note, lines: Sequence[SignatureLine]) -> Note:
    """Return the note with cosignatures after what it was signed with."""
    return Note(note.text, (*note.signatures, *lines))


def _is_by(line: SignatureLine, key: VerifierKey) -> bool:
    return (line.name, line.key_id) == (key.name, key.key_id)


def _size(body: bytes) -> int:
    try:
        return parse_decimal(body.decode("ascii").removesuffix("\n"), MAX_SIZE)
    except ValueError as error:
        raise WitnessError("it answers 409 without the size that it last cosigned") from error
