"""Signed notes: what they may hold, how their lines are written, and which signatures count."""

import base64
from collections.abc import Callable
from typing import Any

from ..case import SHOULD, STRICT, Case, accept, agree, reject, undecided
from ..documents import Repeat, to_bytes, to_document
from ..reference.ed25519 import L
from ..reference.note import COSIGNATURE, SPACES, Key, line, open_note
from . import published

SPEC = "https://c2sp.org/signed-note"

LOG, OTHER = Key("example.com/log"), Key("example.com/other")
WITNESS = Key("witness.example/w1", COSIGNATURE)
TEXT = b"A text of\ntwo lines\n"
GOOD = LOG.line(TEXT)
BLOB = LOG.blob(TEXT)


def _named(name: str) -> bytes:
    """Return a line that is good but for the name: the key id and signature are of a key with that name."""
    return Key(name, seed="a name").line(TEXT)


def _base64(text: str) -> bytes:
    return f"— {LOG.name} {text}\n".encode()


def _case(
    make: Callable[..., Case], name: str, why: str, *parts: bytes | Repeat, keys: tuple[Key | str, ...] = (LOG,), **fields: Any
) -> Case:
    vkeys = [key if isinstance(key, str) else key.vkey for key in keys]
    document = to_document(*parts)
    case = make(name, why, **fields, keys=vkeys, note=document)
    signers = open_note(to_bytes(document), vkeys)
    agree(case, signers)
    if case["verdict"] == "accept" and signers is not None:
        data = to_bytes(document)
        case["text_length"] = data.rindex(b"\n\n") + 1
        case["signers"] = [{"key": vkey} if time_s is None else {"key": vkey, "time": time_s} for vkey, time_s in signers]
    return case


def _sound() -> list[Case]:
    crowd = tuple(Key(f"example.com/key{i}") for i in range(16))
    nested = TEXT + b"\n" + GOOD  # a text that holds a whole note
    unusual = [
        ("text with DEL", "U+007F is not below U+0020", b"a\x7fb\n"),
        ("text with C1 control", "U+0085 is a control, but not an ASCII one", "a\u0085b\n".encode()),
        ("text with line separator", "only U+000A ends a line", "a\u2028b\n".encode()),
        ("text with byte order mark", "U+FEFF is a character like others; it is signed", "\ufeffa\n".encode()),
        ("text with astral character", "any UTF-8 is good", "\U0001f9fe\n".encode()),
        ("text of one newline", "a text ends in a newline; it need not hold more", b"\n"),
        ("text with empty lines", "the last empty line separates", b"a\n\nb\n"),
        ("text that ends in an empty line", "of three newlines in a row the first two belong to the text", b"a\n\n"),
        ("text that begins with an empty line", "a text may hold empty lines anywhere", b"\na\n"),
        ("text like a signature line", "what stands before the last empty line is text, whatever it looks like", GOOD),
        ("text that is a note", "the inner note's signature is text", nested),
    ]
    cases = [_case(accept, "one signature", "the plain case", TEXT, b"\n", GOOD)]
    cases += [_case(accept, name, why, text, b"\n", LOG.line(text)) for name, why, text in unusual]
    cases += [
        _case(accept, "two known keys", "each known key is verified", TEXT, b"\n", GOOD, OTHER.line(TEXT), keys=(LOG, OTHER)),
        _case(
            accept,
            "sixteen known keys",
            "at least 16 signatures must be accepted",
            TEXT,
            b"\n",
            *[key.line(TEXT) for key in crowd],
            keys=crowd,
        ),
        _case(
            accept,
            "the one known key last of sixteen",
            "unknown keys are ignored, wherever they stand",
            TEXT,
            b"\n",
            *[key.line(TEXT) for key in crowd[:15]],
            GOOD,
        ),
        _case(
            accept,
            "post-quantum sizes",
            "16 signatures, 15 of them of 4,900 bytes",
            TEXT,
            b"\n",
            *[line(f"example.com/pq{i}", bytes([i] * 4) + bytes(4900)) for i in range(15)],
            GOOD,
        ),
        _case(
            accept,
            "log signature and cosignature",
            "a cosignature of a known key carries its time",
            TEXT,
            b"\n",
            GOOD,
            WITNESS.line(TEXT, 1_679_315_147),
            keys=(LOG, WITNESS),
        ),
        _case(
            accept,
            "two cosignatures of one key",
            "both verify; their times differ",
            TEXT,
            b"\n",
            WITNESS.line(TEXT, 5),
            WITNESS.line(TEXT, 7),
            keys=(WITNESS,),
        ),
        _case(accept, "the same line twice", "nothing forbids a repetition", TEXT, b"\n", GOOD, GOOD),
        _case(
            accept,
            "unknown key with a bad signature",
            "what an unknown key signed cannot be told, so it is ignored",
            TEXT,
            b"\n",
            line("example.com/else", b"\x01\x02\x03\x04" + bytes(64)),
            GOOD,
        ),
        _case(
            accept,
            "known name, unknown key id",
            "name and id together name a key",
            TEXT,
            b"\n",
            line(LOG.name, b"\x00\x00\x00\x00" + BLOB[4:]),
            GOOD,
        ),
        _case(
            accept,
            "known key id, unknown name",
            "name and id together name a key",
            TEXT,
            b"\n",
            line("example.com/else", BLOB),
            GOOD,
        ),
        _case(
            accept,
            "unknown signature types",
            "ECDSA (02), RFC 6962 (05), ML-DSA (06) and private (ff) types have key ids of their own: lines of unknown keys",
            TEXT,
            b"\n",
            *[line(LOG.name, bytes([kind] * 4) + bytes(n)) for kind, n in ((2, 71), (5, 83), (6, 2428), (255, 1))],
            GOOD,
        ),
        _case(
            accept,
            "signature of one byte",
            "4+n bytes are enough for an unknown key",
            TEXT,
            b"\n",
            line("x", b"idid\x00"),
            GOOD,
        ),
        _case(
            accept,
            "name with slashes, dots, colons, digits and capitals",
            "names hold anything but spaces and plus",
            TEXT,
            b"\n",
            _named("Example.COM:8443/a//b/~1_"),
            keys=(Key("Example.COM:8443/a//b/~1_", seed="a name"),),
        ),
        _case(
            accept,
            "name in other scripts",
            "names are UTF-8",
            TEXT,
            b"\n",
            _named("пример.рф/日志"),
            keys=(Key("пример.рф/日志", seed="a name"),),
        ),
        _case(
            accept,
            "name with a zero width space",
            "U+200B is not a Unicode space (White_Space)",
            TEXT,
            b"\n",
            _named("a\u200bb"),
            keys=(Key("a\u200bb", seed="a name"),),
        ),
        _case(
            accept,
            "name with a dash",
            "an em dash inside a name is no separator",
            TEXT,
            b"\n",
            _named("a—b"),
            keys=(Key("a—b", seed="a name"),),
        ),
    ]
    return cases


