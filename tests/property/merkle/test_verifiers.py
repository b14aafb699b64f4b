"""What is signed, against the specifications' rules read naively: notes, checkpoints, Ed25519, proof files and receipts."""

from hashlib import sha512

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.merkle import ed25519
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.notes import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    NoteError,
    SignatureLine,
    VerifierKey,
    cosignature_message,
    verify_note,
)
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proof_files import ProofFile, verify_proof_file
from tallystick.merkle.receipts import (
    ConsistencyReceipt,
    InclusionReceipt,
    ReceiptKey,
    parse_receipt,
    verify_consistency_receipt,
    verify_inclusion_receipt,
)
from tallystick.merkle.signed_roots import RootHeader, SignedRoot

from .samples import (
    CONSISTENCY,
    INCLUSION,
    INDEX,
    LEAVES,
    OLD_ROOT,
    ORIGIN,
    POLICY,
    PROOF_FILE,
    RECEIPT_KEY,
    RECEIPTS,
    ROOT,
    TEXT,
)
from .strategies import altered
from .test_tree import LEAVES as MANY
from .test_tree import mth, path, proof

# RFC 8032 §5.1 and §6, as they stand there, in affine coordinates.
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
L = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    """Add two points."""
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P


def multiply(number: int, point: Point) -> Point:
    """Add a point to itself."""
    out = IDENTITY
    while number:
        if number & 1:
            out = add(out, point)
        point, number = add(point, point), number >> 1
    return out


def decompress(data: bytes) -> Point | None:
    """§5.1.3; None if it is no point, or y or the sign of x is not canonical."""
    encoded = int.from_bytes(data, "little")
    sign, y = encoded >> 255, encoded & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x), y


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """§5.1.7: [S]B = R + [k]A, without the cofactor; S canonical, R compared as bytes."""
    a, s = decompress(public), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or s >= L or BASE is None:
        return False
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little")
    x, y = add(multiply(s, BASE), multiply(k, (-a[0] % P, a[1])))
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.data())
def test_ed25519(seed: bytes, message: bytes, data: st.DataObject) -> None:
    """A signature, sound or altered, is accepted exactly when RFC 8032's own equation holds."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    if data.draw(st.booleans()):
        signature = data.draw(altered(signature))
    if data.draw(st.booleans()):
        message = data.draw(altered(message))
    if len(signature) == 64 and data.draw(st.booleans()):  # the other S of the same residue
        s = int.from_bytes(signature[32:], "little") + L
        signature = signature[:32] + s.to_bytes(32, "little") if s < 1 << 256 else signature
    try:
        ed25519.verify(public, message, signature)
    except ed25519.SignatureError:
        assert not verifies(public, message, signature)
    else:
        assert verifies(public, message, signature)


@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32) | st.integers(0, 40).map(lambda y: (P - 20 + y).to_bytes(32, "little")))
def test_public_keys(public: bytes) -> None:
    """A public key is accepted exactly when it decompresses (§5.1.3) and eight times it is not the identity."""
    point = decompress(public)
    sound = point is not None and multiply(8, point) != IDENTITY
    try:
        ed25519.check_public_key(public)
    except ed25519.PublicKeyError:
        assert not sound
    else:
        assert sound


class Known:
    """Four keys: two logs' and two witnesses'."""

    private = tuple(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (21, 22, 23, 24))
    names = (ORIGIN, "example.com/other", "w1", "w2")
    kinds = (ED25519, ED25519, COSIGNATURE_V1, COSIGNATURE_V1)
    keys = tuple(
        VerifierKey.make(name, kind, key.public_key().public_bytes_raw())
        for name, kind, key in zip(names, kinds, private, strict=True)
    )


@st.composite
def lines(draw: st.DrawFn, text: bytes) -> tuple[int, int, bool, SignatureLine]:
    """Return whose line, its time, whether it is good, and the line; 4 is a stranger's."""
    who, time_s, good = draw(st.integers(0, 4)), draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 4)) > 0
    if who == 4:
        return who, 0, good, SignatureLine("stranger", b"abcd", draw(st.binary(min_size=1, max_size=80)))
    signed = cosignature_message(text, time_s) if who >= 2 else text
    signature = Known.private[who].sign(signed if good else signed + b"!")
    return who, time_s, good, SignatureLine.by(Known.keys[who], signature, time_s if who >= 2 else None)


@settings(max_examples=150)
@given(st.data())
def test_notes(data: st.DataObject) -> None:
    """A note holds exactly when every line of a known key is good (a time of 0 or beyond 63 bits is not) and there is one."""
    known = data.draw(st.sets(st.integers(0, 3), min_size=1))
    made = data.draw(st.lists(lines(TEXT), min_size=1, max_size=5))
    counted = [(who, time_s, good and (who < 2 or 0 < time_s < 2**63)) for who, time_s, good, _ in made if who in known]
    holds = bool(counted) and all(good for *_, good in counted)
    note = Note(TEXT, tuple(line for *_, line in made))
    try:
        verified = verify_note(note, [Known.keys[who] for who in sorted(known)])
    except NoteError:
        assert not holds
        return
    assert holds
    expected = [(Known.keys[who], time_s if who >= 2 else None) for who, time_s, _ in counted]
    assert [(signature.key, signature.time_s) for signature in verified] == expected


