"""Log policies: what is read and refused, and which checkpoints are accepted."""

from collections.abc import Sequence

import pytest

from tallystick.merkle.checkpoints import Checkpoint, CheckpointError
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import EMPTY_ROOT, leaf_hash
from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, NoteError, SignatureError, SignatureLine, VerifierKey
from tallystick.merkle.policy import LogPolicy, PolicyError, QuorumError

from .signers import Signer, signed

ORIGIN = "example.com/log"
LOG = Signer(ORIGIN)
OTHER = Signer("example.com/other")
X1, X2, X3, Y1, Y2, Y3 = WITNESSES = [
    Signer(f"witness.example/{name}", COSIGNATURE_V1) for name in ("x1", "x2", "x3", "y1", "y2", "y3")
]
TEXT = Checkpoint(ORIGIN, 5, leaf_hash(b"root")).encode()

# The example of the specification.
EXAMPLE = f"""log {LOG.key}

witness X1 {X1.key}
witness X2 {X2.key}
witness X3 {X3.key}
group X-witnesses 2 X1 X2 X3

witness Y1 {Y1.key}
witness Y2 {Y2.key}
witness Y3 {Y3.key}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def _policy(*lines: str) -> LogPolicy:
    return LogPolicy.parse("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("cosigners", "enough"),
    [
        ([], False),
        ([X1, X2, X3], False),
        ([Y1, Y2, Y3], False),
        ([X1, Y1], False),
        ([X1, X1, Y1], False),
        ([X1, X2, Y1], True),
        ([Y3, X3, X1], True),
        (WITNESSES, True),
    ],
)
def test_example(cosigners: Sequence[Signer], enough: bool) -> None:
    """The specification's two-level quorum: two of the X and one of the Y, each counted once."""
    policy = LogPolicy.parse(EXAMPLE.encode())
    note = signed(TEXT, LOG, *cosigners)
    if enough:
        assert len(policy.verify_checkpoint(note, ORIGIN).cosigned) == len(cosigners)
    else:
        with pytest.raises(QuorumError, match="X-and-Y"):
            policy.verify_checkpoint(note, ORIGIN)


def test_fields() -> None:
    """Logs, witnesses, their addresses and the quorum are told apart; blanks and comments mean nothing."""
    policy = _policy(
        "# comment",
        "   \t # another",
        "",
        " \t log\t  " + str(LOG.key) + "  https://log.example/ \t",
        f"log {OTHER.key}",
        f"witness clock {X1.key} https://witness.example/",
        f"witness second {X2.key}",
        "quorum none",
    )
    assert policy.logs == ((LOG.key, "https://log.example/"), (OTHER.key, None))
    assert policy.witnesses == {"clock": X1.key, "second": X2.key}
    assert policy.witness_urls == {"clock": "https://witness.example/"}
    assert policy.quorum is None


def test_quorum_none_still_tells_who_cosigned() -> None:
    """Without a quorum no cosignature is needed, and those there are reported, with the latest time of each witness."""
    policy = _policy(f"log {LOG.key}", f"witness clock {X1.key}", "quorum none")
    note = Note(TEXT, (X1.sign(TEXT, 30), LOG.sign(TEXT), X1.sign(TEXT, 40), X1.sign(TEXT, 20), X2.sign(TEXT)))
    verified = policy.verify_checkpoint(note.encode(), ORIGIN)
    assert verified.cosigned == {"clock": 40}
    assert verified.checkpoint == Checkpoint.parse(TEXT)
    assert verified.note == note
    assert policy.verify_checkpoint(signed(TEXT, LOG), ORIGIN).cosigned == {}


def test_quorum_of_one_witness() -> None:
    """A quorum can name a single witness, and no other will do."""
    policy = _policy(f"log {LOG.key}", f"witness a {X1.key}", f"witness b {X2.key}", "quorum b")
    assert policy.verify_checkpoint(signed(TEXT, LOG, X2), ORIGIN).cosigned.keys() == {"b"}
    with pytest.raises(QuorumError):
        policy.verify_checkpoint(signed(TEXT, LOG, X1), ORIGIN)


def test_quorum_by_names() -> None:
    """Names that are not witnesses do not count, be they groups."""
    policy = LogPolicy.parse(EXAMPLE.encode())
    assert policy.has_quorum(["X1", "X2", "Y1"])
    assert not policy.has_quorum(["X-and-Y"])
    assert not policy.has_quorum(["X-witnesses", "Y-witnesses"])
    assert not policy.has_quorum(["X1", "X1", "Y1", "Z"])