def _published() -> list[Case]:
    keys = published.KEYS
    signers = (keys[published.CT_LOG], *published.WITNESSES.values())
    notes: list[tuple[str, str, bytes, tuple[str, ...]]] = [
        (
            "Go's checksum database",
            "a tree head as served; the key's name is not the origin",
            published.SUMDB_NOTE,
            (keys["sum.golang.org"],),
        ),
        ("Sigsum", "from C2SP's issue 99", published.SIGSUM_NOTE, (keys[published.SIGSUM],)),
        ("Rekor v2, staging", "from sigstore-conformance", published.REKOR_NOTE, (keys[published.REKOR],)),
        ("a CT log, staging: the log", "beside a TreeHeadSignature (05) of the same name", published.CT_NOTE, signers[:1]),
        ("a CT log, staging: the log and its witnesses", "four witnesses of the public network", published.CT_NOTE, signers),
    ]
    altered = published.CT_NOTE.replace(b"1432088532", b"1432088533", 1)
    cases = [_case(accept, name, why, note, keys=who) for name, why, note, who in notes]
    return [
        *cases,
        _case(reject, "a CT log, staging: another size", "the signatures are over another text", altered, keys=signers),
    ]


def _malformed() -> list[Case]:
    head = TEXT + b"\n"
    forms = [
        ("empty file", "no text, no signature", b""),
        ("no separator", "no empty line", TEXT + GOOD),
        ("no text", "a text ends in a newline: the empty one does not", b"\n" + GOOD),
        ("no signatures", "one or more signature lines", head),
        ("text alone", "one or more signature lines", TEXT),
        ("no final newline", "each signature line ends in a newline", head + GOOD[:-1]),
        ("two newlines at the end", "the last empty line separates: nothing would follow it", head + GOOD + b"\n"),
        (
            "empty line between signatures",
            "the last empty line separates: the first line would be text that was not signed",
            head + GOOD + b"\n" + OTHER.line(TEXT),
        ),
        ("carriage returns", "U+000D is a control character", (head + GOOD).replace(b"\n", b"\r\n")),
        ("carriage return in the text", "U+000D is a control character", b"a\r\n\n" + LOG.line(b"a\r\n")),
        ("tab in the text", "U+0009 is a control character", b"a\tb\n\n" + LOG.line(b"a\tb\n")),
        ("null in the text", "U+0000 is a control character", b"a\x00b\n\n" + LOG.line(b"a\x00b\n")),
        ("escape in the text", "U+001B is a control character", b"a\x1b[2Jb\n\n" + LOG.line(b"a\x1b[2Jb\n")),
        ("unit separator in the text", "U+001F is a control character", b"a\x1fb\n\n" + LOG.line(b"a\x1fb\n")),
        ("invalid UTF-8", "notes are UTF-8", b"a\xff\n\n" + LOG.line(b"a\xff\n")),
        ("Latin-1", "notes are UTF-8", b"\xe8\n\n" + LOG.line(b"\xe8\n")),
        ("overlong UTF-8", "C0 80 is no UTF-8", b"\xc0\x80\n\n" + LOG.line(b"\xc0\x80\n")),
        ("surrogate in UTF-8", "ED A0 80 is no UTF-8", b"\xed\xa0\x80\n\n" + LOG.line(b"\xed\xa0\x80\n")),
        ("beyond Unicode", "F4 90 80 80 is no UTF-8", b"\xf4\x90\x80\x80\n\n" + LOG.line(b"\xf4\x90\x80\x80\n")),
        ("UTF-8 cut short", "notes are UTF-8", b"a\xe2\x80\n\n" + LOG.line(b"a\xe2\x80\n")),
        ("UTF-16", "notes are UTF-8", (head + GOOD).decode().encode("utf-16")),
    ]
    cases = [_case(reject, name, why, data) for name, why, data in forms]
    double = b"\xfb\xff\xbe\xfb\xff"
    loose = [
        (
            "base64 with bits that no byte needs",
            "two spellings of one signature: RFC 4648 §3.5 lets a decoder refuse one, and this suite asks for it",
            line("x", double).replace(b"+/8=", b"+/9=") + GOOD,
        ),
        ("base64 with too much padding", "two spellings of one signature", line("x", double)[:-1] + b"====\n" + GOOD),
    ]
    return cases + [_case(reject, name, why, head, data, strength=STRICT) for name, why, data in loose]


