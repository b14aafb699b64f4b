"""COSE receipts: one proof of inclusion or consistency, and a signature over the root that it leads to."""

from collections.abc import Callable
from typing import Any

from ..case import MUST, STRICT, Case, accept, agree, reject, undecided
from ..documents import Repeat, to_bytes, to_document
from ..reference.cose import ALG, CLAIMS, KID, PROOFS, SIZE, VDS, Raw, Tag, encode, head, key_id, signed_bytes, verify_receipt
from ..reference.ed25519 import L, sign
from ..reference.note import Key
from .log import LOG, tree, uniform

SPEC = "RFC 9942"

SIGNER, OTHER = Key("receipts of example.com/log"), Key("somebody else")
INCLUSION, CONSISTENCY = -1, -2
SIZE_NOW, INDEX, OLD = 257, 3, 7
PROFILE = (
    "The protected header is {1: -19 (Ed25519), 4: the key's SHA-256 thumbprint (RFC 9679), 15: {1: the log's origin}, 395: 1, "
    "-65537: the tree size}, and nothing else: RFC 9942 binds neither the log nor the size, so a profile has to. "
    "CBOR is deterministic (RFC 8949 §4.2.1)."
)


def _header(size: int = SIZE_NOW) -> dict[Any, Any]:
    return {ALG: -19, KID: key_id(SIGNER.public), CLAIMS: {1: LOG.name}, VDS: 1, SIZE: size}


def _receipt(
    proof: Any,
    *,
    kind: int = INCLUSION,
    header: Any = None,
    root: bytes | None = None,
    payload: Any = None,
    unprotected: Any = None,
    tag: int | None = 18,
    context: bytes | None = None,
    signer: Key = SIGNER,
    signature: Callable[[bytes], Any] = lambda value: value,
) -> bytes:
    """Sign a receipt whose parts can be chosen; `proof` may be encoded already."""
    protected = header if isinstance(header, bytes) else encode(_header() if header is None else header)
    top = tree().root(SIZE_NOW) if root is None else root
    signed = sign(signer.secret, signed_bytes(protected, top) if context is None else context)
    inner = proof if isinstance(proof, bytes) else encode(proof)
    outside = {PROOFS: {kind: [inner]}} if unprotected is None else unprotected
    body = [protected, outside, payload, signature(signed)]
    return encode(body if tag is None else Tag(tag, body))


def _inclusion_proof(index: int = INDEX, size: int = SIZE_NOW) -> list[Any]:
    return [size, index, tree().inclusion(index, size)]


def _consistency_proof(old: int = OLD, size: int = SIZE_NOW) -> list[Any]:
    return [old, size, tree().consistency(old, size)]


def _case(
    make: Callable[..., Case],
    name: str,
    why: str,
    receipt: bytes | Repeat,
    *,
    kind: int = INCLUSION,
    start: bytes | None = None,
    origin: str = LOG.name,
    key: Key = SIGNER,
    **fields: Any,
) -> Case:
    begin = start or (tree().leaf(INDEX) if kind == INCLUSION else tree().root(OLD))
    what = {"kind": "inclusion", "leaf": begin.hex()} if kind == INCLUSION else {"kind": "consistency", "old_root": begin.hex()}
    case = make(name, why, **fields, **what, origin=origin, public_key=key.public.hex(), receipt=to_document(receipt))
    root = verify_receipt(to_bytes(case["receipt"]), kind, begin, origin, key.public)
    agree(case, root)
    if case["verdict"] == "accept" and root is not None:
        case["root"] = root.hex()
    return case


