"""Whatever is asked, in whatever order: one history is cosigned, it never shrinks, and its time never goes back."""

from collections.abc import Sequence
from typing import Literal

from hypothesis import example, given
from hypothesis import strategies as st

from tallystick.merkle.notes import Note, verify_note
from tallystick.witness.decision import CLOCK_TOLERANCE_S, Accepted, Head, Refused, Submission, admit, decide
from tallystick.witness.request import MAX_REQUEST_SIZE, AddCheckpoint, RequestError

from ...unit.witness.logs import NOW_S, Log, consistency, root, witness_key

LOG, KEY = Log(), witness_key()
LOGS = {LOG.origin: (LOG.key,)}
BASE = LOG.request(3, 11)

History = Literal["true", "false"]
Ask = tuple[int, int, History, History, int]
sizes = st.integers(0, 12)
asks = st.tuples(sizes, sizes, st.sampled_from(["true", "false"]), st.sampled_from(["true", "false"]), st.integers(-5, 5))


def _answer(body: bytes, stored: Head | None, now_s: int) -> Accepted | Refused:
    submission = admit(body, LOGS, KEY.verifier)
    return submission if isinstance(submission, Refused) else decide(submission, stored, now_s)


def _naive(stored: tuple[int, str] | None, ask: Ask) -> int:
    """Say what the specification's sentences ask for, by comparing whole histories instead of verifying proofs."""
    old, size, history, proof_of, _ = ask
    recorded = stored[0] if stored else 0
    if old > size:
        return 400
    if old != recorded:
        return 409
    if recorded == 0:
        return 200
    # A proof holds if it is of the history of both trees; where there is nothing to prove, of any.
    if root(stored[1] if stored else "", 0, recorded) != root(history, 0, recorded):
        return 422
    return 200 if old == size or consistency(proof_of, old, size) == consistency(history, old, size) else 422


@given(st.lists(asks, max_size=30))
@example([(0, 3, "true", "true", 0), (3, 3, "false", "true", 0), (3, 7, "false", "false", 0), (3, 7, "true", "true", 0)])
def test_a_dialogue(asked: Sequence[Ask]) -> None:
    """Any requests of a log with two histories, under a clock that jumps: answered as by the naive witness; never two trees."""
    stored: Head | None = None
    history: tuple[int, str] | None = None
    cosigned: dict[int, bytes] = {}
    clock_s, last_s = NOW_S, 0
    for ask in asked:
        old, size, claimed, proof_of, step_s = ask
        clock_s += step_s
        proof = consistency(proof_of, old, size) if old <= size else ()
        answer = _answer(AddCheckpoint(old, proof, LOG.checkpoint(size, claimed)).encode(), stored, clock_s)
        if isinstance(answer, Refused):
            too_early = clock_s < last_s - CLOCK_TOLERANCE_S
            assert answer.status == (503 if too_early and _naive(history, ask) == 200 else _naive(history, ask))
            continue
        assert _naive(history, ask) == 200
        head, _ = KEY.cosign(answer)
        assert cosigned.setdefault(head.size, head.root) == head.root or head.size == 0
        assert head.size >= (stored.size if stored else 0)
        assert head.time_s >= last_s
        # The first checkpoint with leaves is taken on trust, from then on the history is settled up to its size.
        stored, last_s, history = head, head.time_s, (head.size, claimed)
    for size, tree in cosigned.items():
        assert tree == root(history[1] if history else "", 0, size)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """Draw a good request with a few bytes changed, dropped, doubled or put in."""
    body = bytearray(BASE)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body) - 1))
        stop = min(len(body), at + draw(st.integers(0, 8)))
        body[at:stop] = draw(
            st.one_of(st.binary(max_size=8), st.just(bytes(body[at:stop]) * 2), st.sampled_from([b"\n", b"\n\n", b" "]))
        )
    return bytes(body)


@given(st.one_of(_mutated(), st.binary(max_size=400), st.binary(max_size=40).map(lambda tail: BASE + tail)))
def test_no_bytes_are_too_odd(body: bytes) -> None:
    """Any bytes have an answer, and what is cosigned is what the log has signed, to the byte."""
    stored = _head(3)
    answer = _answer(body, stored, NOW_S)
    if isinstance(answer, Accepted):
        assert verify_note(Note.parse(KEY.cosign(answer)[0].note), [LOG.key])
        assert answer.submission.text == LOG.text(11)
    else:
        assert answer.status in {400, 403, 404, 409, 422}


@given(st.one_of(_mutated(), st.binary(max_size=400)))
def test_a_request_has_one_spelling(body: bytes) -> None:
    """What parses is what `encode` writes."""
    try:
        parsed = AddCheckpoint.parse(body)
    except RequestError:
        return
    assert parsed.encode() == body
    assert len(body) <= MAX_REQUEST_SIZE


def _head(size: int) -> Head:
    submission = admit(LOG.request(0, size), LOGS, KEY.verifier)
    assert isinstance(submission, Submission)
    return KEY.cosign(Accepted(submission, NOW_S))[0]
