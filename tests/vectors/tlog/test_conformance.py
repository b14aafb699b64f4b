"""The suite, tried on the product."""

import ast
import base64
import json
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tallystick.merkle import ed25519
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import leaf_hash, leaf_hashes
from tallystick.merkle.notes import Note, VerifierKey, open_note, verify_note
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proof_files import ProofFile, verify_proof_file
from tallystick.merkle.proofs import verify_consistency, verify_inclusion
from tallystick.merkle.receipts import (
    ConsistencyReceipt,
    InclusionReceipt,
    ReceiptError,
    ReceiptKey,
    parse_receipt,
    verify_consistency_receipt,
    verify_inclusion_receipt,
)
from tallystick.merkle.tiles import (
    ENTRIES,
    TileBuilder,
    TilePath,
    consistency_proof,
    decode_bundle,
    encode_bundle,
    inclusion_proof,
    root_hash,
)
from tallystick.notary.witness_messages import Answer, Cosigned, WitnessError, read_cosigned
from tallystick.runtime.content_coding import Body, ContentCodingError
from tallystick.runtime.log_reader import MAX_BUNDLE_BYTES

from .documents import to_bytes
from .generate import differing

FOLDER = Path(__file__).parent
Case = dict[str, Any]
Seen = dict[str, Any]


@cache
def _load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    return document


