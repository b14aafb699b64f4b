"""Every check of C2SP tlog-witness, with its status, one dialogue each."""

import pytest

from tallystick.merkle.notes import Note, SignatureLine, open_note
from tallystick.witness.decision import CLOCK_TOLERANCE_S, Accepted, Head, Refused, Submission, admit, decide
from tallystick.witness.request import AddCheckpoint

from .logs import NOW_S, Log, consistency, root, witness_key

LOG = Log()
KEY = witness_key()
LOGS = {LOG.origin: (LOG.key,)}
TEXT = LOG.text(5)


def body(
    old: int, size: int, history: str = "true", *, proof: tuple[bytes, ...] | None = None, checkpoint: bytes | None = None
) -> bytes:
    """Return a request with some of it changed."""
    sound = AddCheckpoint.parse(LOG.request(old, size, history))
    return AddCheckpoint(old, sound.proof if proof is None else proof, checkpoint or sound.checkpoint).encode()


def head(size: int, history: str = "true", time_s: int = NOW_S) -> Head:
    """Return what the witness remembers after it has cosigned a checkpoint."""
    submission = admit(LOG.request(0, size, history), LOGS, KEY.verifier)
    assert isinstance(submission, Submission)
    return KEY.cosign(Accepted(submission, time_s))[0]


def answer(request: bytes, stored: Head | None = None, now_s: int = NOW_S) -> Accepted | Refused:
    """Ask a witness that knows one log."""
    submission = admit(request, LOGS, KEY.verifier)
    return submission if isinstance(submission, Refused) else decide(submission, stored, now_s)


def note(*lines: SignatureLine, text: bytes = TEXT) -> bytes:
    """Return a request for a first checkpoint with these signatures."""
    return AddCheckpoint(0, (), Note(text, lines).encode()).encode()


GOOD = LOG.sign(TEXT)
BAD = SignatureLine(GOOD.name, GOOD.key_id, bytes(64))
STRANGER = Log(seed="stranger").sign(TEXT)
OTHERS = Log("other.example/log").sign(TEXT)

COSIGNED: dict[str, tuple[bytes, Head | None]] = {
    "a first checkpoint, on trust": (body(0, 5), None),
    "a first checkpoint of an empty log": (body(0, 0), None),
    "an empty log again": (body(0, 0), head(0)),
    "a log that was empty": (body(0, 5), head(0)),
    "a log that has grown": (body(5, 8), head(5)),
    "by one": (body(5, 6), head(5)),
    "the same checkpoint again": (body(5, 5), head(5)),
    "keys that nobody here knows have signed too": (note(STRANGER, GOOD, OTHERS), None),
    "one signature a hundred times": (note(*[GOOD] * 100), None),
    "a bad cosignature of ours is no known log's": (
        note(GOOD, SignatureLine(KEY.verifier.name, KEY.verifier.key_id, bytes(72))),
        None,
    ),
}

REFUSED: dict[str, tuple[int, bytes, Head | None]] = {
    "nothing": (400, b"", None),
    "no request": (400, b"old one\n\n" + LOG.checkpoint(5), None),
    "no note": (400, b"old 0\n\n" + TEXT, None),
    "a note that is not UTF-8": (400, b"old 0\n\n\xff" + LOG.checkpoint(5), None),
    "a note that is no checkpoint": (400, note(LOG.sign(b"hello\n"), text=b"hello\n"), None),
    "a size with a leading zero": (400, note(GOOD, text=TEXT.replace(b"\n5\n", b"\n05\n")), None),
    "more signatures than anybody needs": (400, body(0, 5) + GOOD.encode().encode() * 100, None),
    "another log": (404, Log("other.example/log").request(0, 5), None),
    "another log, badly signed": (404, note(OTHERS, text=Log("third.example/log").text(5)), None),
    "unsigned by the log": (403, note(STRANGER), None),
    "badly signed": (403, note(BAD), None),
    "badly signed beside a good signature": (403, note(GOOD, BAD), None),
    "signed for another text": (403, note(LOG.sign(LOG.text(6))), None),
    "badly signed and nonsense": (403, body(9, 5, checkpoint=Note(TEXT, (BAD,)).encode()), None),
    "an old size larger than the checkpoint's": (400, body(6, 5), head(6)),
    "an old size where nothing is on record": (409, body(3, 5), None),
    "an old size of 0 where something is on record": (409, body(0, 5), head(3)),
    "an older size than is on record": (409, body(3, 8), head(5)),
    "a newer size than is on record": (409, body(6, 8), head(5)),
    "an older checkpoint than is on record": (409, body(3, 3), head(5)),
    "a wrong old size and a wrong proof": (409, body(3, 8, "false"), head(5)),
    "an empty tree of another root": (
        422,
        note(LOG.sign(text := LOG.text(0).replace(b"47DE", b"57DE")), text=text),
        None,
    ),
    "an empty tree of another root after an empty tree": (
        422,
        note(LOG.sign(text), text=text),
        head(0),
    ),
    "a proof from nothing": (422, body(0, 5, proof=(root("true", 0, 1),)), None),
    "a proof from an empty tree": (422, body(0, 5, proof=(root("true", 0, 1),)), head(0)),
    "a proof from an empty tree to itself": (422, body(0, 0, proof=(root("true", 0, 1),)), head(0)),
    "no proof": (422, body(5, 8, proof=()), head(5)),
    "a proof cut short": (422, body(5, 8, proof=consistency("true", 5, 8)[:-1]), head(5)),
    "a proof with more": (422, body(5, 8, proof=(*consistency("true", 5, 8), bytes(32))), head(5)),
    "a proof from another size": (422, body(5, 8, proof=consistency("true", 4, 8)), head(5)),
    "another history": (422, body(5, 8, "false"), head(5)),
    "another history, no larger": (422, body(5, 5, "false"), head(5)),
    "a proof where nothing has grown": (422, body(5, 5, proof=(bytes(32),)), head(5)),
}


