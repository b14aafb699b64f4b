"""Dialogues with a witness: requests in their order, and the status that each must be answered with."""

import base64
from hashlib import sha256
from typing import Any

from ..documents import to_document
from ..reference.note import COSIGNATURE, Key, checkpoint, line
from ..reference.tree import Tree
from ..reference.witness import Witness
from .log import LOG, WITNESSES, tree, uniform

SPEC = "https://c2sp.org/tlog-witness"

ROTATED, OTHER, STRANGER = Key(LOG.name, seed="the log's next key"), Key("example.com/other"), Key("example.com/stranger")
EQUAL = Key("example.com/equal")
LOGS = [LOG.vkey, ROTATED.vkey, OTHER.vkey, EQUAL.vkey]
FORK = sha256(b"a fork").digest()
NOTHING = sha256(b"").digest()


def _rows(hashes: list[bytes]) -> bytes:
    return b"".join(base64.b64encode(value) + b"\n" for value in hashes)


def _note(text: bytes, *keys: Key) -> bytes:
    return text + b"\n" + b"".join(key.line(text) for key in keys)


def _head(size: int, log: Key = LOG, source: Tree | None = None, root: bytes | None = None, *extensions: str) -> bytes:
    return checkpoint(log.name, size, (source or tree()).root(size) if root is None else root, *extensions)


def _grow(old: int, size: int) -> bytes:
    """Return a sound request of the log."""
    proof = tree().consistency(old, size) if old else []
    return b"old %d\n" % old + _rows(proof) + b"\n" + _note(_head(size), LOG)


class _Dialogue:
    """Collects steps, and asks the naive witness about each of them."""

    def __init__(self, name: str, why: str) -> None:
        self.document: dict[str, Any] = {"id": name, "why": why, "steps": []}
        self._witness = Witness(LOGS)

    def add(self, name: str, why: str, body: bytes, status: int, *others: int) -> "_Dialogue":
        """Add a request and its status; `others` are statuses that the specification allows as well."""
        answer, text = self._witness.add_checkpoint(body)
        if answer not in {status, *others}:
            raise AssertionError(f"{self.document['id']}, {name}: stated {status}, the reference says {answer}")
        step: dict[str, Any] = {
            "id": name,
            "why": why,
            "request": {"method": "POST", "path": "/add-checkpoint", "body": to_document(body)},
            "status": [status, *others],
        }
        if text is not None:
            step |= {"content_type": "text/x.tlog.size", "body": text}
        if status == 200:
            note = body.split(b"\n\n", 1)[1]
            step["cosigned_text"] = to_document(note[: note.rindex(b"\n\n") + 1])
        self.document["steps"].append(step)
        return self

    def read(self, name: str, why: str, origin: str, status: int, size: int = 0) -> "_Dialogue":
        """Add a request for what is on record."""
        path = f"/{sha256(origin.encode()).hexdigest()}/checkpoint"
        assert self._witness.read(path) == status, name
        step: dict[str, Any] = {"id": name, "why": why, "request": {"method": "GET", "path": path}, "status": [status]}
        if status == 200:
            assert self._witness.heads[origin][0] == size, name
            step["checkpoint"] = {"origin": origin, "size": str(size), "root": self._witness.heads[origin][1].hex()}
        self.document["steps"].append(step)
        return self


def _growing() -> dict[str, Any]:
    talk = _Dialogue("a log grows", "the plain course of things")
    talk.read("nothing yet", "404: the witness has never cosigned a checkpoint of this log", LOG.name, 404)
    talk.add("first checkpoint", "old 0 and no proof: everything extends the empty tree", _grow(0, 1), 200)
    talk.read("on record: 1", "the latest that was cosigned", LOG.name, 200, 1)
    for old, size in [(1, 2), (2, 255), (255, 256), (256, 257), (257, 65_535), (65_535, 65_536), (65_536, 65_537)]:
        talk.add(f"from {old:,} to {size:,}", "a proof of RFC 6962 §2.1.2", _grow(old, size), 200)
    talk.add("the same once more", "equal sizes, equal roots, no proof: a fresh cosignature", _grow(65_537, 65_537), 200)
    return talk.read("on record: 65,537", "the latest that was cosigned", LOG.name, 200, 65_537).document


