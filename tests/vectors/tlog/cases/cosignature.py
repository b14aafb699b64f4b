"""Cosignatures, version 1: what is signed, and what stands in the signature line."""

from hashlib import sha256

from ..case import STRICT, Case, accept, agree, reject, undecided
from ..reference.ed25519 import L, sign
from ..reference.note import COSIGNATURE, Key, checkpoint, key_id, line, open_note

SPEC = "https://c2sp.org/tlog-cosignature"

WITNESS, OTHER = Key("witness.example/w1", COSIGNATURE), Key("witness.example/w2", COSIGNATURE)
TEXT = checkpoint("example.com/behind-the-sofa", 20852163, sha256(b"a root").digest())
EXTENDED = checkpoint("example.com/behind-the-sofa", 20852163, sha256(b"a root").digest(), "an extension line", "another")
TIME = 1_679_315_147


def _blob(message: bytes, time: bytes = TIME.to_bytes(8, "big")) -> bytes:
    """Return a line's blob with this time field and a signature over just this message."""
    return key_id(WITNESS.name, COSIGNATURE, WITNESS.public) + time + sign(WITNESS.secret, message)


def _message(time: bytes = b"1679315147", text: bytes = TEXT) -> bytes:
    return b"cosignature/v1\ntime " + time + b"\n" + text


def _sound() -> list[Case]:
    times = [("now", TIME), ("1", 1), ("2^31", 2**31), ("2^32", 2**32), ("2^63 - 1", 2**63 - 1)]
    cases = [
        accept(f"time {label}", "a POSIX time, 8 bytes big-endian", text=TEXT, line=WITNESS.line(TEXT, t)) for label, t in times
    ]
    return [
        *cases,
        accept("extension lines", "the whole text is signed", text=EXTENDED, line=WITNESS.line(EXTENDED, TIME)),
        accept(
            "empty tree",
            "any checkpoint can be cosigned",
            text=(text := checkpoint("example.com/log", 0, sha256(b"").digest())),
            line=WITNESS.line(text, TIME),
        ),
        accept(
            "a text that is no checkpoint",
            "the signature is over a note's text; whether that is a checkpoint is asked elsewhere",
            text=b"any text\n",
            line=WITNESS.line(b"any text\n", TIME),
        ),
    ]