@pytest.mark.parametrize(
    ("times", "quorum_time_s"),
    [
        ({"X1": 50, "X2": 40, "Y1": 60}, 40),
        ({"X1": 50, "X2": 40, "X3": 45, "Y1": 60}, 45),
        ({"X1": 50, "X2": 40, "X3": 45, "Y1": 42, "Y2": 43, "Y3": 1}, 43),
        ({"X1": 50, "X2": 40, "X3": 45}, None),
        ({"X1": 50, "Y1": 60}, None),
        ({"X1": 50, "X2": 40, "Y1": 60, "Z": 99}, 40),
    ],
)
def test_the_quorums_time(times: dict[str, int], quorum_time_s: int | None) -> None:
    """The quorum's time is the latest at or after which enough witnesses cosigned; one late word makes nothing fresher."""
    policy = LogPolicy.parse(EXAMPLE.encode())
    assert policy.quorum_time_s(times) == quorum_time_s
    signers = dict(zip(("X1", "X2", "X3", "Y1", "Y2", "Y3"), WITNESSES, strict=True))
    lines = [signers[name].sign(TEXT, time_s) for name, time_s in times.items() if name in signers]
    note = Note(TEXT, (LOG.sign(TEXT), *lines)).encode()
    if quorum_time_s is not None:
        assert policy.verify_checkpoint(note, ORIGIN).quorum_time_s == quorum_time_s


def test_quorum_none_tells_no_time() -> None:
    """Where nobody has to cosign, nobody's time is the quorum's."""
    policy = _policy(f"log {LOG.key}", f"witness clock {X1.key}", "quorum none")
    assert policy.verify_checkpoint(signed(TEXT, LOG, X1), ORIGIN).quorum_time_s is None


def _sized(size: int, root: bytes) -> bytes:
    return Checkpoint(ORIGIN, size, root).encode()


NOT_ACCEPTED: dict[str, tuple[bytes, type[MerkleError]]] = {
    "no note": (TEXT, NoteError),
    "signed by nobody known": (signed(TEXT, Signer("example.com/stranger")), NoteError),
    "signed by the witness alone": (signed(TEXT, X1), CheckpointError),
    "signed by another known log": (signed(TEXT, OTHER, X1), CheckpointError),
    "of another known log": (signed(TEXT.replace(b"/log", b"/other"), OTHER, X1), CheckpointError),
    "of another log, signed by this one": (signed(TEXT.replace(b"/log", b"/other"), LOG, X1), CheckpointError),
    "no checkpoint": (signed(b"text\n", LOG, X1), CheckpointError),
    "an empty tree with a root": (signed(_sized(0, leaf_hash(b"")), LOG, X1), CheckpointError),
    "a leading zero": (signed(TEXT.replace(b"\n5\n", b"\n05\n"), LOG, X1), CheckpointError),
    "a bad cosignature beside all that is needed": (
        Note(TEXT, (LOG.sign(TEXT), X1.sign(TEXT), X2.sign(TEXT + b"more\n"))).encode(),
        SignatureError,
    ),
    "the log's signature over another text": (Note(TEXT, (LOG.sign(TEXT + b"x\n"), X1.sign(TEXT))).encode(), SignatureError),
    "a cosignature over another text": (Note(TEXT, (LOG.sign(TEXT), X1.sign(TEXT + b"x\n"))).encode(), SignatureError),
    "without quorum": (signed(TEXT, LOG, X2), QuorumError),
}


@pytest.mark.parametrize(("note", "error"), NOT_ACCEPTED.values(), ids=NOT_ACCEPTED)
def test_not_accepted(note: bytes, error: type[MerkleError]) -> None:
    """A checkpoint is accepted only as this log's own, whole, well formed and cosigned."""
    policy = _policy(f"log {LOG.key}", f"log {OTHER.key}", f"witness a {X1.key}", f"witness b {X2.key}", "quorum a")
    assert policy.verify_checkpoint(signed(TEXT, LOG, X1), ORIGIN).checkpoint.size == 5
    with pytest.raises(error):
        policy.verify_checkpoint(note, ORIGIN)


def test_an_empty_log() -> None:
    """The checkpoint of an empty log is accepted with the empty tree's root."""
    policy = _policy(f"log {LOG.key}", "quorum none")
    assert policy.verify_checkpoint(signed(_sized(0, EMPTY_ROOT), LOG), ORIGIN).checkpoint.size == 0