@settings(max_examples=150)
@given(st.data())
def test_checkpoints(data: st.DataObject) -> None:
    """A policy accepts exactly the checkpoints of the origin asked for, signed by it, no bad line, with a quorum."""
    origin = data.draw(st.sampled_from([ORIGIN, "example.com/other", "example.com/third"]))
    size = data.draw(st.sampled_from([0, 1]))
    root = data.draw(st.sampled_from([mth(0, 0), bytes(32)]))
    text = Checkpoint(origin, size, root).encode()
    asked = data.draw(st.sampled_from([ORIGIN, "example.com/other"]))
    quorum = data.draw(st.sampled_from(["none", "w1", "both", "either"]))
    policy = LogPolicy.parse(
        f"log {Known.keys[0]}\nlog {Known.keys[1]}\nwitness w1 {Known.keys[2]}\nwitness w2 {Known.keys[3]}\n".encode()
        + {"both": b"group both all w1 w2\n", "either": b"group either any w1 w2\n"}.get(quorum, b"")
        + f"quorum {quorum}\n".encode()
    )
    made = data.draw(st.lists(lines(text), min_size=1, max_size=6))
    counted = [(who, time_s, good and (who < 2 or 0 < time_s < 2**63)) for who, time_s, good, _ in made if who < 4]
    cosigned = {who: max(time_s for other, time_s, _ in counted if other == who) for who in {w for w, *_ in counted if w >= 2}}
    enough = {"none": True, "w1": 2 in cosigned, "both": {2, 3} <= set(cosigned), "either": bool(cosigned)}[quorum]
    holds = (
        all(good for *_, good in counted)
        and Known.names.index(asked) in {who for who, *_ in counted}
        and asked == origin
        and (size > 0 or root == mth(0, 0))
        and enough
    )
    note = Note(text, tuple(line for *_, line in made)).encode()
    try:
        verified = policy.verify_checkpoint(note, asked)
    except MerkleError:
        assert not holds
        return
    assert holds
    assert verified.cosigned == {Known.names[who]: time_s for who, time_s in cosigned.items()}


POLICY_OF_SAMPLES = LogPolicy.parse(POLICY)


@given(st.data())
def test_altered_proof_files_prove_nothing(data: st.DataObject) -> None:
    """Only `extra` can be altered in a file that verifies: it is authenticated by nothing."""
    assert verify_proof_file(ProofFile.parse(PROOF_FILE), POLICY_OF_SAMPLES, ORIGIN, LEAVES[INDEX]).checkpoint.root == ROOT
    changed = data.draw(altered(PROOF_FILE).filter(lambda changed: changed != PROOF_FILE))
    try:
        file = ProofFile.parse(changed)
        verify_proof_file(file, POLICY_OF_SAMPLES, ORIGIN, LEAVES[INDEX])
    except MerkleError:
        return
    assert (file.extra, ProofFile(file.index, file.path, file.checkpoint).encode()) == (file.extra, PROOF_FILE)
    assert file.extra


@pytest.mark.parametrize("sound", [INCLUSION, CONSISTENCY])
@given(data=st.data())
def test_altered_receipts_prove_nothing(sound: bytes, data: st.DataObject) -> None:
    """No byte of a receipt can be altered: header and signature are bound by the key, the proof by the signed root and size."""
    changed = data.draw(altered(sound).filter(lambda changed: changed != sound))
    with pytest.raises(MerkleError):
        _verify(changed)


def _verify(data: bytes) -> bytes:
    receipt = parse_receipt(data)
    if isinstance(receipt, InclusionReceipt):
        return verify_inclusion_receipt(receipt, LEAVES[INDEX], [RECEIPT_KEY])
    return verify_consistency_receipt(receipt, OLD_ROOT, [RECEIPT_KEY])


@given(st.data(), st.integers(2, 600))
def test_receipts_of_any_tree(data: st.DataObject, size: int) -> None:
    """A receipt built from the reference's proof verifies, cbor2 finds in it what was signed, and it is of one index only."""
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    root = mth(0, size)
    signed = signed_root(size, root)
    inclusion = InclusionReceipt(signed, index, tuple(path(index, 0, size)))
    assert verify_inclusion_receipt(inclusion, MANY[index], [RECEIPT_KEY]) == root
    consistency = ConsistencyReceipt(signed, old, tuple(proof(old, size)))
    assert verify_consistency_receipt(consistency, mth(0, old), [RECEIPT_KEY]) == root
    for receipt in (inclusion, consistency):
        assert parse_receipt(receipt.encode()) == receipt
        protected, _, payload, signature = cbor2.loads(receipt.encode()).value
        assert payload is None
        assert cbor2.dumps(cbor2.loads(protected), canonical=True) == protected
        RECEIPTS.public_key().verify(signature, cbor2.dumps(["Signature1", protected, b"", root]))
    for wrong in {0, index ^ 1, index >> 1, size - 1} - {index}:
        if wrong < size:
            with pytest.raises(MerkleError):
                verify_inclusion_receipt(InclusionReceipt(signed, wrong, inclusion.path), MANY[index], [RECEIPT_KEY])


def signed_root(size: int, root: bytes, key: ReceiptKey = RECEIPT_KEY) -> SignedRoot:
    """Sign a root as the log of the samples."""
    header = RootHeader(ORIGIN, size, key.key_id)
    return SignedRoot(header, RECEIPTS.sign(header.signing_input(root)))


def test_the_size_is_signed() -> None:
    """Leaf 4 of 5 has the path of leaf 1 of 2, to the same root: a signature on the root alone would accept either."""
    root = mth(0, 5)
    sibling = (mth(0, 4),)
    assert verify_inclusion_receipt(InclusionReceipt(signed_root(5, root), 4, sibling), MANY[4], [RECEIPT_KEY]) == root
    moved = InclusionReceipt(SignedRoot(RootHeader(ORIGIN, 2, RECEIPT_KEY.key_id), signed_root(5, root).signature), 1, sibling)
    with pytest.raises(MerkleError, match="has not signed the root"):
        verify_inclusion_receipt(moved, MANY[4], [RECEIPT_KEY])
