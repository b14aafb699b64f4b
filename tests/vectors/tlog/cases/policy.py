"""Log policies: the files, and what they make of checkpoints."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from ..case import SHOULD, STRICT, Case, accept, agree, reject, undecided
from ..documents import to_document
from ..reference.note import COSIGNATURE, ED25519, Key, checkpoint, line, vkey
from ..reference.policy import accepts, read_policy
from . import published
from .log import LOG, WITNESSES, tree

SPEC = "https://c2sp.org/tlog-policy"

W1, W2, W3, W4 = WITNESSES
ROTATED, OTHER = Key(LOG.name, seed="the log's next key"), Key("example.com/other")
A_LOG = f"log {LOG.vkey}\n"
THREE = "".join(f"witness w{i} {key.vkey}\n" for i, key in enumerate(WITNESSES[:3], start=1))
TWO_OF_THREE = f"{A_LOG}{THREE}group g 2 w1 w2 w3\nquorum g\n"
TEXT = checkpoint(LOG.name, 257, tree().root(257))
TIME = 1_700_000_000


def _file(make: Callable[..., Case], name: str, why: str, *parts: str | bytes, strength: str | None = None) -> Case:
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    case = make(name, why, **({"strength": strength} if strength else {}), policy=to_document(data))
    agree(case, read_policy(data))
    return case


def _sound_files() -> list[Case]:
    w1, w2, w3 = (key.vkey for key in WITNESSES[:3])
    crowd = [Key(f"witness.example/crowd{i}", COSIGNATURE) for i in range(32)]
    many_logs = "".join(f"log {Key(f'example.com/log{i}').vkey}\n" for i in range(32))
    many_witnesses = "".join(f"witness c{i} {key.vkey}\n" for i, key in enumerate(crowd))
    many_groups = "group g0 any c0\n" + "".join(f"group g{i} all g{i - 1} c{i}\n" for i in range(1, 32))
    files: list[tuple[str, str, list[str | bytes]]] = [
        ("quorum alone", "only the quorum is mandatory", ["quorum none\n"]),
        ("one log", "no witnesses are needed", [A_LOG, "quorum none\n"]),
        ("one witness", "a quorum may be a witness", [A_LOG, f"witness w1 {w1}\nquorum w1\n"]),
        ("two of three", "a numeric threshold", [TWO_OF_THREE]),
        ("any", "a threshold of 1", [THREE, "group g any w1 w2 w3\nquorum g\n"]),
        ("all", "a threshold of all", [THREE, "group g all w1 w2 w3\nquorum g\n"]),
        ("three of three", "1 <= k <= n", [THREE, "group g 3 w1 w2 w3\nquorum g\n"]),
        ("a group of one", "n >= 1", [THREE, "group g 1 w1\nquorum g\n"]),
        (
            "groups of groups",
            "a member is a witness or a group",
            [THREE, f"witness w4 {W4.vkey}\n", "group x 2 w1 w2\ngroup y any w3 w4\ngroup z all x y\nquorum z\n"],
        ),
        ("a group that nobody uses", "a group need not lead to the quorum", [THREE, "group g any w1 w2\nquorum w3\n"]),
        ("witnesses that nobody uses", "known, but not asked for", [THREE, "quorum none\n"]),
        ("a member that is the quorum too", "the quorum is no group", [THREE, "group g any w1 w2\nquorum w1\n"]),
        ("URLs", "optional", [f"log {LOG.vkey} https://log.example/\nwitness w1 {w1} https://w1.example/prefix\nquorum w1\n"]),
        ("a URL that is none", "its meaning is the application's", [f"log {LOG.vkey} x\nquorum none\n"]),
        ("international URL", "no punycode is needed", [f"log {LOG.vkey} https://пример.рф/\nquorum none\n"]),
        (
            "tabs and spaces",
            "whitespace is any run of spaces and tabs",
            [f" \t log\t {LOG.vkey} \t\n\twitness  w1\t\t{w1}  \nquorum \t w1 \n"],
        ),
        ("empty lines", "ignored", ["\n \n\t\n", A_LOG, "\n\nquorum none\n\n"]),
        (
            "comments",
            "lines whose first word begins with #",
            ["# a comment\n #another\n\t# third\n#\n", A_LOG, "quorum none\n"],
        ),
        ("a comment that is not UTF-8", "octets above 7F are opaque", [b"# \xff\xfe\n", "quorum none\n"]),
        ("a comment in other scripts", "octets above 7F are opaque", ["# журнал\n", "quorum none\n"]),
        ("# inside a line", "a comment is a whole line: this is a name", [f"witness #1 {w1}\nquorum #1\n"]),
        (
            "names like keywords",
            "a name is any word",
            [
                f"witness log {w1}\nwitness quorum {w2}\nwitness group {w3}\n",
                "group witness 2 log quorum group\nquorum witness\n",
            ],
        ),
        (
            "names like thresholds",
            "a name is any word",
            [f"witness any {w1}\nwitness all {w2}\nwitness 2 {w3}\n", "group 3 2 any all 2\nquorum 3\n"],
        ),
        ("names that are key names", "any key name is a name", [f"witness {W1.name} {w1}\nquorum {W1.name}\n"]),
        ("names that differ in case", "names are octets", [f"witness a {w1}\nwitness A {w2}\ngroup g all a A\nquorum g\n"]),
        (
            "names that look alike",
            "K and the Kelvin sign are different octets",
            [f"witness K {w1}\nwitness \u212a {w2}\ngroup g all K \u212a\nquorum g\n"],
        ),
        (
            "names that are not UTF-8",
            "names are octets",
            [b"witness \xff " + w1.encode() + b"\nwitness \xfe " + w2.encode() + b"\n", b"group g all \xff \xfe\nquorum g\n"],
        ),
        ("None for none", "names are octets: only none is special", [f"witness None {w1}\nquorum None\n"]),
        ("no-break space in a name", "whitespace is ASCII only", [f"witness a\u00a0b {w1}\nquorum a\u00a0b\n"]),
        ("quorum before logs and unused witnesses", "logs and witnesses stand in any order", ["quorum none\n", A_LOG, THREE]),
        ("a log after the groups", "any order", [THREE, "group g any w1 w2\n", A_LOG, "quorum g\n"]),
        ("two logs of different origins", "all are accepted", [A_LOG, f"log {OTHER.vkey}\nquorum none\n"]),
        ("two keys of one origin", "as when a key is replaced", [A_LOG, f"log {ROTATED.vkey}\nquorum none\n"]),
        (
            "one public key as log and as witness",
            "keys are compared among logs, and among witnesses",
            [A_LOG, f"witness w {Key('w', COSIGNATURE, seed=LOG.name).vkey}\nquorum w\n"],
        ),
        (
            "32 logs, 32 witnesses, 32 groups",
            "implementations should go that far",
            [many_logs, many_witnesses, many_groups, "quorum g31\n"],
        ),
    ]
    return [_file(accept, name, why, *parts) for name, why, parts in files]


def _broken_files() -> list[Case]:
    w1, w2 = W1.vkey, W2.vkey
    end = "quorum none\n"
    twin = Key("witness.example/twin", COSIGNATURE, seed=W1.name)
    files: list[tuple[str, str, list[str | bytes]]] = [
        ("empty", "exactly one quorum", [""]),
        ("no quorum", "exactly one quorum", [A_LOG, THREE]),
        ("quorum twice", "exactly one quorum", [end, end]),
        ("two quorums", "exactly one quorum", [THREE, "quorum w1\nquorum w2\n"]),
        ("quorum without a name", "one name", ["quorum\n"]),
        ("quorum of two names", "one name", [THREE, "quorum w1 w2\n"]),
        ("quorum unknown", "defined before", [THREE, "quorum w4\n"]),
        ("quorum defined later", "defined before", ["quorum w1\n", THREE]),
        ("quorum of a number", "a name", [THREE, "quorum 2\n"]),
        ("quorum any", "a name", [THREE, "quorum any\n"]),
        ("quorum None", "none is written small", ["quorum None\n"]),
        ("unknown keyword", "log, witness, group, quorum", ["logs\n", end]),
        ("keyword with a capital", "log, witness, group, quorum", [f"Log {LOG.vkey}\n", end]),
        ("keyword after a byte order mark", "log, witness, group, quorum", ["\ufeff", A_LOG, end]),
        ("comment after a line", "a comment is a line of its own", [f"log {LOG.vkey} https://log.example # comment\n", end]),
        ("log without a key", "a key", ["log\n", end]),
        ("log with three words", "key and URL", [f"log {LOG.vkey} a b\n", end]),
        ("log with a broken key", "a verifier key", [f"log {LOG.vkey[:-1]}\n", end]),
        ("log with a name and a key", "a key and a URL", [f"log mine {LOG.vkey}\n", end]),
        (
            "log key of small order",
            "see ed25519.json",
            [f"log {vkey('example.com/log', ED25519, (1).to_bytes(32, 'little'))}\n", end],
        ),
        ("log twice", "equal public keys", [A_LOG, A_LOG, end]),
        (
            "one key under two names",
            "equal public keys, though names and key ids differ",
            [A_LOG, f"log {Key('example.com/alias', seed=LOG.name).vkey}\n", end],
        ),
        ("witness without a key", "name and key", ["witness w1\n", end]),
        ("witness without a name", "name and key", [f"witness {w1}\n", end]),
        ("witness with four words", "name, key, URL", [f"witness w1 {w1} a b\n", end]),
        ("witness with a log's key", "type 04 is what cosigns", [f"witness w1 {Key(W1.name).vkey}\n", end]),
        ("witness with a broken key", "a verifier key", [f"witness w1 {w1[:-1]}\n", end]),
        (
            "witness key of small order",
            "see ed25519.json",
            [f"witness w {vkey('w', COSIGNATURE, (1).to_bytes(32, 'little'))}\n", end],
        ),
        ("witness twice", "one name, one witness", [f"witness w1 {w1}\nwitness w1 {w1}\n", end]),
        ("two witnesses of one name", "one name, one witness", [f"witness w1 {w1}\nwitness w1 {w2}\n", end]),
        ("one witness key under two names", "equal public keys", [f"witness w1 {w1}\nwitness w2 {w1}\n", end]),
        (
            "one public key under two key names",
            "equal public keys, though names and key ids differ",
            [f"witness w1 {w1}\nwitness w2 {twin.vkey}\n", end],
        ),
        ("witness named none", "none is predefined", [f"witness none {w1}\n", end]),
        ("group named none", "none is predefined", [THREE, "group none any w1\n", end]),
        ("group named as a witness", "one namespace", [THREE, "group w1 any w2\n", end]),
        ("witness named as a group", "one namespace", [f"witness w1 {w1}\ngroup g any w1\nwitness g {w2}\n", end]),
        ("two groups of one name", "one namespace", [THREE, "group g any w1\ngroup g any w2\n", end]),
        ("group without anything", "name, threshold, members", ["group\n", end]),
        ("group without threshold", "name, threshold, members", [THREE, "group g\n", end]),
        ("group without members", "n >= 1", [THREE, "group g any\n", end]),
        ("threshold 0", "1 <= k <= n", [THREE, "group g 0 w1 w2\n", end]),
        ("threshold too large", "1 <= k <= n", [THREE, "group g 3 w1 w2\n", end]),
        ("threshold -1", "1 <= k <= n", [THREE, "group g -1 w1 w2\n", end]),
        ("threshold of a hundred digits", "1 <= k <= n", [THREE, f"group g {'9' * 100} w1 w2\n", end]),
        ("threshold 1.0", "decimal", [THREE, "group g 1.0 w1 w2\n", end]),
        ("threshold 0x1", "decimal", [THREE, "group g 0x1 w1 w2\n", end]),
        ("threshold in other digits", "ASCII decimal", [THREE, "group g ٢ w1 w2\n", end]),
        ("threshold Any", "any and all are written small", [THREE, "group g Any w1 w2\n", end]),
        ("threshold most", "a number, any or all", [THREE, "group g most w1 w2\n", end]),
        ("threshold forgotten", "w1 is no threshold", [THREE, "group g w1 w2\n", end]),
        ("member unknown", "defined before", [THREE, "group g any w1 w4\n", end]),
        ("member defined later", "defined before", [f"witness w1 {w1}\ngroup g any w1 w2\nwitness w2 {w2}\n", end]),
        ("member is the group", "defined before", [THREE, "group g any g\n", end]),
        ("groups in a circle", "defined before", [THREE, "group a any b\ngroup b any a\n", end]),
        ("member none", "none is no member", [THREE, "group g any none\n", end]),
        ("member twice", "a name is a member once", [THREE, "group g 2 w1 w1\n", end]),
        ("member of two groups", "a name is a member once", [THREE, "group a any w1 w2\ngroup b any w1 w3\n", end]),
        ("group in two groups", "a name is a member once", [THREE, "group a any w1\ngroup b any a\ngroup c any a\n", end]),
        ("carriage returns", "of the controls only tab and newline", [TWO_OF_THREE.replace("\n", "\r\n")]),
        ("null", "of the controls only tab and newline", [b"# \0\n", end]),
        ("DEL", "octets 20 to 7E", [b"# \x7f\n", end]),
        ("form feed", "of the controls only tab and newline", [b"log\x0c\n", end]),
        ("control in a comment", "everywhere", [b"# \x1b[2J\n", end]),
        ("UTF-16", "an octet file of ASCII words", [TWO_OF_THREE.encode("utf-16")]),
    ]
    cases = [_file(reject, name, why, *parts) for name, why, parts in files]
    cases.append(
        _file(
            reject,
            "no newline at the end",
            "each line is terminated by a newline; a file cut short must not pass",
            "quorum none",
            strength=STRICT,
        )
    )
    return cases


def _open_files() -> list[Case]:
    end = "quorum none\n"
    types = [
        ("log", f"log {vkey('example.com/log', kind, bytes(size))}\n", label)
        for kind, size, label in ((2, 91, "ECDSA"), (6, 1312, "ML-DSA-44"))
    ]
    why = "a type that an implementation need not know; it must not overlook the line"
    cases = [_file(undecided, f"{what} key of type {label}", why, text, end) for what, text, label in types]
    cases.append(_file(undecided, "witness key of type ML-DSA-44", why, f"witness w {vkey('w', 6, bytes(1312))}\n", end))
    cases.append(
        _file(
            undecided,
            "log key of type 04",
            "a log may sign with any type, but cosignatures are what witnesses make",
            f"log {W1.vkey}\n",
            end,
        )
    )
    cases.append(
        _file(undecided, "threshold 01", "decimal, but leading zeros are not spoken of", THREE, "group g 01 w1 w2\n", end)
    )
    return cases


def _judged(
    make: Callable[..., Case],
    name: str,
    why: str,
    policy: str,
    *lines: bytes,
    text: bytes = TEXT,
    origin: str = LOG.name,
    strength: str | None = None,
) -> Case:
    note = text + b"\n" + b"".join(lines)
    fields: dict[str, Any] = {"strength": strength} if strength else {}
    case = make(name, why, **fields, policy=policy, origin=origin, checkpoint=to_document(note))
    parsed = read_policy(policy.encode())
    assert parsed is not None, name
    cosigned = accepts(parsed, note, origin)
    agree(case, cosigned)
    if case["verdict"] == "accept" and cosigned is not None:
        case["cosigned"] = {witness: str(time) for witness, time in cosigned.items()}
    return case


def _verdicts() -> list[Case]:
    log, c1, c2, c3 = LOG.line(TEXT), *(key.line(TEXT, TIME + i) for i, key in enumerate(WITNESSES[:3]))
    nested = f"{A_LOG}{THREE}witness w4 {W4.vkey}\ngroup x 2 w1 w2\ngroup y any w3 w4\ngroup z all x y\nquorum z\n"
    none, first, everyone = (
        f"{A_LOG}quorum none\n",
        f"{A_LOG}{THREE}quorum w1\n",
        f"{A_LOG}{THREE}group g all w1 w2 w3\nquorum g\n",
    )
    rotated = f"{A_LOG}log {ROTATED.vkey}\nquorum none\n"
    empty_root = sha256(b"").digest()
    empty, false_empty = checkpoint(LOG.name, 0, empty_root), checkpoint(LOG.name, 0, sha256(b"x").digest())
    extended = checkpoint(LOG.name, 257, tree().root(257), "an extension")
    bad = line(W3.name, W3.blob(TEXT, TIME)[:-1] + b"\0")
    foreign = checkpoint(OTHER.name, 257, tree().root(257))
    both = f"{A_LOG}log {OTHER.vkey}\nquorum none\n"
    cases = [
        _judged(accept, "none: the log alone", "no cosignature is asked for", none, log),
        _judged(accept, "none: witnesses beside", "unknown keys are ignored", none, log, c1),
        _judged(accept, "two of three: w1 and w2", "two are enough", TWO_OF_THREE, log, c1, c2),
        _judged(
            accept, "two of three: w3 and w1, before the log", "the lines' order does not matter", TWO_OF_THREE, c3, c1, log
        ),
        _judged(accept, "two of three: all", "more than enough", TWO_OF_THREE, log, c1, c2, c3),
        _judged(
            accept,
            "two of three: one of them twice",
            "a witness counts once, with its latest time",
            TWO_OF_THREE,
            log,
            W1.line(TEXT, TIME + 9),
            c2,
            c1,
        ),
        _judged(accept, "one witness", "w1 is the quorum", first, log, c1),
        _judged(accept, "all three", "all", everyone, log, c1, c2, c3),
        _judged(accept, "groups of groups", "x by w1 and w2, y by w3", nested, log, c1, c2, c3),
        _judged(
            accept,
            "extension lines",
            "signed and cosigned with the rest",
            TWO_OF_THREE,
            LOG.line(extended),
            W1.line(extended, TIME),
            W2.line(extended, TIME),
            text=extended,
        ),
        _judged(accept, "empty tree", "its root is the hash of nothing", none, LOG.line(empty), text=empty),
        _judged(accept, "the old key of a rotated log", "any key of the origin", rotated, log),
        _judged(accept, "the new key of a rotated log", "any key of the origin", rotated, ROTATED.line(TEXT)),
        _judged(accept, "both keys of a rotated log", "any key of the origin", rotated, ROTATED.line(TEXT), log),
        _judged(
            accept, "the second log", "each listed log is accepted", both, OTHER.line(foreign), text=foreign, origin=OTHER.name
        ),
        _judged(accept, "both logs' signatures", "another log's signature does no harm", both, log, OTHER.line(TEXT)),
        _judged(reject, "two of three: the log alone", "no quorum", TWO_OF_THREE, log),
        _judged(reject, "two of three: one", "no quorum", TWO_OF_THREE, log, c1),
        _judged(reject, "two of three: one, twice", "a witness counts once", TWO_OF_THREE, log, c1, W1.line(TEXT, TIME + 5)),
        _judged(
            reject, "two of three: one and a stranger", "unknown keys do not count", TWO_OF_THREE, log, c1, W4.line(TEXT, TIME)
        ),
        _judged(reject, "two of three: no log", "the log has to sign", TWO_OF_THREE, c1, c2, c3),
        _judged(reject, "two of three: another log", "the log has to sign", TWO_OF_THREE, OTHER.line(TEXT), c1, c2),
        _judged(
            reject,
            "two of three: plain signatures of the witnesses' keys",
            "type 01 is another key",
            TWO_OF_THREE,
            log,
            *(Key(key.name, seed=key.name).line(TEXT) for key in WITNESSES[:2]),
        ),
        _judged(
            reject,
            "two of three: cosignatures of another text",
            "they do not verify",
            TWO_OF_THREE,
            log,
            W1.line(extended, TIME),
            W2.line(extended, TIME),
        ),
        _judged(reject, "one witness: the others", "w1 is the quorum", first, log, c2, c3),
        _judged(reject, "all three: two", "all", everyone, log, c1, c2),
        _judged(reject, "groups of groups: x alone", "y is missing", nested, log, c1, c2),
        _judged(reject, "groups of groups: half of x, and y", "x is missing", nested, log, c1, c3, W4.line(TEXT, TIME)),
        _judged(
            reject,
            "a log's cosignature for its signature",
            "the log's key is of type 01",
            none,
            Key(LOG.name, COSIGNATURE).line(TEXT),
        ),
        _judged(
            reject,
            "another origin in the checkpoint",
            "signed by the log, but not its checkpoint",
            none,
            LOG.line(foreign),
            text=foreign,
        ),
        _judged(
            reject,
            "asked for another origin",
            "the checkpoint of a listed log, but not of the one asked for",
            both,
            log,
            origin=OTHER.name,
        ),
        _judged(reject, "another listed log signs this origin", "the key name is the origin", both, OTHER.line(TEXT)),
        _judged(
            reject,
            "the key of another origin signs a checkpoint of that origin",
            "the key name is the origin",
            both,
            LOG.line(foreign),
            text=foreign,
            origin=OTHER.name,
        ),
        _judged(
            reject,
            "empty tree with another root",
            "RFC 6962 §2.1: the hash of nothing",
            none,
            LOG.line(false_empty),
            text=false_empty,
        ),
        _judged(
            reject,
            "not a checkpoint",
            "a note, but no checkpoint",
            none,
            LOG.line(b"example.com/log\n"),
            text=b"example.com/log\n",
        ),
        _judged(
            reject,
            "a policy without logs",
            "nobody's signature is asked for, so nothing says whose the checkpoint is",
            "quorum none\n",
            log,
            strength=STRICT,
        ),
    ]
    why = "a known key's signature that does not verify condemns the note"
    cases.append(_judged(reject, "two of three: two good, the third bad", why, TWO_OF_THREE, log, c1, c2, bad, strength=SHOULD))
    broken = line(LOG.name, ROTATED.blob(TEXT)[:4] + bytes(64))
    cases.append(_judged(reject, "rotated log: old key good, new key bad", why, rotated, log, broken, strength=SHOULD))
    return cases


def _public() -> list[Case]:
    """Judge a checkpoint of a CT log that runs, cosigned by four witnesses that run."""
    text, lines = published.CT_NOTE[: published.CT_NOTE.rindex(b"\n\n") + 1], published.CT_NOTE.rsplit(b"\n\n", 1)[1]
    more = published.CT_POLICY.replace("group g 4", "group g 5")
    four, five = "four of six witnesses have cosigned", "four of six witnesses have cosigned, and five are asked for"
    return [
        _judged(
            accept, "a CT log and the public witnesses", four, published.CT_POLICY, lines, text=text, origin=published.CT_LOG
        ),
        _judged(reject, "a CT log and too few public witnesses", five, more, lines, text=text, origin=published.CT_LOG),
    ]


def files() -> list[Case]:
    """Return policy files."""
    return _sound_files() + _broken_files() + _open_files()


def verdicts() -> list[Case]:
    """Return checkpoints judged under policies."""
    return _verdicts() + _public()
