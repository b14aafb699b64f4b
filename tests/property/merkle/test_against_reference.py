"""Every parser agrees with the naive reference, on what is accepted and on what it says."""

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick.merkle import cbor
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import decode_base64, parse_decimal
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import MAX_SIZE
from tallystick.merkle.notes import Note, VerifierKey
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proof_files import ProofFile
from tallystick.merkle.receipts import ConsistencyReceipt, parse_receipt
from tallystick.merkle.tiles import TilePath, decode_bundle, encode_bundle

from . import reference
from .reference import RefusedError
from .samples import (
    CONSISTENCY,
    INCLUSION,
    KEY,
    NOTE,
    POLICY,
    PROOF_FILE,
    PROOF_FILE_WITH_EXTRA,
    PUBLIC_KEYS,
    TEXT,
    WITNESS_KEY,
)
from .strategies import altered

Reader = Callable[[bytes], Any]


def octets(text: str) -> bytes:
    """Return a policy's name as it stands in the file."""
    return text.encode("utf-8", "surrogateescape")


def as_text(data: bytes) -> str:
    """Return bytes as the text that a caller would pass, whatever they are."""
    return data.decode("utf-8", "surrogateescape")


def read_note(data: bytes) -> Any:
    """Return a note as the reference tells it."""
    note = Note.parse(data)
    return note.text, [(line.name.encode(), line.key_id, line.signature) for line in note.signatures]


def read_checkpoint(data: bytes) -> Any:
    """Return a checkpoint as the reference tells it."""
    checkpoint = Checkpoint.parse(data)
    extensions = [line.encode() for line in checkpoint.extensions]
    return checkpoint.origin.encode(), checkpoint.size, checkpoint.root, extensions


def read_key(data: bytes) -> Any:
    """Return a verifier key as the reference tells it."""
    key = VerifierKey.parse(as_text(data))
    return key.name.encode(), key.kind, key.public_key


def read_path(data: bytes) -> Any:
    """Return a tile's path as the reference tells it."""
    path = TilePath.parse(as_text(data))
    return path.level, path.index, path.width


def read_policy(data: bytes) -> Any:
    """Return a policy as the reference tells it."""
    policy = LogPolicy.parse(data)
    return (
        [str(key).encode() for key, _ in policy.logs],
        {octets(name): str(key).encode() for name, key in policy.witnesses.items()},
        {octets(group.name): (group.threshold, [octets(member) for member in group.members]) for group in policy.groups},
        octets(policy.quorum or "none"),
    )


def read_proof_file(data: bytes) -> Any:
    """Return a proof file as the reference tells it."""
    file = ProofFile.parse(data)
    return file.extra, file.index, list(file.path), file.checkpoint