def _malformed_lines() -> list[Case]:
    """Give lines that are none, alone and beside a good one: a note with something else among its signatures is no note."""
    head, forms = TEXT + b"\n", "dash, space, name, space, base64"
    lines = [
        ("a word", "not a signature line", b"end\n"),
        ("hyphen for em dash", "the line begins with U+2014", GOOD.replace("—".encode(), b"-", 1)),
        ("en dash for em dash", "the line begins with U+2014", GOOD.replace("—".encode(), "–".encode(), 1)),
        ("no dash", "the line begins with U+2014", GOOD.removeprefix("— ".encode())),
        ("no space after the dash", forms, GOOD.replace("— ".encode(), "—".encode(), 1)),
        ("space before the dash", forms, b" " + GOOD),
        ("two spaces after the dash", "the name would begin with a space", GOOD.replace("— ".encode(), "—  ".encode(), 1)),
        ("two spaces before the base64", "one space", GOOD.replace(b"/log ", b"/log  ")),
        ("space at the line's end", "nothing follows the base64", GOOD[:-1] + b" \n"),
        ("no-break space for space", "U+0020", "—\u00a0".encode() + GOOD[4:]),
        ("no name", "names are not empty", GOOD.replace(LOG.name.encode() + b" ", b"", 1)),
        ("empty name", "names are not empty", GOOD.replace(LOG.name.encode(), b"", 1)),
        ("no base64", "4+n bytes", f"— {LOG.name} \n".encode()),
        ("no space and no base64", "4+n bytes", f"— {LOG.name}\n".encode()),
        ("key id alone", "4+n bytes, and no signature is empty", line(LOG.name, BLOB[:4])),
        ("a stranger's key id alone", "4+n bytes, and no signature is empty", line("x", b"idid")),
        ("three bytes", "4+n bytes", line(LOG.name, BLOB[:3])),
        ("base64 for URLs", "plus and slash", line("x", b"\xfb\xff\xbe\xfb\xff").replace(b"+", b"-").replace(b"/", b"_")),
        ("base64 without padding", "the standard encoding is padded", _base64(base64.b64encode(BLOB).decode().rstrip("="))),
        ("base64 cut short", "not base64", GOOD[:-2] + b"\n"),
        ("base64 with something else", "not base64", GOOD[:-9] + b"." + GOOD[-8:]),
        ("tab for a space", "U+0009 is a control character", GOOD.replace(b"/log ", b"/log\t")),
        ("plus in a name", "names hold no plus", _named("a+b")),
        ("invalid UTF-8 in a name", "notes are UTF-8", b"\xe2\x80\x94 a\xff " + GOOD.split(b" ")[2]),
    ]
    lines += [(f"U+{ord(space):04X} in a name", "names hold no Unicode spaces", _named(f"a{space}b")) for space in SPACES]
    beside = [(f"{name}, beside a good line", why, head + text + OTHER.line(TEXT)) for name, why, text in lines]
    alone = [(name, why, head + text) for name, why, text in lines]
    return [_case(reject, name, why, data, keys=(LOG, OTHER)) for name, why, data in alone + beside]