def _broken() -> list[Case]:
    good = WITNESS.blob(TEXT, TIME)
    s = int.from_bytes(good[44:], "little")
    plain = Key(WITNESS.name, seed=WITNESS.name)
    messages = [
        ("no header", b"time 1679315147\n" + TEXT),
        ("no time line", b"cosignature/v1\n" + TEXT),
        ("the text alone", TEXT),
        ("header of version 2", _message().replace(b"v1", b"v2")),
        ("header with a capital", _message().replace(b"c", b"C", 1)),
        ("header with a space behind", _message().replace(b"v1", b"v1 ")),
        ("header twice", b"cosignature/v1\n" + _message()),
        ("header and time exchanged", b"time 1679315147\ncosignature/v1\n" + TEXT),
        ("carriage returns in the header", _message().replace(b"v1\n", b"v1\r\n")),
        ("another time in the message", _message(b"1679315148")),
        ("leading zero in the message", _message(b"01679315147")),
        ("two spaces before the time", _message(b" 1679315147")),
        ("space after the time", _message(b"1679315147 ")),
        ("milliseconds in the message", _message(b"1679315147000")),
        ("Time for time", _message().replace(b"time", b"Time")),
        ("an empty line before the text", _message(text=b"\n" + TEXT)),
        ("text without its last newline", _message(text=TEXT[:-1])),
        ("text with the note's empty line", _message(text=TEXT + b"\n")),
        ("another text", _message(text=TEXT.replace(b"20852163", b"20852164"))),
        ("text with the log's signature", _message(text=TEXT + b"\n" + Key("example.com/behind-the-sofa").line(TEXT))),
    ]
    cases = [
        reject(
            f"signed: {name}",
            "signed are the header line, the time line and the text",
            text=TEXT,
            line=line(WITNESS.name, _blob(message)),
        )
        for name, message in messages
    ]
    blobs = [
        ("extension lines left out", "the whole text is signed", EXTENDED, _blob(_message(text=TEXT))),
        ("extension lines signed but not there", "the whole text is signed", TEXT, _blob(_message(text=EXTENDED))),
        ("time altered", "the time is signed", TEXT, good[:11] + bytes([good[11] ^ 1]) + good[12:]),
        ("time little-endian", "the time is big-endian", TEXT, _blob(_message(), TIME.to_bytes(8, "little"))),
        ("time of 4 bytes", "the time has 8 bytes", TEXT, _blob(_message(), TIME.to_bytes(4, "big"))),
        ("time of 2^63", "a time does not exceed 2^63 - 1", TEXT, _blob(_message(b"%d" % 2**63), (2**63).to_bytes(8, "big"))),
        ("time of 2^64 - 1", "a time does not exceed 2^63 - 1", TEXT, _blob(_message(b"%d" % (2**64 - 1)), b"\xff" * 8)),
        ("time of -1", "a time is unsigned", TEXT, _blob(_message(b"-1"), b"\xff" * 8)),
        ("no time", "a time and a signature", TEXT, good[:4] + good[12:]),
        ("no signature", "a time and a signature", TEXT, good[:12]),
        ("signature before the time", "a time and a signature", TEXT, good[:4] + good[12:] + good[4:12]),
        ("a byte too few", "64 bytes of signature", TEXT, good[:-1]),
        ("a byte too many", "64 bytes of signature", TEXT, good + b"\0"),
        ("one bit off", "does not verify", TEXT, good[:-20] + bytes([good[-20] ^ 1]) + good[-19:]),
        ("S + L", "RFC 8032: S is less than L", TEXT, good[:44] + (s + L).to_bytes(32, "little")),
        ("another witness's signature", "does not verify", TEXT, good[:4] + OTHER.blob(TEXT, TIME)[4:]),
        ("a plain note signature of the same key", "no domain separation", TEXT, good[:12] + plain.blob(TEXT)[4:]),
    ]
    cases += [reject(name, why, text=text, line=line(WITNESS.name, blob)) for name, why, text, blob in blobs]
    cases.append(
        reject(
            "time 0",
            "0 is how a cosigner says that it tells no time; an Ed25519 cosignature always does",
            STRICT,
            text=TEXT,
            line=WITNESS.line(TEXT, 0),
        )
    )
    nobody = [
        ("key id of the plain type", line(WITNESS.name, key_id(WITNESS.name, 1, WITNESS.public) + good[4:])),
        ("another name", line(OTHER.name, good)),
        ("another witness", OTHER.line(TEXT, TIME)),
        ("ML-DSA-44 (06)", line(WITNESS.name, key_id(WITNESS.name, 6, bytes(1312)) + TIME.to_bytes(8, "big") + bytes(2420))),
    ]
    return cases + [
        reject(name, "a line of an unknown key, so nobody known has cosigned", text=TEXT, line=row) for name, row in nobody
    ]


def cases() -> list[Case]:
    """Return the cases, checked against the naive reference; the note to open is text, empty line, line."""
    every = _sound() + _broken()
    every.append(
        undecided(
            "time in the far future",
            "verifiers may refuse times to come; one without a clock cannot",
            text=TEXT,
            line=WITNESS.line(TEXT, 2**40),
        )
    )
    for case in every:
        signers = open_note(case["text"] + b"\n" + case["line"], [WITNESS.vkey])
        agree(case, signers)
        case |= {"key": WITNESS.vkey, "text": case["text"].decode(), "line": case["line"].decode()}
        if case["verdict"] == "accept" and signers:
            case["time"] = str(signers[0][1])
    return every