def test_extension_lines_are_accepted() -> None:
    """Extension lines are another log's right: the checkpoint is accepted, and they are part of what is signed."""
    policy = _policy(f"log {LOG.key}", f"witness a {X1.key}", "quorum a")
    text = TEXT + b"extension\n"
    assert policy.verify_checkpoint(signed(text, LOG, X1), ORIGIN).checkpoint.extensions == ("extension",)


def test_a_log_with_two_keys() -> None:
    """Two keys of one origin are alternatives, as when a key is replaced; a bad signature of either condemns."""
    rotated = VerifierKey.make(ORIGIN, ED25519, OTHER.key.public_key)
    policy = _policy(f"log {rotated}", f"log {LOG.key}", "quorum none")
    assert policy.verify_checkpoint(signed(TEXT, LOG), ORIGIN).checkpoint.origin == ORIGIN
    forged = Note(TEXT, (LOG.sign(TEXT), SignatureLine(ORIGIN, rotated.key_id, bytes(64))))
    with pytest.raises(SignatureError):
        policy.verify_checkpoint(forged.encode(), ORIGIN)


def test_a_witness_is_not_the_log() -> None:
    """A witness whose key has the log's name cosigns like any other, and does not sign for the log."""
    namesake = Signer(ORIGIN, COSIGNATURE_V1)
    policy = _policy(f"log {OTHER.key}", f"witness a {namesake.key}", "quorum a")
    with pytest.raises(CheckpointError, match="not signed by"):
        policy.verify_checkpoint(signed(TEXT, namesake), ORIGIN)


def test_names_are_octets() -> None:
    """Names that differ in a byte are different, UTF-8 or not, and errors about them can be printed."""
    policy = _policy(
        f"log {LOG.key}", f"witness K {X1.key}", f"witness \u212a {X2.key}", f"witness \udcff {X3.key}", "quorum \udcff"
    )
    assert len(policy.witnesses) == 3
    assert policy.has_quorum(["\udcff"])
    assert not policy.has_quorum(["K", "\u212a"])
    with pytest.raises(QuorumError) as refused:
        policy.verify_checkpoint(signed(TEXT, LOG, X1), ORIGIN)
    assert "\\xff" in str(refused.value)
    with pytest.raises(PolicyError) as unknown:
        _policy("quorum \udcfe")
    str(unknown.value).encode()


A, B, C = (f"witness {name} {signer.key}" for name, signer in zip("abc", (X1, X2, X3), strict=True))
SMALL_ORDER = "name+" + VerifierKey.make("name", 1, LOG.key.public_key).key_id.hex() + "+AQ" + "A" * 42