def _empty_log() -> dict[str, Any]:
    talk = _Dialogue("an empty log", "size 0 is a checkpoint like others; old 0 with no proof is good")
    false = b"old 0\n\n" + _note(_head(0, root=FORK), LOG)
    proved = b"old 0\n" + _rows([NOTHING]) + b"\n" + _note(_head(0), LOG)
    talk.add("wrong empty root", "422: the root of no leaves is the hash of nothing", false, 422)
    talk.read("still nothing", "a refused checkpoint is not recorded", LOG.name, 404)
    talk.add("proof with old 0", "422: the proof must be empty if the old size is zero", proved, 422)
    talk.add("size 0", "the empty tree", _grow(0, 0), 200)
    talk.read("on record: 0", "it was cosigned", LOG.name, 200, 0)
    talk.add("size 0 again", "equal sizes, equal roots", _grow(0, 0), 200)
    talk.add("wrong empty root, after the right one", "422: a root that differs at the same size", false, 422)
    talk.add(
        "from 0 to 5 with a proof",
        "422: the proof must be empty if the old size is zero",
        b"old 0\n" + _rows(tree().consistency(1, 5)) + b"\n" + _note(_head(5), LOG),
        422,
    )
    talk.add("from 0 to 5", "everything extends the empty tree", _grow(0, 5), 200)
    return talk.add("back to 0", "409: on record is 5", _grow(0, 0), 409).document


def _conflicts() -> dict[str, Any]:
    talk = _Dialogue("old is not what is on record", "409 with the size on record, so that the log can prove from there")
    talk.add("old 5 before anything", "409: never cosigned, so 0", _grow(5, 257), 409)
    talk.add("first checkpoint", "", _grow(0, 5), 200)
    talk.add("first checkpoint again", "409: the same request twice", _grow(0, 5), 409)
    talk.add("old too small", "409, though the proof is sound", _grow(3, 257), 409)
    talk.add("old too large", "409, though the proof is sound", _grow(255, 257), 409)
    talk.add(
        "old too small, and the proof broken",
        "409: what is on record is compared first",
        b"old 3\n" + _rows([FORK]) + b"\n" + _note(_head(257), LOG),
        409,
    )
    talk.add("old 0 to learn the size", "409: what the specification suggests to a log that has forgotten", _grow(0, 257), 409)
    talk.add("as learnt", "", _grow(5, 257), 200)
    talk.add("a smaller checkpoint", "409: old 5 is not on record any more", _grow(5, 255), 409)
    talk.add("old greater than the size", "400: no tree shrinks", b"old 257\n\n" + _note(_head(255), LOG), 400)
    talk.add(
        "old greater than the size, and not on record", "400 comes before 409", b"old 300\n\n" + _note(_head(255), LOG), 400
    )
    return talk.read("on record: 257", "no refusal changed it", LOG.name, 200, 257).document