def _sound() -> list[Case]:
    log, equal, huge = tree(), uniform(), 2**63 - 1
    places = [(0, 2), (1, 2), (254, 255), (0, 256), (256, 257), (3, 257), (65_535, 65_536), (65_536, 65_537)]
    cases = [
        _case(
            accept,
            f"leaf {i:,} of {n:,}",
            "size, index, path from the leaf up",
            _receipt(_inclusion_proof(i, n), header=_header(n), root=log.root(n)),
            start=log.leaf(i),
        )
        for i, n in places
    ]
    growths = [(1, 2), (2, 3), (255, 256), (256, 257), (7, 257), (257, 65_536), (65_536, 65_537)]
    cases += [
        _case(
            accept,
            f"from {m:,} to {n:,}",
            "the older size, the newer size, the path as RFC 9162 §2.1.4 lists it",
            _receipt(_consistency_proof(m, n), kind=CONSISTENCY, header=_header(n), root=log.root(n)),
            kind=CONSISTENCY,
            start=log.root(m),
        )
        for m, n in growths
    ]
    last = [huge, huge - 1, equal.inclusion(huge - 1, huge)]
    cases.append(
        _case(
            accept,
            "the last leaf of 2^63 - 1",
            "sizes of 8 bytes",
            _receipt(last, header=_header(huge), root=equal.root(huge)),
            start=equal.leaf(0),
        )
    )
    return cases


def _broken_proofs() -> list[Case]:
    log = tree()
    size, index, path = _inclusion_proof()
    old, _, growth = _consistency_proof()
    proofs: list[tuple[str, str, Any]] = [
        ("another index", "leads to another root", [size, index + 1, path]),
        ("another size", "the size is signed", [size + 1, index, path]),
        ("size and index exchanged", "size, then index", [index, size, path]),
        ("index = size", "an index is less than the size", [size, size, path]),
        ("index negative", "unsigned", [size, -1, path]),
        ("index of 2^64", "unsigned 64 bits", [size, Tag(2, b"\1" + bytes(8)), path]),
        ("index as a float", "an integer", [size, Raw(b"\xfb\x40\x08" + bytes(6)), path]),
        ("index as a text", "an integer", [size, str(index), path]),
        ("index as true", "an integer", [size, True, path]),
        ("index null", "an integer", [size, None, path]),
        ("no path", "one hash or more", [size, index, []]),
        ("path null", "an array", [size, index, None]),
        ("path missing", "three parts", [size, index]),
        ("a fourth part", "three parts", [size, index, path, 0]),
        ("an empty proof", "three parts", []),
        ("first hash missing", "the tree calls for more", [size, index, path[1:]]),
        ("last hash missing", "the tree calls for more", [size, index, path[:-1]]),
        ("a hash too many", "the tree calls for fewer", [size, index, [*path, path[0]]]),
        ("65 hashes", "no tree calls for so many", [size, index, path[:1] * 65]),
        ("a hash altered", "leads to another root", [size, index, [bytes(32), *path[1:]]]),
        ("a hash of 31 bytes", "SHA-256", [size, index, [path[0][:31], *path[1:]]]),
        ("a hash of 33 bytes", "SHA-256", [size, index, [path[0] + b"\0", *path[1:]]]),
        ("a hash as a text", "byte strings", [size, index, ["a" * 32, *path[1:]]]),
        ("a hash as a number", "byte strings", [size, index, [7, *path[1:]]]),
        ("reversed", "from the leaf up", [size, index, path[::-1]]),
        ("a map for the proof", "an array", {0: size, 1: index, 2: path}),
    ]
    cases = [_case(reject, f"inclusion: {name}", why, _receipt(proof)) for name, why, proof in proofs]
    changes: list[tuple[str, str, Any]] = [
        ("sizes exchanged", "the older first", [size, old, growth]),
        ("another old size", "leads to another old root", [old + 1, size, growth]),
        ("old size 0", "nothing is proved from the empty tree", [0, size, growth]),
        ("equal sizes", "cannot be expressed: the path is not empty", [size, size, growth]),
        ("no path", "one hash or more", [old, size, []]),
        ("first hash missing", "the tree calls for more", [old, size, growth[1:]]),
        ("a hash too many", "the tree calls for fewer", [old, size, [*growth, growth[0]]]),
        ("a hash altered", "leads to another root", [old, size, [*growth[:-1], bytes(32)]]),
    ]
    cases += [
        _case(reject, f"consistency: {name}", why, _receipt(proof, kind=CONSISTENCY), kind=CONSISTENCY)
        for name, why, proof in changes
    ]
    good = _receipt(_inclusion_proof())
    cases += [
        _case(reject, "another leaf", "leads to another root", good, start=log.leaf(INDEX + 1)),
        _case(
            reject,
            "the old root of another tree",
            "the proof is from another",
            _receipt(_consistency_proof(), kind=CONSISTENCY),
            kind=CONSISTENCY,
            start=log.root(OLD + 1),
        ),
        _case(
            reject,
            "a receipt of consistency for one of inclusion",
            "another kind",
            _receipt(_consistency_proof(), kind=CONSISTENCY),
        ),
        _case(reject, "a receipt of inclusion for one of consistency", "another kind", good, kind=CONSISTENCY),
        _case(
            reject,
            "a proof of inclusion under -2",
            "another kind",
            _receipt(_inclusion_proof(), kind=CONSISTENCY),
            kind=CONSISTENCY,
        ),
        _case(reject, "a proof under -3", "no such kind in RFC9162_SHA256", _receipt(_inclusion_proof(), kind=-3)),
    ]
    return cases