def _hashes(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def _signed_note(case: Case) -> Seen:
    keys = [VerifierKey.parse(key) for key in case["keys"]]
    data = to_bytes(case["note"])
    note, signers = open_note(data, keys)
    signed = [(str(by.key), by.time_s) for by in verify_note(note, keys)]
    assert note.encode() == data
    assert list(map(str, signers)) == list(dict.fromkeys(key for key, _ in signed))
    signatures = [{"key": key} if time_s is None else {"key": key, "time": time_s} for key, time_s in signed]
    return {"text_length": len(note.text), "signers": signatures}


def _verifier_key(case: Case) -> Seen:
    key = VerifierKey.parse(case["vkey"])
    parts = {"name": key.name, "key_id": key.key_id.hex(), "type": key.kind, "public_key": key.public_key.hex()}
    return {"vkey": str(key), **parts}


def _checkpoint(case: Case) -> Seen:
    text = to_bytes(case["text"])
    head = Checkpoint.parse(text)
    assert head.encode() == text
    return {"origin": head.origin, "size": str(head.size), "root": head.root.hex(), "extensions": list(head.extensions)}


def _cosignature(case: Case) -> Seen:
    note = Note.parse(f"{case['text']}\n{case['line']}".encode())
    [signature] = verify_note(note, [VerifierKey.parse(case["key"])])
    return {"time": str(signature.time_s)}


def _tile_path(case: Case) -> Seen:
    path = TilePath.parse(case["path"])
    level = "entries" if path.level == ENTRIES else str(path.level)
    return {"path": path.path(), "level": level, "index": str(path.index), "width": path.width}


def _entry_bundle(case: Case) -> Seen:
    data = to_bytes(case["bundle"])
    if "content_encoding" in case:
        try:
            body = Body(case["content_encoding"], MAX_BUNDLE_BYTES)
            for at in range(0, len(data), 100):  # as it may come over HTTP
                body.add(data[at : at + 100])
            data = body.end()
        except ContentCodingError as error:
            raise MerkleError(str(error)) from error
    entries = decode_bundle(data, case["width"])
    assert encode_bundle(entries) == data
    return {"entries_sha256": sha256(b"".join(sha256(entry).digest() for entry in entries)).hexdigest()}


def _inclusion(case: Case) -> Seen:
    leaf, root = bytes.fromhex(case["leaf"]), bytes.fromhex(case["root"])
    verify_inclusion(int(case["index"]), int(case["size"]), leaf, _hashes(case["proof"]), root)
    return {}


def _consistency(case: Case) -> Seen:
    roots = bytes.fromhex(case["old_root"]), bytes.fromhex(case["root"])
    verify_consistency(int(case["old_size"]), int(case["size"]), *roots, _hashes(case["proof"]))
    return {}


def _policy(case: Case) -> Seen:
    LogPolicy.parse(to_bytes(case["policy"]))
    return {}


def _policy_verdict(case: Case) -> Seen:
    policy = LogPolicy.parse(case["policy"].encode())
    verified = policy.verify_checkpoint(to_bytes(case["checkpoint"]), case["origin"])
    return {"cosigned": {name: str(time_s) for name, time_s in verified.cosigned.items()}}


def _tlog_proof(case: Case) -> Seen:
    suite = _load("tlog-proof")
    file = ProofFile.parse(to_bytes(case["proof"]))
    leaf = leaf_hash(to_bytes(case["entry"])) if "entry" in case else bytes.fromhex(case["leaf"])
    verify_proof_file(file, LogPolicy.parse(suite["policy"].encode()), suite["origin"], leaf)
    return {"index": str(file.index), "extra": base64.b64encode(file.extra).decode()}


def _cose_receipt(case: Case) -> Seen:
    receipt, key = parse_receipt(to_bytes(case["receipt"])), ReceiptKey(case["origin"], bytes.fromhex(case["public_key"]))
    if case["kind"] == "inclusion" and isinstance(receipt, InclusionReceipt):
        return {"root": verify_inclusion_receipt(receipt, bytes.fromhex(case["leaf"]), [key]).hex()}
    if case["kind"] == "consistency" and isinstance(receipt, ConsistencyReceipt):
        return {"root": verify_consistency_receipt(receipt, bytes.fromhex(case["old_root"]), [key]).hex()}
    raise ReceiptError("of the other kind")


def _witness_answer(case: Case) -> Seen:
    suite = _load("witness-answer")
    answer = Answer(case["status"], case["content_type"].partition(";")[0], to_bytes(case["body"]))
    try:
        read = read_cosigned(answer, suite["text"].encode(), VerifierKey.parse(suite["key"]), float(suite["now"]))
    except WitnessError as error:
        raise MerkleError(str(error)) from error
    return {"time": str(read.time_s)} if isinstance(read, Cosigned) else {"size": str(read.size)}


def _ed25519_key(case: Case) -> Seen:
    ed25519.check_public_key(bytes.fromhex(case["public_key"]))
    return {}


def _ed25519_signature(case: Case) -> Seen:
    key = bytes.fromhex(case["public_key"])
    ed25519.check_public_key(key)
    ed25519.verify(key, bytes.fromhex(case["message"]), bytes.fromhex(case["signature"]))
    return {}


TRIALS: dict[str, Callable[[Case], Seen]] = {
    "signed-note": _signed_note,
    "verifier-key": _verifier_key,
    "checkpoint": _checkpoint,
    "cosignature": _cosignature,
    "tile-path": _tile_path,
    "entry-bundle": _entry_bundle,
    "inclusion": _inclusion,
    "consistency": _consistency,
    "policy": _policy,
    "policy-verdict": _policy_verdict,
    "tlog-proof": _tlog_proof,
    "cose-receipt": _cose_receipt,
    "witness-answer": _witness_answer,
    "ed25519-key": _ed25519_key,
    "ed25519-signature": _ed25519_signature,
}


def disagreements(cases: list[Case], trial: Callable[[Case], Seen]) -> list[str]:
    """Return what the product sees otherwise than the suite; open cases may go either way.

    A trial says what it saw, and raises MerkleError to refuse: any other exception is a failure of the product.
    """
    return [f"{case['id']}: {problem} ({case['why']})" for case in cases if (problem := _disagreement(case, trial))]


def _disagreement(case: Case, trial: Callable[[Case], Seen]) -> str | None:
    try:
        seen = trial(case)
    except MerkleError as error:
        return f"refused: {error}" if case["verdict"] == "accept" else None
    if case["verdict"] == "reject":
        return "accepted"
    stated = {key: case[key] for key in seen} if case["verdict"] == "accept" else seen
    return None if seen == stated else f"read as {seen}"


@pytest.mark.parametrize("name", TRIALS)
def test_verdicts(name: str) -> None:
    """The product accepts what is sound, refuses what is broken, and raises nothing but its own errors."""
    assert disagreements(_load(name)["cases"], TRIALS[name]) == []


def test_files_are_what_the_generator_writes() -> None:
    """The data is the generator's, to the byte: nobody has edited a verdict by hand."""
    assert differing() == []


def test_the_generator_is_independent() -> None:
    """Nothing that states a verdict imports the product, or what the product verifies signatures with."""
    modules = [FOLDER / name for name in ("generate.py", "case.py", "documents.py")]
    for path in [*modules, *FOLDER.glob("cases/*.py"), *FOLDER.glob("reference/*.py")]:
        tree = ast.parse(path.read_text())
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
        assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names, path


def test_every_file_is_tried() -> None:
    """No file of the suite is left out here."""
    assert {path.stem for path in FOLDER.glob("*.json")} == TRIALS.keys() | {"tiles", "witness"}


def _entry(index: int) -> bytes:
    return b"entry %d" % index


def _log(size: int) -> tuple[dict[str, bytes], bytes]:
    """Return the product's files and root of the suite's log."""
    builder = TileBuilder()
    files = {path.path(): data for path, data in builder.append(leaf_hashes(map(_entry, range(size)))).items()}
    for start in range(0, size, 256):
        entries = [_entry(index) for index in range(start, min(size, start + 256))]
        files[TilePath(ENTRIES, start // 256, len(entries)).path()] = encode_bundle(entries)
    return files, builder.root()


LOGS = {log["size"]: log for log in _load("tiles")["logs"]}


@pytest.fixture(scope="module")
def logs() -> dict[int, tuple[dict[str, bytes], bytes]]:
    """Return the logs at every size, as the product writes them."""
    return {size: _log(size) for size in LOGS}


def test_tiles(logs: dict[int, tuple[dict[str, bytes], bytes]]) -> None:
    """The builder writes the suite's logs: the same files, each the same bytes, and the same root."""
    for size, stated in LOGS.items():
        files, root = logs[size]
        digests = {path: sha256(data).hexdigest() for path, data in files.items()}
        assert (root.hex(), len(digests)) == (stated["root"], stated["number_of_files"])
        assert {path: digests[path] for path in stated["files_sha256"]} == stated["files_sha256"]
        ordered = sorted(map(TilePath.parse, digests), key=lambda path: (path.level == ENTRIES, path.level, path.index))
        listing = "".join(f"{digests[path.path()]}  {path.path()}\n" for path in ordered)
        assert sha256(listing.encode()).hexdigest() == stated["all_files_sha256"]


def test_reading(logs: dict[int, tuple[dict[str, bytes], bytes]]) -> None:
    """What is read from whole logs holds; what is read from logs with a broken tile is refused, sooner or later."""

    def read_and_verify(case: Case) -> Seen:
        files, root = logs[case["size"]]
        _answer(case, lambda path: _changed(files, path.path(), case["change"]), root, logs)
        return {}

    assert disagreements(_load("tiles")["cases"], read_and_verify) == []


def _changed(files: dict[str, bytes], path: str, change: dict[str, Any] | None) -> bytes:
    data = files[path]
    if change is None or change["path"] != path:
        return data
    if "missing" in change:
        raise MerkleError(f"there is no {path}")
    if "exchange_first_two_hashes" in change:
        return data[32:64] + data[:32] + data[64:]
    if "flip_lowest_bit_of_byte" in change:
        at: int = change["flip_lowest_bit_of_byte"]
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    appended: str = change.get("append", "")
    return data[: len(data) - change.get("drop_last_bytes", 0)] + appended.encode()


def _answer(
    case: Case, read: Callable[[TilePath], bytes], root: bytes, logs: dict[int, tuple[dict[str, bytes], bytes]]
) -> None:
    """Read what the case asks for, and verify it against the whole log's root."""
    size, ask = case["size"], case["ask"]
    if "root" in ask:
        if root_hash(size, read) != root:
            raise MerkleError("another root")
    elif "inclusion" in ask:
        index = ask["inclusion"]
        leaf = read(TilePath(0, index // 256, min(256, size - index // 256 * 256)))[index % 256 * 32 :][:32]
        verify_inclusion(index, size, leaf, inclusion_proof(index, size, read), root)
    elif "consistency" in ask:
        old = ask["consistency"]
        verify_consistency(old, size, logs[old][1], root, consistency_proof(old, size, read))
    else:
        number = ask["entries"]
        width = min(256, size - 256 * number)
        entries = decode_bundle(read(TilePath(ENTRIES, number, width)), width)
        if b"".join(map(leaf_hash, entries)) != read(TilePath(0, number, width)):
            raise MerkleError("an entry does not hash to its leaf")
