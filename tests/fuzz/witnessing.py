"""What a witness is asked and answers, and what whoever follows a log keeps as evidence."""

import json

from tallystick.cli.monitor_log.evidence import FORK, FORMAT, ROLLBACK, Evidence
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import encode_base64
from tallystick.merkle.forks import prefix_proof
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.receipts import parse_receipt
from tallystick.notary.witness_messages import (
    CONFLICT,
    NOT_FOUND,
    OK,
    SIZE_TYPE,
    Answer,
    Cosigned,
    WitnessError,
    read_cosigned,
    read_head,
)
from tallystick.witness.decision import Accepted, Head, Refused, Submission, admit, decide

from ..property.merkle import samples

_STATUSES = (OK, CONFLICT, NOT_FOUND, 422, 500)
_TYPES = ("text/plain", SIZE_TYPE)
_POLICY = LogPolicy.parse(samples.POLICY)
_LOGS = {samples.ORIGIN: (samples.KEY,)}
_STORED = Head(samples.ORIGIN, samples.OLD_SIZE, samples.OLD_ROOT, 1, b"")
_COSIGNATURE = Note.parse(samples.NOTE).signatures[1]


def _head(size: int, root: bytes) -> bytes:
    text = Checkpoint(samples.ORIGIN, size, root).encode()
    return Note(text, (SignatureLine.by(samples.KEY, samples.LOG.sign(text)),)).encode()


_OLD, _OTHER = _head(samples.OLD_SIZE, samples.OLD_ROOT), _head(samples.OLD_SIZE, bytes(32))
_SIGNED = {samples.OLD_SIZE: {samples.OLD_ROOT, bytes(32)}, samples.SIZE: {samples.ROOT}}


def _request() -> bytes:
    receipt = parse_receipt(samples.CONSISTENCY)
    lines = [f"old {samples.OLD_SIZE}", *map(encode_base64, receipt.path), "", ""]
    return "\n".join(lines).encode() + samples.NOTE


REQUESTS = [_request()]
ANSWERS = [
    bytes([_STATUSES.index(OK), 0]) + samples.NOTE.splitlines(keepends=True)[-1],
    bytes([_STATUSES.index(OK), 0]) + samples.NOTE,
    bytes([_STATUSES.index(CONFLICT), 1]) + b"7\n",
    bytes([_STATUSES.index(NOT_FOUND), 0]),
]
EVIDENCE = [
    Evidence(FORK, _OLD, _OTHER, None, "2026-01-01T00:00:00Z").encode(),
    Evidence(FORK, _OTHER, samples.NOTE, prefix_proof(samples.OLD_SIZE, samples.SIZE, samples.read_tile), "then").encode(),
    Evidence(ROLLBACK, samples.NOTE, _OLD, None, "").encode(),
    json.dumps({"format": FORMAT, "kind": FORK, "prefix": {"start": "", "path": []}}).encode(),
]


def request(data: bytes) -> None:
    """Ask a witness; it has an answer to everything, and accepts only the sample's checkpoint."""
    submission = admit(data, _LOGS, samples.WITNESS_KEY)
    if isinstance(submission, Submission):
        answer = decide(submission, _STORED, 2_000_000_000)
        if isinstance(answer, Accepted):
            assert answer.submission.text == samples.TEXT
        else:
            assert isinstance(answer, Refused)


def answer(data: bytes) -> None:
    """Read an answer (1 byte status, 1 byte content type, the body) as a notary would; only what was signed is taken."""
    status, kind = (data + bytes(2))[:2]
    given = Answer(_STATUSES[status % len(_STATUSES)], _TYPES[kind % len(_TYPES)], data[2:])
    try:
        found = read_cosigned(given, samples.TEXT, samples.WITNESS_KEY, samples.TIME_S)
        assert not isinstance(found, Cosigned) or (found.line, found.time_s) == (_COSIGNATURE, samples.TIME_S)
    except WitnessError:
        pass
    try:
        head = read_head(given, samples.ORIGIN, _POLICY, samples.WITNESS_KEY)
        assert head is None or head.encode() == samples.TEXT
    except WitnessError:
        pass


def evidence(data: bytes) -> None:
    """Judge evidence; it proves something only of two heads that the sample's log has signed."""
    try:
        found = Evidence.parse(data)
        found.verdict(_POLICY)
    except ValueError:
        return
    heads = [Checkpoint.parse(Note.parse(note).text) for note in (found.first, found.second)]
    assert all(head.root in _SIGNED[head.size] for head in heads)
    assert heads[0] != heads[1]