def _forks() -> dict[str, Any]:
    log = tree()
    talk = _Dialogue("forks", "422: a checkpoint that does not extend what is on record, though well signed")
    talk.add("first checkpoint", "", _grow(0, 256), 200)
    proof = log.consistency(256, 257)
    longer = log.consistency(256, 65_537)

    def forked(size: int, hashes: list[bytes], root: bytes | None = None) -> bytes:
        return b"old 256\n" + _rows(hashes) + b"\n" + _note(_head(size, root=root), LOG)

    talk.add("another root at the same size", "422: two trees of one size", forked(256, [], FORK), 422)
    talk.add("another root at the same size, with a proof", "422: two trees of one size", forked(256, proof, FORK), 422)
    talk.add("the same checkpoint with a proof", "422: equal trees call for no hashes", forked(256, proof), 422)
    talk.add("another root", "422: the proof leads elsewhere", forked(257, proof, FORK), 422)
    talk.add("no proof", "422: the tree calls for one hash", forked(257, []), 422)
    talk.add("a hash too many", "422: the tree calls for one hash", forked(257, [*proof, FORK]), 422)
    talk.add("a hash altered", "422: the proof leads elsewhere", forked(257, [FORK]), 422)
    talk.add("last hash missing", "422: the tree calls for more", forked(65_537, longer[:-1]), 422)
    talk.add("the proof of another size", "422: the proof leads elsewhere", forked(65_536, longer), 422)
    talk.add("63 hashes", "422: as many as may be sent, but not this proof", forked(65_537, [FORK] * 63), 422)
    talk.add(
        "the old root of a fork",
        "422: the proof is from another tree of 256",
        b"old 256\n" + _rows(uniform().consistency(256, 257)) + b"\n" + _note(_head(257, source=uniform()), LOG),
        422,
    )
    talk.read("on record: 256", "no refusal changed it", LOG.name, 200, 256)
    return talk.add("the honest log goes on", "", _grow(256, 257), 200).document


def _signatures() -> dict[str, Any]:
    text = _head(5)
    talk = _Dialogue("who signed", "at least one trusted key of the origin, and no bad signature of such a key")

    def signed(*lines: bytes, head: bytes = text) -> bytes:
        return b"old 0\n\n" + head + b"\n" + b"".join(lines)

    bad = line(LOG.name, ROTATED.blob(text)[:4] + bytes(64))
    unknown = checkpoint(STRANGER.name, 5, tree().root(5))
    cosigned = WITNESSES[0].line(text)
    talk.add("unknown origin", "404: no key is trusted for it", signed(STRANGER.line(unknown), head=unknown), 404)
    talk.add(
        "unknown origin, signed by a known log", "404: the origin is asked first", signed(LOG.line(unknown), head=unknown), 404
    )
    talk.add(
        "origin in capitals",
        "404: origins are compared by octet",
        signed(LOG.line(text.replace(b"ex", b"EX", 1)), head=text.replace(b"ex", b"EX", 1)),
        404,
    )
    talk.add(
        "unknown origin, and old greater than the size", "404 comes before 400", b"old 9\n\n" + _note(unknown, STRANGER), 404
    )
    talk.add("another log's key", "403: trusted, but not for this origin", signed(OTHER.line(text)), 403)
    talk.add("unknown key", "403: nobody trusted has signed", signed(Key(LOG.name, seed="nobody").line(text)), 403)
    talk.add("signature over another text", "403: it does not verify", signed(LOG.line(_head(4))), 403)
    talk.add("the log's key as a cosigner", "403: type 04 is another key", signed(Key(LOG.name, COSIGNATURE).line(text)), 403)
    talk.add("only a witness", "403: nobody trusted has signed", signed(cosigned), 403)
    talk.add("one good, one bad", "403: a trusted key's bad signature condemns the note", signed(LOG.line(text), bad), 403)
    talk.add("one bad, one good", "403, in whichever order", signed(bad, LOG.line(text)), 403)
    talk.add(
        "bad signature, and old greater than the size",
        "403 comes before 400",
        b"old 9\n\n" + text + b"\n" + LOG.line(_head(4)),
        403,
    )
    talk.add(
        "bad signature, and old not on record",
        "403 comes before 409",
        b"old 3\n" + _rows(tree().consistency(3, 5)) + b"\n" + text + b"\n" + LOG.line(_head(4)),
        403,
    )
    talk.read("nothing yet", "no refusal is recorded", LOG.name, 404)
    talk.add(
        "with signatures of other types",
        "unknown keys are ignored",
        signed(line(LOG.name, b"\6\6\6\6" + bytes(2428)), cosigned, LOG.line(text)),
        200,
    )
    talk.add(
        "the log's new key",
        "any trusted key of the origin",
        b"old 5\n" + _rows(tree().consistency(5, 257)) + b"\n" + _note(_head(257), ROTATED),
        200,
    )
    talk.add("both keys", "any trusted key of the origin", b"old 257\n\n" + _note(_head(257), LOG, ROTATED), 200)
    extended = _head(257, LOG, None, None, "an extension line", "another")
    talk.add("extension lines", "they are cosigned with the rest", b"old 257\n\n" + _note(extended, LOG), 200)
    crowd = b"".join(line(f"example.com/key{i}", b"idid" + bytes(64)) for i in range(15))
    talk.add(
        "sixteen signatures",
        "at least 16 must be accepted",
        b"old 257\n\n" + _head(257) + b"\n" + crowd + LOG.line(_head(257)),
        200,
    )
    heavy = b"".join(line(f"example.com/pq{i}", b"pqpq" + bytes(4900)) for i in range(15))
    talk.add(
        "sixteen signatures, fifteen of them of 4,900 bytes",
        "at least 16 must be accepted, and post-quantum ones have nearly 5 kB",
        b"old 257\n\n" + _head(257) + b"\n" + heavy + LOG.line(_head(257)),
        200,
    )
    return talk.document