REFUSED = {
    "empty": ([], "exactly one quorum"),
    "no quorum": ([f"log {LOG.key}", A], "exactly one quorum"),
    "two quorums": ([A, "quorum a", "quorum none"], "exactly one quorum"),
    "a quorum twice": (["quorum none", "quorum none"], "exactly one quorum"),
    "a quorum that is unknown": (["quorum a"], "line 1: a is not"),
    "a quorum defined later": (["quorum a", A], "line 1: a is not"),
    "a quorum without a name": (["quorum"], "line 1: write"),
    "a quorum with two names": ([A, B, "quorum a b"], "line 3: write"),
    "an unknown keyword": (["quorum none", "monitor x"], "line 2: a line begins with"),
    "a keyword in capitals": (["Quorum none"], "a line begins with"),
    "a comment after a line": (["quorum none # nobody"], "write: quorum"),
    "a log without a key": (["log", "quorum none"], "line 1: write: log"),
    "a log with too much": ([f"log {LOG.key} url more", "quorum none"], "write: log"),
    "a log key that is none": (["log key", "quorum none"], "name\\+hex\\+base64"),
    "a log key of small order": ([f"log {SMALL_ORDER}", "quorum none"], "small order"),
    "a log key of a witness's kind": ([f"log {X1.key}", "quorum none"], "kind 1"),
    "a log twice": ([f"log {LOG.key}", f"log {LOG.key}", "quorum none"], "line 2: two logs"),
    "a log's public key under another name": (
        [f"log {LOG.key}", f"log {VerifierKey.make('b', ED25519, LOG.key.public_key)}", "quorum none"],
        "line 2: two logs",
    ),
    "a witness without a key": (["witness a", "quorum none"], "write: witness"),
    "a witness without a name": ([f"witness {X1.key}", "quorum none"], "write: witness"),
    "a witness with too much": ([f"{A} url more", "quorum none"], "write: witness"),
    "a witness key of a log's kind": ([f"witness a {LOG.key}", "quorum none"], "kind 4"),
    "a witness called none": ([A.replace(" a ", " none "), "quorum none"], "none is taken"),
    "a witness's name twice": ([A, f"witness a {X2.key}", "quorum none"], "line 2: the name a is taken"),
    "a witness's public key twice": ([A, f"witness b {X1.key}", "quorum none"], "line 2: two witnesses"),
    "a witness's public key under another name": (
        [A, f"witness b {VerifierKey.make('b', COSIGNATURE_V1, X1.key.public_key)}", "quorum none"],
        "line 2: two witnesses",
    ),
    "a group without members": ([A, "group g any", "quorum none"], "write: group"),
    "a group called none": ([A, "group none any a", "quorum none"], "none is taken"),
    "a group called like a witness": ([A, B, "group a any b", "quorum none"], "line 3: the name a is taken"),
    "a group's name twice": ([A, B, "group g any a", "group g any b", "quorum g"], "line 4: the name g is taken"),
    "a group of itself": (["group g any g", "quorum none"], "g is not a witness"),
    "a group of what comes later": (["group g any a", A, "quorum g"], "line 1: a is not"),
    "a group of none": (["group g any none", "quorum none"], "none is not a witness"),
    "a member twice in a group": ([A, "group g 2 a a", "quorum g"], "a is a member twice"),
    "a member of two groups": ([A, B, "group g any a b", "group h any a", "quorum h"], "line 4: a is a member twice"),
    "threshold 0": ([A, "group g 0 a", "quorum g"], "threshold"),
    "a threshold beyond the members": ([A, B, "group g 3 a b", "quorum g"], "threshold"),
    "a threshold with a leading zero": ([A, "group g 01 a", "quorum g"], "threshold"),
    "a negative threshold": ([A, "group g -1 a", "quorum g"], "threshold"),
    "a threshold that is a word": ([A, "group g most a", "quorum g"], "threshold"),
    "a carriage return": (["quorum none\r"], "control characters"),
    "a form feed": (["quorum\x0cnone"], "control characters"),
    "a NUL in a comment": (["# \x00", "quorum none"], "line 1: control characters"),
    "a DEL": (["quorum none\x7f"], "control characters"),
    "no-break spaces": (["quorum\u00a0none"], "a line begins with"),
}


@pytest.mark.parametrize(("lines", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(lines: list[str], reason: str) -> None:
    """What is not a policy, or is not understood, is refused with the line and the reason."""
    with pytest.raises(PolicyError, match=reason):
        _policy(*lines)


def test_last_line_without_newline() -> None:
    """Every line ends in a newline, so that a file that was cut is noticed."""
    with pytest.raises(PolicyError, match="newline"):
        LogPolicy.parse(b"quorum none")


def test_far_too_long() -> None:
    """A policy larger than a quarter of a megabyte is refused unread."""
    with pytest.raises(PolicyError, match="more than"):
        LogPolicy.parse(b"quorum none\n" + b"#" * 300_000 + b"\n")


def test_thresholds() -> None:
    """A group of k, any or all, each just met and just missed; deep nesting is evaluated without recursion."""
    for word, needed in (("any", 1), ("1", 1), ("2", 2), ("3", 3), ("all", 3)):
        policy = _policy(A, B, C, f"group g {word} a b c", "quorum g")
        assert policy.has_quorum("abc"[:needed])
        assert not policy.has_quorum("abc"[: needed - 1])
    nested = [f"group g{i} all {'a' if i == 0 else f'g{i - 1}'}" for i in range(5000)]
    policy = _policy(A, *nested, "quorum g4999")
    assert policy.has_quorum("a")
    assert not policy.has_quorum("")


def test_as_many_as_are_recommended() -> None:
    """32 logs, 32 witnesses and 32 groups are accepted."""
    logs = [f"log {Signer(f'log{i}').key}" for i in range(32)]
    witnesses = [f"witness w{i} {Signer(f'w{i}', COSIGNATURE_V1).key}" for i in range(32)]
    groups = [f"group g{i} any w{i}" for i in range(31)] + ["group top all " + " ".join(f"g{i}" for i in range(31))]
    assert len(_policy(*logs, *witnesses, *groups, "quorum top").groups) == 32