@pytest.mark.parametrize("name", COSIGNED)
def test_what_extends_the_last_is_cosigned(name: str) -> None:
    """The answer carries a cosignature of the whole text that verifies, with the time of the clock."""
    request, stored = COSIGNED[name]
    accepted = answer(request, stored, NOW_S + 7)
    assert isinstance(accepted, Accepted), accepted
    kept, line = KEY.cosign(accepted)
    given = Note.parse(AddCheckpoint.parse(request).checkpoint)
    cosigned = Note(given.text, (SignatureLine.parse(line.rstrip("\n")),))
    assert KEY.verifier.verify(given.text, cosigned.signatures[0].signature) == NOW_S + 7
    _, signers = open_note(kept.note, [LOG.key, KEY.verifier])
    assert signers == [LOG.key, KEY.verifier]
    assert len(Note.parse(kept.note).signatures) == 2  # strangers' lines are not kept
    assert (kept.origin, kept.time_s) == (LOG.origin, NOW_S + 7)


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_is_refused(name: str) -> None:
    """Each refusal has its status; a 409 says the size on record, and nothing else; all others say why, in a line."""
    status, request, stored = REFUSED[name]
    refused = answer(request, stored)
    assert isinstance(refused, Refused)
    assert refused.status == status
    if status == 409:
        assert (refused.text, refused.media_type) == (f"{stored.size if stored else 0}\n", "text/x.tlog.size")
    else:
        assert refused.text.endswith("\n")
        assert len(refused.text.splitlines()) == 1
        assert refused.media_type.startswith("text/plain")


def test_two_trees_of_one_size_are_told_from_a_bad_proof() -> None:
    """Only the first is evidence against the log, of two signed trees; the second anybody can send."""
    shown = {name: answer(request, stored) for name, (_, request, stored) in REFUSED.items()}
    forks = {name for name, refused in shown.items() if isinstance(refused, Refused) and refused.forked}
    assert forks == {"another history, no larger", "an empty tree of another root after an empty tree"}


def test_extension_lines_are_cosigned() -> None:
    """The whole text is, whatever the log adds to it."""
    log = Log(extensions=("anchored at noon", "twice"))
    accepted = answer(log.request(0, 5))
    assert isinstance(accepted, Accepted)
    kept, _ = KEY.cosign(accepted)
    assert Note.parse(kept.note).text.endswith(b"=\nanchored at noon\ntwice\n")
    assert len(open_note(kept.note, [KEY.verifier])[1]) == 1


def test_a_log_may_change_its_key() -> None:
    """Any one of its keys is enough, and a bad signature of any of them condemns."""
    old, new = Log(), Log(seed="new key")
    logs = {LOG.origin: (old.key, new.key)}
    for lines in ((old.sign(TEXT),), (new.sign(TEXT),), (old.sign(TEXT), new.sign(TEXT))):
        assert isinstance(admit(note(*lines), logs, KEY.verifier), Submission)
    bad = SignatureLine(new.key.name, new.key.key_id, bytes(64))
    refused = admit(note(old.sign(TEXT), bad), logs, KEY.verifier)
    assert isinstance(refused, Refused)
    assert refused.status == 403


@pytest.mark.parametrize(
    ("step_s", "time_s"), [(0, 0), (1, 1), (3600, 3600), (-1, 0), (-CLOCK_TOLERANCE_S, 0), (-CLOCK_TOLERANCE_S - 1, None)]
)
def test_time_never_goes_back(step_s: int, time_s: int | None) -> None:
    """Small steps back repeat the last time; larger ones are refused until the clock has come up."""
    accepted = answer(body(5, 8), head(5), NOW_S + step_s)
    if time_s is None:
        assert isinstance(accepted, Refused)
        assert accepted.status == 503
    else:
        assert isinstance(accepted, Accepted)
        assert accepted.time_s == NOW_S + time_s


@pytest.mark.parametrize("now_s", [0, -1, 1])
def test_time_is_never_zero(now_s: int) -> None:
    """A clock that stands at the beginning of time is not believed."""
    assert isinstance(answer(body(0, 5), None, now_s), Accepted if now_s == 1 else Refused)


@pytest.mark.parametrize("stored", [None, head(5), head(8, time_s=NOW_S - 1)])
@pytest.mark.parametrize("old", [0, 5, 8])
def test_a_state_that_was_lost_is_noticed(stored: Head | None, old: int) -> None:
    """Our own cosignature, newer than all that we remember for this log: nothing may be cosigned from such a state."""
    own = head(8, time_s=NOW_S + 1)
    refused = answer(AddCheckpoint(old, consistency("true", old, 8), own.note).encode(), stored, NOW_S + 2)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.forgotten) == (500, True)


def test_our_own_cosignature_does_no_harm() -> None:
    """A log that sends the note with the cosignature that we gave it is answered as ever."""
    own = head(8)
    assert isinstance(answer(AddCheckpoint(8, (), own.note).encode(), own), Accepted)


def test_a_forged_cosignature_of_ours_means_nothing() -> None:
    """Only one that verifies does."""
    forged = SignatureLine(KEY.verifier.name, KEY.verifier.key_id, (2**62).to_bytes(8, "big") + bytes(64))
    assert isinstance(answer(note(GOOD, forged)), Accepted)
