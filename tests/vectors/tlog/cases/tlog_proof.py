"""Proof files: a log entry's inclusion proof and the checkpoint that it leads to, in one text."""

import base64
from typing import Any

from ..case import STRICT, Case, accept, agree, reject, undecided
from ..documents import to_bytes, to_document
from ..reference.note import COSIGNATURE, Key, checkpoint
from ..reference.policy import read_policy
from ..reference.proof_file import verify_proof_file
from ..reference.tree import leaf_hash
from .log import LOG, WITNESSES, entry, tree, uniform
from .policy import THREE

SPEC = "https://c2sp.org/tlog-proof"

POLICY = f"log {LOG.vkey}\n{THREE}group g 2 w1 w2 w3\nquorum g\n"
MAGIC = "c2sp.org/tlog-proof@v1\n"
SIZE, INDEX = 257, 3


def _note(size: int = SIZE, root: bytes | None = None, *extensions: str) -> bytes:
    text = checkpoint(LOG.name, size, tree().root(size) if root is None else root, *extensions)
    return text + b"\n" + LOG.line(text) + b"".join(key.line(text) for key in WITNESSES[:2])


def _rows(hashes: list[bytes]) -> str:
    return "".join(f"{base64.b64encode(value).decode()}\n" for value in hashes)


def _proof(index: int = INDEX, size: int = SIZE, extra: str = "") -> bytes:
    return f"{MAGIC}{extra}index {index}\n{_rows(tree().inclusion(index, size))}\n".encode() + _note(size)


def _sound() -> list[Case]:
    def case(name: str, why: str, proof: bytes, index: int, extra: bytes = b"", leaf: bytes | None = None) -> Case:
        fields: dict[str, Any] = {"entry": to_document(entry(index))} if leaf is None else {"leaf": leaf.hex()}
        return accept(name, why, proof=to_document(proof), index=str(index), extra=base64.b64encode(extra).decode(), **fields)

    places = [
        (0, 1),
        (0, 2),
        (1, 2),
        (254, 255),
        (255, 256),
        (256, 257),
        (3, 257),
        (65_534, 65_535),
        (0, 65_536),
        (65_536, 65_537),
    ]
    cases = [case(f"entry {i:,} of {n:,}", "hashes from the leaf's sibling up, one a line", _proof(i, n), i) for i, n in places]
    equal, huge = uniform(), 2**63 - 1
    text = f"{MAGIC}index {huge - 1}\n{_rows(equal.inclusion(huge - 1, huge))}\n".encode() + _note(huge, equal.root(huge))
    cases.append(case("the last entry of 2^63 - 1", "indexes go that far", text, huge - 1, leaf=equal.leaf(0)))
    for extra in (b"\0", b"extra data", b"\xff" * 1000):
        row = f"extra {base64.b64encode(extra).decode()}\n"
        cases.append(
            case(f"extra of {len(extra):,} bytes", "opaque, and authenticated by nothing", _proof(extra=row), INDEX, extra)
        )
    altered = _proof(extra="extra AAAA\n").replace(b"extra AAAA", b"extra BBBB")
    cases.append(
        case("extra exchanged", "authenticated by nothing: the proof holds all the same", altered, INDEX, b"\x04\x10\x41")
    )
    head = f"{MAGIC}index {INDEX}\n{_rows(tree().inclusion(INDEX, SIZE))}\n".encode()
    cases.append(
        case(
            "a checkpoint with extension lines",
            "the checkpoint stands there verbatim",
            head + _note(SIZE, None, "an extension"),
            INDEX,
        )
    )
    stranger = Key("witness.example/stranger", COSIGNATURE)
    note = _note()
    cases.append(
        case(
            "a stranger's cosignature",
            "unknown keys are ignored",
            head + note + stranger.line(note[: note.rindex(b"\n\n") + 1]),
            INDEX,
        )
    )
    return cases