def _two_logs() -> dict[str, Any]:
    mine, theirs = _head(5), checkpoint(OTHER.name, 3, uniform().root(3))
    talk = _Dialogue("two logs", "each origin has a record of its own")
    talk.add("one log", "", b"old 0\n\n" + _note(mine, LOG), 200)
    talk.read("the other is not known yet", "", OTHER.name, 404)
    talk.add("the other log", "never cosigned, so old 0", b"old 0\n\n" + _note(theirs, OTHER), 200)
    talk.add("the other with the one's old size", "400: 5 is more than 3", b"old 5\n\n" + _note(theirs, OTHER), 400)
    talk.read("on record: 3", "", OTHER.name, 200, 3)
    talk.read("on record: 5", "", LOG.name, 200, 5)
    return talk.read("an origin that is no log's", "404", STRANGER.name, 404).document


def _largest() -> dict[str, Any]:
    equal, huge = uniform(), 2**63 - 1
    proof = equal.consistency(1, huge)
    assert len(proof) == 63
    talk = _Dialogue("the longest proof", "63 hashes may be sent; this log's leaves are all equal")
    talk.add("one leaf", "", b"old 0\n\n" + _note(_head(1, EQUAL, equal), EQUAL), 200)
    talk.add(
        "from 1 to 2^63 - 1", "63 hashes", b"old 1\n" + _rows(proof) + b"\n" + _note(_head(huge, EQUAL, equal), EQUAL), 200
    )
    return talk.read("on record: 2^63 - 1", "", EQUAL.name, 200, huge).document