def _signatures() -> list[Case]:
    head = TEXT + b"\n"
    s = int.from_bytes(BLOB[36:], "little")
    bad = [
        ("text altered", "the signature is over another text", TEXT.replace(b"two", b"ten") + b"\n" + GOOD),
        ("newline added to the text", "the text is signed to the byte", TEXT + b"\n\n" + GOOD),
        ("newline taken from the text", "the text is signed to the byte", TEXT[:-1] + b"\n\n" + LOG.line(TEXT[:-1])),
        ("key id of another type", "the line names no known key", head + line(LOG.name, Key(LOG.name, COSIGNATURE).blob(TEXT))),
        ("only unknown keys", "at least one known key has to verify", head + OTHER.line(TEXT)),
        (
            "known name, another key",
            "the id differs: an unknown key, so nobody known has signed",
            head + Key(LOG.name, seed="x").line(TEXT),
        ),
        ("signature one bit off in R", "does not verify", head + line(LOG.name, BLOB[:4] + bytes([BLOB[4] ^ 1]) + BLOB[5:])),
        ("signature one bit off in S", "does not verify", head + line(LOG.name, BLOB[:36] + bytes([BLOB[36] ^ 1]) + BLOB[37:])),
        (
            "signature with S + L",
            "RFC 8032 §5.1.7: S is less than L, or signatures could be altered by anybody",
            head + line(LOG.name, BLOB[:36] + (s + L).to_bytes(32, "little")),
        ),
        ("signature too short", "an Ed25519 signature has 64 bytes", head + line(LOG.name, BLOB[:-1])),
        ("signature too long", "an Ed25519 signature has 64 bytes", head + line(LOG.name, BLOB + b"\x00")),
        (
            "cosignature's form under a plain key",
            "an Ed25519 signature has 64 bytes",
            head + line(LOG.name, BLOB[:4] + bytes(8) + BLOB[4:]),
        ),
    ]
    cases = [_case(reject, name, why, data) for name, why, data in bad]
    wrong = line(LOG.name, BLOB[:4] + bytes(64))
    condemned = [
        ("bad signature beside another known key's good one", head + wrong + OTHER.line(TEXT), (LOG, OTHER)),
        ("bad signature after another known key's good one", head + OTHER.line(TEXT) + wrong, (LOG, OTHER)),
        ("bad signature before the same key's good one", head + wrong + GOOD, (LOG,)),
        ("bad signature after the same key's good one", head + GOOD + wrong, (LOG,)),
        (
            "bad cosignature beside the log's good signature",
            head + GOOD + line(WITNESS.name, WITNESS.blob(TEXT)[:-1] + b"\x00"),
            (LOG, WITNESS),
        ),
    ]
    why = "a known key's signature that does not verify condemns the note"
    return cases + [_case(reject, name, why, data, keys=keys, strength=SHOULD) for name, data, keys in condemned]


def _open() -> list[Case]:
    crowd = [line(f"example.com/key{i}", b"abcd\x00") for i in range(17)]
    long_name = "n" * 300
    return [
        _case(undecided, "seventeen signatures", "more than 16 may be refused", TEXT, b"\n", *crowd[:16], GOOD),
        _case(undecided, "a thousand signatures", "a limit should be set somewhere", TEXT, b"\n", Repeat(crowd[0], 999), GOOD),
        _case(
            undecided,
            "a text of a million bytes",
            "a limit should be set somewhere",
            Repeat(b"a" * 99 + b"\n", 10_000),
            b"\n",
            LOG.line((b"a" * 99 + b"\n") * 10_000),
        ),
        _case(
            undecided,
            "a name of 300 bytes",
            "names have no stated limit",
            TEXT,
            b"\n",
            _named(long_name),
            keys=(Key(long_name, seed="a name"),),
        ),
        _case(reject, "no known keys", "at least one known key has to verify", TEXT, b"\n", GOOD, keys=()),
    ]


def cases() -> list[Case]:
    """Return the cases, checked against the naive reference."""
    return _sound() + _published() + _malformed() + _malformed_lines() + _signatures() + _open()