def _broken_headers() -> list[Case]:
    good = _header()
    inner = encode(_inclusion_proof())

    def without(label: int) -> dict[Any, Any]:
        return {key: value for key, value in good.items() if key != label}

    headers: list[tuple[str, str, Any]] = [
        ("empty", "algorithm and data structure", b""),
        ("an empty map", "algorithm and data structure", {}),
        ("no algorithm", "algorithm", without(ALG)),
        ("ES256", "signed by an Ed25519 key", good | {ALG: -7}),
        ("algorithm as a text", "a number", good | {ALG: "Ed25519"}),
        ("no data structure", "395 says what the proof is of", without(VDS)),
        ("data structure 2", "RFC9162_SHA256 is 1", good | {VDS: 2}),
        ("data structure 0", "RFC9162_SHA256 is 1", good | {VDS: 0}),
        ("data structure as a text", "a number", good | {VDS: "1"}),
        ("another size than the proof's", "the size is signed", good | {SIZE: 258}),
        ("another origin", "of another log", good | {CLAIMS: {1: "example.com/other"}}),
        ("another key id", "of another key", good | {KID: key_id(OTHER.public)}),
        ("a critical parameter that nobody knows", "RFC 9052 §3.1: crit", good | {2: [-70000], -70000: 1}),
        ("not a map", "a header is a map", [1, -19]),
        ("a header that is not CBOR", "a header is a map", b"\xff\xff"),
        ("a key twice", "RFC 8949 §5.6", head(5, 6) + encode(ALG) + encode(-19) + encode(good)[1:]),
        ("indefinite length", "not deterministic", b"\xbf" + encode(good)[1:] + b"\xff"),
        (
            "keys in another order",
            "not deterministic",
            head(5, 5) + b"".join(encode(k) + encode(good[k]) for k in (VDS, ALG, KID, CLAIMS, SIZE)),
        ),
        (
            "a number longer than need be",
            "not deterministic",
            encode(good).replace(encode(VDS) + b"\1", encode(VDS) + b"\x18\1"),
        ),
        ("trailing bytes", "one data item", encode(good) + b"\0"),
    ]
    cases = [
        _case(reject, f"protected header: {name}", why, _receipt(_inclusion_proof(), header=header))
        for name, why, header in headers
    ]
    why = "a profile without this could not tell one log, key or size from another"
    cases += [
        _case(undecided, f"protected header: without {name}", why, _receipt(_inclusion_proof(), header=without(label)))
        for name, label in (("key id", KID), ("origin", CLAIMS), ("size", SIZE))
    ]
    plain = {ALG: -8, VDS: 1}
    cases.append(
        _case(undecided, "nothing but RFC 9942: EdDSA (-8) and RFC9162_SHA256", why, _receipt(_inclusion_proof(), header=plain))
    )
    cases.append(
        _case(
            undecided,
            "protected header: another parameter",
            "signed, but not understood",
            _receipt(_inclusion_proof(), header=good | {3: "a/b"}),
        )
    )
    outsides: list[tuple[str, str, Any]] = [
        ("empty", "a proof", {}),
        ("no kind", "a proof", {PROOFS: {}}),
        ("no proofs", "one proof or more", {PROOFS: {INCLUSION: []}}),
        ("the proof not wrapped", "byte strings that hold CBOR", {PROOFS: {INCLUSION: [_inclusion_proof()]}}),
        ("the proof not in an array", "an array of byte strings", {PROOFS: {INCLUSION: inner}}),
        ("the kind as a text", "-1", {PROOFS: {"-1": [inner]}}),
        ("a proof that is not CBOR", "an array", {PROOFS: {INCLUSION: [b"\xff"]}}),
        ("a proof with bytes behind", "one data item", {PROOFS: {INCLUSION: [inner + b"\0"]}}),
        ("the proofs under 395", "396", {VDS: {INCLUSION: [inner]}}),
        ("not a map", "a header is a map", [inner]),
        ("null", "a header is a map", Raw(b"\xf6")),
    ]
    cases += [
        _case(reject, f"unprotected header: {name}", why, _receipt(b"", unprotected=outside)) for name, why, outside in outsides
    ]
    second = encode(_inclusion_proof(INDEX + 1))
    more: list[tuple[str, str, Any]] = [
        ("two proofs", "which of them is meant?", {PROOFS: {INCLUSION: [inner, second]}}),
        ("both kinds", "which of them is meant?", {PROOFS: {INCLUSION: [inner], CONSISTENCY: [encode(_consistency_proof())]}}),
        ("another parameter", "nobody has signed it", {PROOFS: {INCLUSION: [inner]}, 4: b"unsigned"}),
    ]
    return cases + [
        _case(undecided, f"unprotected header: {name}", why, _receipt(b"", unprotected=outside)) for name, why, outside in more
    ]


