"""Every text and binary format of merkle: sound samples, our reader and the reference's, in the same words."""

from collections.abc import Callable
from typing import Any

from tallystick.merkle import cbor
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import decode_base64, parse_decimal
from tallystick.merkle.hashing import MAX_SIZE
from tallystick.merkle.notes import Note, VerifierKey
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proof_files import ProofFile
from tallystick.merkle.receipts import ConsistencyReceipt, parse_receipt
from tallystick.merkle.tiles import TilePath, decode_bundle, encode_bundle

from . import reference
from .samples import CONSISTENCY, INCLUSION, KEY, NOTE, POLICY, PROOF_FILE, PROOF_FILE_WITH_EXTRA, TEXT, WITNESS_KEY

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