def plain(value: cbor.Value) -> Any:
    """Return a CBOR value as the reference tells it."""
    if isinstance(value, cbor.Tag):
        return "tag", value.number, plain(value.value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return "map", [(key, plain(item)) for key, item in value.items()]
    return value


def from_cbor2(value: Any) -> Any:
    """Return a value of cbor2's in the same words."""
    if isinstance(value, cbor2.CBORTag):
        return "tag", value.tag, from_cbor2(value.value)
    if isinstance(value, list):
        return [from_cbor2(item) for item in value]
    if isinstance(value, dict):
        return "map", [(key, from_cbor2(item)) for key, item in value.items()]
    return value


def read_receipt(data: bytes) -> Any:
    """Return a receipt as the reference tells it."""
    receipt = parse_receipt(data)
    header = receipt.signed.header
    told = header.origin, header.size, header.key_id, receipt.signed.signature
    if isinstance(receipt, ConsistencyReceipt):
        return *told, -2, receipt.old_size, header.size, list(receipt.path)
    return *told, -1, header.size, receipt.index, list(receipt.path)


# Each format: sound samples, our reader and the reference's.
FORMATS: dict[str, tuple[list[bytes], Reader, Reader]] = {
    "note": ([NOTE], read_note, reference.note),
    "checkpoint": ([TEXT, TEXT + b"extension\n"], read_checkpoint, reference.checkpoint),
    "verifier key": ([str(KEY).encode(), str(WITNESS_KEY).encode()], read_key, reference.verifier_key),
    "tile path": (
        [b"tile/0/x001/x234/067", b"tile/63/000.p/255", b"tile/entries/x999/999.p/1", b"tile/8/001"],
        read_path,
        reference.tile_path,
    ),
    "base64": ([b"", b"aGFzaA==", b"aGFzaDA="], lambda data: decode_base64(as_text(data)), reference.base64_strict),
    "decimal": ([b"0", b"1234", b"%d" % MAX_SIZE], lambda data: parse_decimal(as_text(data), MAX_SIZE), reference.decimal),
    "entries": (
        [encode_bundle([b"one", b"", b"three"])],
        lambda data: decode_bundle(data, 3),
        lambda data: reference.entry_bundle(data, 3),
    ),
    "policy": ([POLICY], read_policy, reference.policy),
    "proof file": ([PROOF_FILE, PROOF_FILE_WITH_EXTRA], read_proof_file, reference.proof_file),
    "CBOR": (
        [INCLUSION, CONSISTENCY, b"\xa2\x01\x61a\x20\x82\xf6\xd2\x40", b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff"],
        lambda data: plain(cbor.decode(data)),
        reference.cbor,
    ),
    "receipt": ([INCLUSION, CONSISTENCY], read_receipt, reference.receipt),
}


def verdict(reader: Reader, data: bytes, refusal: type[Exception]) -> Any:
    """Return what a reader makes of some bytes; None if it refuses them."""
    try:
        return "accepted", reader(data)
    except refusal:
        return None


@pytest.mark.parametrize("name", FORMATS)
@given(st.data())
def test_agreement(name: str, data: st.DataObject) -> None:
    """Sound, altered or arbitrary, ours and the reference's verdicts are the same, and so is what they read."""
    samples, ours, naive = FORMATS[name]
    sample = data.draw(st.sampled_from(samples))
    assert verdict(ours, sample, MerkleError) == verdict(naive, sample, RefusedError) != None  # noqa: E711  # both accept
    tried = data.draw(altered(sample))
    assert verdict(ours, tried, MerkleError) == verdict(naive, tried, RefusedError)


@given(
    st.recursive(
        st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=30) | st.none(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5), inner, max_size=4)
            | st.builds(cbor.Tag, st.integers(2**32, 2**64 - 1), inner)
        ),
        max_leaves=10,
    )
)
@example({-65537: [2**32, 2**16, 2**8, 24, 23]})
def test_cbor_values(value: cbor.Value) -> None:
    """Whatever is written is read back, by us unless it is too deep, and by cbor2 (to whom small tags mean other things)."""
    data = cbor.encode(value)
    assert from_cbor2(cbor2.loads(data)) == plain(value)
    if verdict(reference.cbor, data, RefusedError) is not None:
        decoded = cbor.decode(data)
        assert plain(decoded) == plain(value)
        assert cbor.encode(decoded) == data


@given(st.data(), st.integers(1, 6))
def test_quorums(data: st.DataObject, count: int) -> None:
    """Random nested groups have a quorum exactly when the definition, read from the top down, says so."""
    names = [f"w{number}" for number in range(count)]
    keys = [VerifierKey.make(name, 4, PUBLIC_KEYS[number]) for number, name in enumerate(names)]
    lines = [f"witness {name} {key}" for name, key in zip(names, keys, strict=True)]
    free = list(names)
    for number in range(data.draw(st.integers(0, 4))):
        if not free:
            break
        members = data.draw(st.lists(st.sampled_from(free), min_size=1, max_size=len(free), unique=True))
        threshold = data.draw(st.sampled_from(["any", "all", *map(str, range(1, len(members) + 1))]))
        lines.append(f"group g{number} {threshold} {' '.join(members)}")
        free = [name for name in free if name not in members] + [f"g{number}"]
    lines.append(f"quorum {data.draw(st.sampled_from([*free, 'none']))}")
    text = "".join(f"{line}\n" for line in lines).encode()
    cosigned = data.draw(st.sets(st.sampled_from([*names, "stranger", "g0"])))
    _, witnesses, groups, quorum = reference.policy(text)
    expected = reference.witnessed(quorum, groups, {name.encode() for name in cosigned} & set(witnesses))
    assert LogPolicy.parse(text).has_quorum(cosigned) == expected