def _broken_envelopes() -> list[Case]:
    proof = _inclusion_proof()
    root = tree().root(SIZE_NOW)
    good = _receipt(proof)
    protected = encode(_header())
    contexts: list[tuple[str, bytes]] = [
        ("the root alone", root),
        ("the protected header and the root", protected + root),
        ("context Signature", encode(["Signature", protected, b"", root])),
        ("no context", encode([protected, b"", root])),
        ("external data", encode(["Signature1", protected, b"x", root])),
        ("no external data", encode(["Signature1", protected, root])),
        ("the header not wrapped", encode(["Signature1", _header(), b"", root])),
        ("the root as a text", encode(["Signature1", protected, b"", root.hex()])),
        ("another root", signed_bytes(protected, bytes(32))),
        ("an empty payload", signed_bytes(protected, b"")),
    ]
    cases = [
        _case(
            reject,
            f"signed: {name}",
            "RFC 9052 §4.4: Signature1, header, no external data, the root",
            _receipt(proof, context=context),
        )
        for name, context in contexts
    ]
    signatures: list[tuple[str, str, Callable[[bytes], Any]]] = [
        ("one bit off", "does not verify", lambda s: bytes([s[0] ^ 1]) + s[1:]),
        ("63 bytes", "64 bytes", lambda s: s[:63]),
        ("65 bytes", "64 bytes", lambda s: s + b"\0"),
        ("empty", "64 bytes", lambda s: b""),
        ("null", "a byte string", lambda s: None),
        ("a text", "a byte string", lambda s: "a" * 64),
        (
            "S + L",
            "RFC 8032: S is less than L",
            lambda s: s[:32] + (int.from_bytes(s[32:], "little") + L).to_bytes(32, "little"),
        ),
    ]
    cases += [_case(reject, f"signature: {name}", why, _receipt(proof, signature=change)) for name, why, change in signatures]
    forms: list[tuple[str, str, bytes | Repeat]] = [
        ("nothing", "a data item", b""),
        ("not CBOR", "a data item", b"\xff"),
        ("a text", "COSE_Sign1", b"hello"),
        ("no tag", "RFC 9942 §3: tagged", _receipt(proof, tag=None)),
        ("tag 98, COSE_Sign", "tag 18", _receipt(proof, tag=98)),
        ("tag 17, COSE_Mac0", "tag 18", _receipt(proof, tag=17)),
        ("tag 18 twice", "one tag", b"\xd2" + good),
        ("the self-described tag before", "tag 18 comes first", b"\xd9\xd9\xf7" + good),
        ("the root as the payload", "detached", _receipt(proof, payload=root)),
        ("an empty payload", "detached: null", _receipt(proof, payload=b"")),
        ("false for the payload", "detached: null", _receipt(proof, payload=False)),
        ("undefined for the payload", "detached: null", _receipt(proof, payload=Raw(b"\xf7"))),
        ("three parts", "four parts", b"\xd2" + encode([protected, {PROOFS: {INCLUSION: [encode(proof)]}}, None])),
        ("five parts", "four parts", encode(Tag(18, [protected, {PROOFS: {INCLUSION: [encode(proof)]}}, None, bytes(64), 0]))),
        (
            "header not wrapped",
            "a byte string",
            encode(Tag(18, [_header(), {PROOFS: {INCLUSION: [encode(proof)]}}, None, bytes(64)])),
        ),
        ("cut short", "one data item", good[:-1]),
        ("trailing bytes", "one data item", good + b"\0"),
        ("twice", "one data item", good + good),
        ("array of indefinite length", "not deterministic", good.replace(b"\xd2\x84", b"\xd2\x9f", 1) + b"\xff"),
        ("tag longer than need be", "not deterministic", b"\xd8\x12" + good[1:]),
        ("array length longer than need be", "not deterministic", good.replace(b"\xd2\x84", b"\xd2\x98\x04", 1)),
        ("100,000 arrays, one in another", "nested deeper than any receipt", Repeat(b"\x81", 100_000)),
        ("300 arrays, one in another", "nested deeper than any receipt", b"\x81" * 300),
        ("300 tags", "nested deeper than any receipt", b"\xd2" * 300),
        ("100,000 tags", "nested deeper than any receipt", Repeat(b"\xd2", 100_000)),
        ("an array of 2^64 - 1 items", "longer than its bytes", b"\xd2\x9b" + b"\xff" * 8),
        ("a byte string of 2^63 bytes", "longer than its bytes", b"\xd2\x84\x5b\x80" + bytes(7)),
        ("a map of 2^64 - 1 pairs", "longer than its bytes", b"\xd2\x84\x40\xbb" + b"\xff" * 8),
        ("reserved additional information", "28 to 30 are reserved", b"\xd2\x9c"),
        ("break without a beginning", "a break ends something", b"\xd2\xff"),
    ]
    strict = {
        "array of indefinite length",
        "tag longer than need be",
        "array length longer than need be",
        "the self-described tag before",
    }
    cases += [_case(reject, name, why, data, strength=STRICT if name in strict else MUST) for name, why, data in forms]
    cases += [
        _case(reject, "another key has signed", "does not verify", _receipt(proof, signer=OTHER)),
        _case(reject, "another key is trusted", "does not verify", good, key=OTHER),
        _case(reject, "another log is asked for", "the origin is signed", good, origin="example.com/other"),
    ]
    return cases


def cases() -> list[Case]:
    """Return the cases, checked against the naive reference."""
    return _sound() + _broken_proofs() + _broken_headers() + _broken_envelopes()