def _broken() -> list[Case]:
    good, hashes, note = _proof(), tree().inclusion(INDEX, SIZE), _note()
    text = note[: note.rindex(b"\n\n") + 1]
    rows = _rows(hashes)

    def file(
        index: str = f"index {INDEX}\n", proof: str = rows, magic: str = MAGIC, extra: str = "", rest: bytes = note
    ) -> bytes:
        return f"{magic}{extra}{index}{proof}\n".encode() + rest

    forms: list[tuple[str, str, bytes]] = [
        ("empty", "the first line", b""),
        ("first line alone", "an index", MAGIC.encode()),
        ("the checkpoint alone", "the first line", note),
        ("another version", "c2sp.org/tlog-proof@v1", file(magic="c2sp.org/tlog-proof@v2\n")),
        ("no version", "c2sp.org/tlog-proof@v1", file(magic="c2sp.org/tlog-proof\n")),
        ("first line with a space behind", "c2sp.org/tlog-proof@v1", file(magic="c2sp.org/tlog-proof@v1 \n")),
        ("byte order mark", "c2sp.org/tlog-proof@v1", b"\xef\xbb\xbf" + good),
        ("an empty line in front", "c2sp.org/tlog-proof@v1", b"\n" + good),
        ("no index", "an index line", file(index="")),
        ("index without a number", "a decimal", file(index="index\n")),
        ("index and a space", "a decimal", file(index="index \n")),
        ("index with a leading zero", "no leading zeros", file(index=f"index 0{INDEX}\n")),
        ("index 00", "no leading zeros", file(index="index 00\n")),
        ("index with two spaces", "one space", file(index=f"index  {INDEX}\n")),
        ("index with a space behind", "a decimal", file(index=f"index {INDEX} \n")),
        ("index with a sign", "a decimal", file(index=f"index +{INDEX}\n")),
        ("index negative", "a decimal", file(index="index -1\n")),
        ("index in hexadecimal", "a decimal", file(index=f"index 0x{INDEX}\n")),
        ("index in other digits", "ASCII decimal", file(index="index ٣\n")),
        ("Index for index", "index", file(index=f"Index {INDEX}\n")),
        ("index twice", "one index line", file(index=f"index {INDEX}\nindex {INDEX}\n")),
        ("index of another entry", "the proof leads elsewhere", file(index=f"index {INDEX + 1}\n")),
        ("index = size", "an index is less than the size", file(index=f"index {SIZE}\n")),
        ("index of a hundred digits", "an index is less than the size", file(index=f"index {'9' * 100}\n")),
        ("extra after the index", "extra is the second line", file(index=f"index {INDEX}\nextra AAAA\n")),
        ("extra twice", "one extra line", file(extra="extra AAAA\nextra AAAA\n")),
        ("extra without a space", "extra, a space, base64", file(extra="extraAAAA\n")),
        ("extra that is not base64", "standard base64", file(extra="extra ....\n")),
        ("extra unpadded", "standard base64 is padded", file(extra="extra AAA\n")),
        ("Extra for extra", "extra", file(extra="Extra AAAA\n")),
        ("another line", "extra or index", file(extra="hint AAAA\n")),
        ("no empty line before the checkpoint", "an empty line", f"{MAGIC}index {INDEX}\n{rows}".encode() + note),
        ("two empty lines before the checkpoint", "the checkpoint would begin with an empty line", file(rest=b"\n" + note)),
        (
            "an empty line between hashes",
            "the checkpoint begins after the first empty line",
            file(proof=_rows(hashes[:1]) + "\n" + _rows(hashes[1:])),
        ),
        ("no hashes", "the tree calls for nine", file(proof="")),
        ("first hash missing", "the tree calls for nine", file(proof=_rows(hashes[1:]))),
        ("last hash missing", "the tree calls for nine", file(proof=_rows(hashes[:-1]))),
        ("a hash too many", "the tree calls for nine", file(proof=_rows([*hashes, hashes[-1]]))),
        ("65 hashes", "no tree calls for so many", file(proof=_rows(hashes[:1] * 65))),
        ("hashes reversed", "from the leaf's sibling up", file(proof=_rows(hashes[::-1]))),
        ("a hash altered", "leads to another root", file(proof=_rows([bytes(32), *hashes[1:]]))),
        ("a hash of 31 bytes", "SHA-256 hashes", file(proof=_rows([hashes[0][:31], *hashes[1:]]))),
        ("a hash of 33 bytes", "SHA-256 hashes", file(proof=_rows([hashes[0] + b"\0", *hashes[1:]]))),
        ("hashes in hexadecimal", "base64", file(proof="".join(f"{value.hex()}\n" for value in hashes))),
        ("hashes on one line", "one hash a line", file(proof=rows.replace("\n", "") + "\n")),
        ("a space before a hash", "base64 alone", file(proof=" " + rows)),
        ("carriage returns", "lines end in U+000A alone", good.replace(b"\n", b"\r\n")),
        ("no checkpoint", "a checkpoint", file(rest=b"")),
        ("checkpoint without signatures", "a signed note", file(rest=text)),
        (
            "checkpoint not signed by the log",
            "the log has to sign",
            file(rest=text + b"\n" + WITNESSES[0].line(text) + WITNESSES[1].line(text)),
        ),
        ("checkpoint without quorum", "two of three", file(rest=text + b"\n" + LOG.line(text) + WITNESSES[0].line(text))),
        ("checkpoint of another size", "another tree's root", file(rest=_note(256))),
        ("checkpoint with another root", "the proof leads elsewhere", file(rest=_note(SIZE, bytes(32)))),
        ("checkpoint altered", "the signatures are over another text", good.replace(b"\n257\n", b"\n258\n")),
        ("last newline missing", "signature lines end in a newline", good[:-1]),
        ("a newline too many", "nothing follows the signatures", good + b"\n"),
        ("two proofs", "one proof a file", good + good),
        ("empty tree", "it has no entries", file(index="index 0\n", proof="", rest=_note(0))),
    ]
    cases = [reject(name, why, proof=to_document(data), entry=to_document(entry(INDEX))) for name, why, data in forms]
    cases.append(
        reject("another entry", "the proof is of another leaf", proof=to_document(good), entry=to_document(entry(INDEX + 1)))
    )
    cases.append(
        reject(
            "the leaf hash for the entry",
            "the leaf hash is the entry's, with 00 before it",
            proof=to_document(good),
            entry=to_document(leaf_hash(entry(INDEX))),
        )
    )
    loose = base64.b64encode(hashes[0]).decode()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spelled = loose[:-2] + alphabet[alphabet.index(loose[-2]) | 3] + "=\n"
    cases.append(
        reject(
            "a hash with bits that no byte needs",
            "two spellings of one proof",
            STRICT,
            proof=to_document(file(proof=spelled + _rows(hashes[1:]))),
            entry=to_document(entry(INDEX)),
        )
    )
    no_extra = "no extra data is said by leaving the line out; what an empty one is, the specification does not say"
    empty = to_document(file(extra="extra \n"))
    cases.append(
        undecided("extra that is empty", no_extra, proof=empty, entry=to_document(entry(INDEX)), index=str(INDEX), extra="")
    )
    return cases


def cases() -> list[Case]:
    """Return the cases, checked against the naive reference."""
    every = _sound() + _broken()
    policy = read_policy(POLICY.encode())
    assert policy is not None
    for case in every:
        leaf = leaf_hash(to_bytes(case["entry"])) if "entry" in case else bytes.fromhex(case["leaf"])
        found = verify_proof_file(to_bytes(case["proof"]), leaf, policy, LOG.name)
        agree(case, found)
        if case["verdict"] == "accept":
            assert found == (int(case["index"]), base64.b64decode(case["extra"])), case["id"]
    return every
