"""Checkpoints: the text of a note, without signatures."""

import base64
from hashlib import sha256

from ..case import STRICT, Case, accept, agree, reject, undecided
from ..documents import Repeat, to_bytes, to_document
from ..reference.note import checkpoint, read_checkpoint

SPEC = "https://c2sp.org/tlog-checkpoint"

ROOT = sha256(b"a root").digest()
ORIGIN = "example.com/behind-the-sofa"
ENCODED = base64.b64encode(ROOT).decode()


def _sound() -> list[Case]:
    sizes = [1, 9, 10, 255, 256, 257, 65_535, 65_536, 65_537, 20_852_163, 2**31, 2**32, 2**53 + 1, 2**62, 2**63 - 1]
    origins = [
        ("with capitals", "Example.COM/Log"),
        ("with a port", "example.com:8443/log"),
        ("with a trailing slash", "example.com/log/"),
        ("with a scheme", "https://example.com/log"),
        ("with spaces and no dot", "go.sum database tree"),
        ("with a plus", "example.com/a+b"),
        ("with surrounding spaces", " example.com/log "),
        ("of one space", " "),
        ("in other scripts", "пример.рф/日志"),
        ("like a number", "7"),
        ("like base64", ENCODED),
        ("like a signature line", "— example.com/log AAAAAAA="),
        ("with DEL", "a\x7fb"),
    ]
    extensions = [
        ("one extension line", ("timestamp 1679315147",)),
        ("three extension lines", ("a", "b", "a")),
        ("an extension line of one space", (" ",)),
        ("extension lines like a checkpoint", (ORIGIN, "5", ENCODED)),
        ("an extension line in other scripts", ("расширение",)),
    ]
    cases = [
        accept(
            "the specification's example",
            "as published",
            text=checkpoint(ORIGIN, 20852163, base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")).decode(),
        )
    ]
    cases.append(
        accept("empty tree", "size 0, and the root of no leaves", text=checkpoint(ORIGIN, 0, sha256(b"").digest()).decode())
    )
    cases += [
        accept(f"size {size:,}", "decimal, no leading zeros", text=checkpoint(ORIGIN, size, ROOT).decode()) for size in sizes
    ]
    cases += [
        accept(
            f"origin {label}",
            "an origin is any line that is not empty; clients must not assume a form",
            text=checkpoint(origin, 5, ROOT).decode(),
        )
        for label, origin in origins
    ]
    cases += [
        accept(label, "extension lines are opaque", text=checkpoint(ORIGIN, 5, ROOT, *lines).decode())
        for label, lines in extensions
    ]
    cases.append(accept("root of zeros", "any 32 bytes", text=checkpoint(ORIGIN, 5, bytes(32)).decode()))
    return cases


def _broken() -> list[Case]:
    def text(size: str = "5", root: str = ENCODED, origin: str = ORIGIN, rest: str = "") -> str:
        return f"{origin}\n{size}\n{root}\n{rest}"

    numbers = [
        ("leading zero", "05"),
        ("leading zeros", "000"),
        ("plus sign", "+5"),
        ("minus sign", "-5"),
        ("minus zero", "-0"),
        ("space before", " 5"),
        ("space after", "5 "),
        ("no digits", ""),
        ("hexadecimal", "0x5"),
        ("exponent", "5e0"),
        ("fraction", "5.0"),
        ("underscore", "5_0"),
        ("comma", "5,000"),
        ("Arabic-Indic digit", "٥"),
        ("fullwidth digit", "５"),
        ("superscript digit", "⁵"),
        ("2^64", str(2**64)),
        ("a hundred digits", "9" * 100),
    ]
    roots = [
        ("31 bytes", base64.b64encode(ROOT[:31]).decode()),
        ("33 bytes", base64.b64encode(ROOT + b"\x00").decode()),
        ("no bytes", ""),
        ("64 bytes", base64.b64encode(ROOT * 2).decode()),
        ("hexadecimal", ROOT.hex()),
        ("unpadded", ENCODED.rstrip("=")),
        ("too much padding", ENCODED + "="),
        ("for URLs", base64.urlsafe_b64encode(b"\xff" * 32).decode()),
        ("with a space", ENCODED[:20] + " " + ENCODED[20:]),
        ("space before", " " + ENCODED),
        ("space after", ENCODED + " "),
        ("another character", "!" + ENCODED[1:]),
    ]
    forms = [
        ("empty text", "three lines", ""),
        ("one line", "three lines", f"{ORIGIN}\n"),
        ("two lines", "three lines", f"{ORIGIN}\n5\n"),
        ("no final newline", "lines end in a newline", text()[:-1]),
        ("no final newline after an extension", "lines end in a newline", text(rest="a")),
        ("empty origin", "the origin is not empty", text(origin="")),
        ("empty line at the end", "extension lines are not empty", text(rest="\n")),
        ("empty extension line", "extension lines are not empty", text(rest="a\n\nb\n")),
        ("empty line before the size", "lines are not empty", f"{ORIGIN}\n\n5\n{ENCODED}\n"),
        ("size and root exchanged", "origin, size, root", f"{ORIGIN}\n{ENCODED}\n5\n"),
        ("carriage returns", "lines end in U+000A alone; notes hold no U+000D", text().replace("\n", "\r\n")),
        ("tab in the origin", "notes hold no control characters", text(origin="a\tb")),
        ("null in an extension line", "notes hold no control characters", text(rest="a\x00\n")),
        ("lines ended by U+2028", "lines end in U+000A", text().replace("\n", "\u2028")),
    ]
    cases = [
        reject(f"size: {label}", "ASCII decimal, no leading zeros, no more than a tree can have", text=text(size=value))
        for label, value in numbers
    ]
    cases += [reject(f"root: {label}", "standard base64 of 32 bytes", text=text(root=value)) for label, value in roots]
    cases += [reject(label, why, text=value) for label, why, value in forms]
    cases.append(reject("root: bits that no byte needs", "two spellings of one checkpoint", STRICT, text=text(root=_loose())))
    cases.append(
        reject("invalid UTF-8 in the origin", "notes are UTF-8", text=to_document(b"a\xff\n5\n" + ENCODED.encode() + b"\n"))
    )
    return cases


def _loose() -> str:
    """Return the root's base64 with the two bits set that no byte needs."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return ENCODED[:-2] + alphabet[alphabet.index(ENCODED[-2]) | 3] + "="


def _open() -> list[Case]:
    unsigned = "RFC 6962's sizes are unsigned 64 bits; many implementations count in signed ones"
    long = to_document(f"{ORIGIN}\n5\n{ENCODED}\n".encode(), Repeat(b"an extension line\n", 100_000))
    return [
        undecided("size 2^63", unsigned, text=checkpoint(ORIGIN, 2**63, ROOT).decode()),
        undecided("size 2^64 - 1", unsigned, text=checkpoint(ORIGIN, 2**64 - 1, ROOT).decode()),
        undecided(
            "empty tree with another root",
            "a verifier must not trust it, but may say so later than here: see policy.json and witness.json",
            text=checkpoint(ORIGIN, 0, ROOT).decode(),
        ),
        undecided("1.8 MB of extension lines", "a limit should be set somewhere", text=long),
    ]


def cases() -> list[Case]:
    """Return the cases, checked against the naive reference, with what a sound checkpoint says."""
    every = _sound() + _broken() + _open()
    for case in every:
        head = read_checkpoint(to_bytes(case["text"]))
        agree(case, head)
        if case["verdict"] == "accept" and head is not None:
            case |= {"origin": head[0], "size": str(head[1]), "root": head[2].hex(), "extensions": head[3]}
    return every