def _malformed() -> dict[str, Any]:
    text = _head(5)
    note = _note(text, LOG)
    proof = _rows(tree().consistency(3, 5))
    good = b"old 3\n" + proof + b"\n" + _note(text, LOG)
    talk = _Dialogue(
        "requests that are none", "400: the body is not of the form that the specification gives; the record stays as it is"
    )
    talk.add("first checkpoint", "", _grow(0, 3), 200)
    forms: list[tuple[str, str, bytes]] = [
        ("empty body", "an old line, an empty line, a checkpoint", b""),
        ("the checkpoint alone", "an old line", note),
        ("an empty line first", "an old line", b"\n" + good),
        ("no old line", "an old line", good.removeprefix(b"old 3\n")),
        ("old without a size", "a decimal", good.replace(b"old 3", b"old", 1)),
        ("old and a space", "a decimal", good.replace(b"old 3", b"old ", 1)),
        ("old with two spaces", "one space", good.replace(b"old 3", b"old  3", 1)),
        ("old with a tab", "one space", good.replace(b"old 3", b"old\t3", 1)),
        ("old with a space behind", "a decimal", good.replace(b"old 3", b"old 3 ", 1)),
        ("old with a leading zero", "no leading zeros", good.replace(b"old 3", b"old 03", 1)),
        ("old with a sign", "a decimal", good.replace(b"old 3", b"old +3", 1)),
        ("old negative", "a decimal", good.replace(b"old 3", b"old -3", 1)),
        ("old in hexadecimal", "a decimal", good.replace(b"old 3", b"old 0x3", 1)),
        ("old in other digits", "ASCII decimal", good.replace(b"old 3", "old ٣".encode(), 1)),
        ("Old for old", "old", good.replace(b"old", b"Old", 1)),
        ("old of a hundred digits", "larger than any size", good.replace(b"old 3", b"old " + b"9" * 100, 1)),
        ("old twice", "one old line", b"old 3\n" + good),
        ("64 hashes", "no more than 63 may be sent", b"old 3\n" + _rows([FORK] * 64) + b"\n" + note),
        ("a hash of 31 bytes", "SHA-256 hashes", b"old 3\n" + _rows([FORK[:31]]) + b"\n" + note),
        ("a hash of 33 bytes", "SHA-256 hashes", b"old 3\n" + _rows([FORK + b"\0"]) + b"\n" + note),
        ("a hash unpadded", "standard base64", good.replace(b"=\n", b"\n", 1)),
        ("a hash for URLs", "standard base64", b"old 3\n" + base64.urlsafe_b64encode(b"\xff" * 32) + b"\n\n" + note),
        (
            "a hash with bits that no byte needs",
            "two spellings of one proof",
            b"old 3\n" + base64.b64encode(bytes(32))[:-2] + b"B=\n\n" + note,
        ),
        ("a space behind a hash", "base64 alone", good.replace(b"=\n", b"= \n", 1)),
        ("hashes on one line", "one hash a line", b"old 3\n" + proof.replace(b"\n", b"") + b"\n\n" + note),
        ("carriage returns", "lines end in U+000A alone", good.replace(b"\n", b"\r\n")),
        ("no empty line before the checkpoint", "an empty line", b"old 3\n" + proof + note),
    ]
    for name, why, body in forms:
        talk.add(name, why, body, 400)
    why = "the specification gives no status for a checkpoint that is none: not 200, and not one that asks to try again"
    notes: list[tuple[str, bytes]] = [
        ("two empty lines before the checkpoint", b"\n" + note),
        ("no checkpoint", b""),
        ("checkpoint without signatures", text),
        ("signature block empty", text + b"\n"),
        ("last newline missing", note[:-1]),
        ("a newline too many", note + b"\n"),
        ("invalid UTF-8", b"\xff" + note),
        ("size with a leading zero", _note(text.replace(b"\n5\n", b"\n05\n"), LOG)),
        ("size missing", _note(text.replace(b"\n5\n", b"\n"), LOG)),
        ("size of a hundred digits", _note(text.replace(b"\n5\n", b"\n" + b"9" * 100 + b"\n"), LOG)),
        ("root of 31 bytes", _note(checkpoint(LOG.name, 5, FORK[:31]), LOG)),
        ("root missing", _note(f"{LOG.name}\n5\n".encode(), LOG)),
        ("empty extension line", _note(text + b"\n", LOG)),
    ]
    for name, broken in notes:
        talk.add(name, why, b"old 3\n" + proof + b"\n" + broken, 400, 403, 404, 422)
    talk.add("sound after all", "", good, 200)
    return talk.read("on record: 5", "", LOG.name, 200, 5).document


def dialogues() -> list[dict[str, Any]]:
    """Return the dialogues; each starts with a witness that has cosigned nothing."""
    return [_growing(), _empty_log(), _conflicts(), _forks(), _signatures(), _two_logs(), _largest(), _malformed()]
