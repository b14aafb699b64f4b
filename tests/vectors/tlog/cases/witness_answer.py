"""What witnesses answer to add-checkpoint, and what a log makes of it."""

from collections.abc import Callable
from typing import Any

from ..case import MUST, STRICT, Case, accept, agree, reject, undecided
from ..documents import Repeat, to_bytes, to_document
from ..reference.note import COSIGNATURE, Key, check, line, read_note, read_vkey
from .log import LOG, WITNESSES
from .policy import TEXT, TIME

SPEC = "https://c2sp.org/tlog-witness"

W1, W2 = WITNESSES[:2]
PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"
GOOD = W1.line(TEXT, TIME)


def opinion(status: int, content_type: str, body: bytes) -> tuple[str, int] | None:
    """Say what an answer is, naively: a cosignature with its time, the size on record, or nothing of use."""
    if status == 409 and content_type == SIZE:
        digits = body.removesuffix(b"\n")
        plain = digits.isdigit() and (digits == b"0" or not digits.startswith(b"0"))
        return ("size", int(digits)) if plain and int(digits) < 2**63 else None
    note = read_note(TEXT + b"\n" + body) if status == 200 else None
    key = read_vkey(W1.vkey)
    if note is None or key is None or note[0] != TEXT:
        return None
    times = [check(key[2], key[3], TEXT, blob[4:]) for name, blob in note[1] if (name, blob[:4]) == (key[0], key[1])]
    known = [time_s for time_s in times if time_s is not None]
    return ("time", max(known)) if known and len(known) == len(times) else None


def _case(
    make: Callable[..., Case], name: str, why: str, body: bytes | Repeat, status: int = 200, kind: str = PLAIN, **fields: Any
) -> Case:
    case = make(name, why, **fields, status=status, content_type=kind, body=to_document(body))
    found = opinion(status, kind, to_bytes(case["body"]))
    agree(case, found)
    if case["verdict"] == "accept" and found:
        case[found[0]] = str(found[1])
    return case


def cases() -> list[Case]:
    """Return the cases; the log asked the first witness for a cosignature of one checkpoint."""
    pq, text_type = line(W1.name, b"\6\6\6\6" + bytes(2428)), Key(W1.name, seed=W1.name)
    bad = line(W1.name, W1.blob(TEXT, TIME)[:-1] + b"\0")
    other = TEXT.replace(b"257", b"258")
    sound = [
        ("one line", "a cosignature of the witness's key", GOOD),
        ("another witness's line beside", "lines of unknown keys are ignored", W2.line(TEXT, TIME) + GOOD),
        ("an ML-DSA line beside", "lines of unknown keys are ignored", pq + GOOD),
        ("the log's own line beside", "lines of unknown keys are ignored", LOG.line(TEXT) + GOOD),
        ("two times", "both verify: the later one says more", GOOD + W1.line(TEXT, TIME + 1)),
    ]
    every = [_case(accept, name, why, body) for name, why, body in sound]
    every.append(_case(accept, "409 with a size", "where to prove from", b"257\n", 409, SIZE))
    every.append(_case(accept, "409 with size 0", "it never cosigned this log", b"0\n", 409, SIZE))
    broken: list[tuple[str, str, bytes | Repeat]] = [
        ("nothing", "one line or more", b""),
        ("an empty line", "one line or more", b"\n"),
        ("no newline at the end", "each line ends in one", GOOD[:-1]),
        ("carriage returns", "U+000D is a control character", GOOD.replace(b"\n", b"\r\n")),
        ("an empty line before", "signature lines alone", b"\n" + GOOD),
        ("a text before", "signature lines alone", b"another text\n\n" + GOOD),
        ("the whole checkpoint", "signature lines alone", TEXT + b"\n" + GOOD),
        ("a page", "signature lines alone", b"<html>502</html>\n"),
        ("only another witness's line", "the key asked for has not cosigned", W2.line(TEXT, TIME)),
        ("only an ML-DSA line", "the key asked for has not cosigned", pq),
        ("a plain signature of its key", "type 01 is another key", text_type.line(TEXT)),
        ("a cosignature of another checkpoint", "it does not verify", W1.line(other, TIME)),
        ("a bad signature", "it does not verify", bad),
        ("a bad signature beside a good one", "a known key's bad signature condemns", bad + GOOD),
        (
            "a cosignature without a time",
            "it does not verify",
            line(W1.name, W1.blob(TEXT, TIME)[:4] + W1.blob(TEXT, TIME)[12:]),
        ),
        ("time 0", "a witness's cosignature has a time", W1.line(TEXT, 0)),
        ("something unreadable", "signature lines are UTF-8", b"\xff" + GOOD),
        ("a megabyte and more", "more than any witness has to say", Repeat(W2.line(TEXT, TIME), 10_000)),
    ]
    strict = {"a bad signature beside a good one", "time 0"}
    every += [_case(reject, name, why, body, strength=STRICT if name in strict else MUST) for name, why, body in broken]
    refused = [
        (400, "Bad Request"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (422, "Unprocessable"),
        (500, "Error"),
        (503, "Busy"),
    ]
    every += [_case(reject, f"{status}", "no cosignature", f"{text}\n".encode(), status) for status, text in refused]
    every.append(_case(reject, "500 with a good line", "no cosignature without 200", GOOD, 500))
    every.append(
        _case(reject, "409 without its type", "an older witness's answer to another root at this size", b"257\n", 409, PLAIN)
    )
    sizes = [
        b"",
        b"\n",
        b"-1\n",
        b"+1\n",
        b"01\n",
        b" 1\n",
        b"1 \n",
        b"0x1\n",
        b"1.0\n",
        b"257\n257\n",
        b"257\r\n",
        "٢\n".encode(),
        b"9" * 100,
    ]
    why = "a decimal, and a newline"
    every += [_case(reject, f"409 with {size!r:.20}", why, size, 409, SIZE) for size in sizes]
    every.append(
        _case(undecided, "409 with a size and no newline", "the newline is asked for, but says nothing", b"257", 409, SIZE)
    )
    return every


def asked() -> dict[str, Any]:
    """Return what all cases share."""
    assert W1.kind == COSIGNATURE
    return {"text": TEXT.decode(), "key": W1.vkey, "now": str(TIME)}
