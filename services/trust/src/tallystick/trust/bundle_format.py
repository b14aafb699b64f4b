"""Proof bundles as files: JSON, `application/json`, every byte string in canonical base64.

    { "format": "tallystick/proof-bundle/v1",
      "decision":   {"index": 123, "entry": "…", "proof": ["…", …], "checkpoint": "<signed note>"},
      "governance": {"checkpoint": "<signed note>",
                     "model":      {"index": 0, "entry": "…", "proof": ["…", …]},
                     "policy":     {…},
                     "activation": {…},
                     "enrolments": [{…}, …]},
      "disclosures": [{"group": "features", "salt": "…", "content": "…"}, …],
      "anchors": [{"size": 200, "consistency": ["…", …], "receipt": {…}}, …] }

`entry` is a `LogEntry` as logged, `proof` its inclusion proof, leaf to root, for the checkpoint's size. `governance` is absent
or null where the decision names no activation; `enrolments`, in log order, show how signers who are not in the trust policy
came to sign; they, `disclosures` and `anchors` may be absent. An anchor is of the head of `size` entries of the decision's log;
`consistency` is the proof between that tree and the checkpoint's, from the smaller to the larger; `receipt` is as
`anchors.receipts` has it. Nothing here is verified: `bundle` does that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tallystick.merkle.encoding import decode_base64, encode_base64
from tallystick.merkle.errors import MerkleError
from tallystick.trust.anchors.receipts import Receipt, receipt_from_json, receipt_to_json
from tallystick.trust.strict_json import JsonError, fields, parse_object

FORMAT = "tallystick/proof-bundle/v1"
MAX_BUNDLE_BYTES = 2**20
MAX_PROOF_HASHES = 64
MAX_ANCHORS = 8
_MAX_INDEX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry of a log, with its inclusion proof (leaf to root)."""

    index: int
    entry: bytes
    proof: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class GovernanceProofs:
    """The entries that a decision was made under, all under one checkpoint of the governance log (a signed note)."""

    checkpoint: bytes
    model: LoggedEntry
    policy: LoggedEntry
    activation: LoggedEntry
    enrolments: Sequence[LoggedEntry] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """One disclosed group, by its short name: what opens its commitment."""

    group: str
    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class AnchorProof:
    """A receipt for the head of `size` entries, and the proof between that tree and the checkpoint's."""

    size: int
    consistency: Sequence[bytes]
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ProofBundle:
    """All that is needed to verify one decision offline; `checkpoint` is the decisions log's signed note."""

    decision: LoggedEntry
    checkpoint: bytes
    governance: GovernanceProofs | None = None
    disclosures: Sequence[Opening] = ()
    anchors: Sequence[AnchorProof] = ()


def encode_bundle(bundle: ProofBundle) -> bytes:
    """Return the bundle's file."""
    return json.dumps(bundle_to_json(bundle), ensure_ascii=False, indent=1).encode() + b"\n"


def bundle_to_json(bundle: ProofBundle) -> dict[str, Any]:
    """Return what the bundle's file holds."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "decision": _entry_to_json(bundle.decision) | {"checkpoint": bundle.checkpoint.decode()},
    }
    if bundle.governance is not None:
        document["governance"] = {
            "checkpoint": bundle.governance.checkpoint.decode(),
            "model": _entry_to_json(bundle.governance.model),
            "policy": _entry_to_json(bundle.governance.policy),
            "activation": _entry_to_json(bundle.governance.activation),
            "enrolments": [_entry_to_json(entry) for entry in bundle.governance.enrolments],
        }
    document["disclosures"] = [
        {"group": item.group, "salt": encode_base64(item.salt), "content": encode_base64(item.content)}
        for item in bundle.disclosures
    ]
    document["anchors"] = [
        {
            "size": item.size,
            "consistency": [encode_base64(node) for node in item.consistency],
            "receipt": receipt_to_json(item.receipt),
        }
        for item in bundle.anchors
    ]
    return document


def parse_bundle(data: bytes) -> ProofBundle:
    """Read a bundle's file.

    Raises:
        JsonError: It is not strict JSON of this format.
    """
    document = fields(
        {name: value for name, value in parse_object(data, MAX_BUNDLE_BYTES).items() if (name, value) != ("governance", None)},
        "the bundle",
        {"format": str, "decision": dict},
        {"governance": dict, "disclosures": list, "anchors": list},
    )
    if document["format"] != FORMAT:
        raise JsonError(f"the bundle's format is {document['format']!r}, and this program understands {FORMAT!r}")
    decision = fields(document["decision"], "decision", _ENTRY | {"checkpoint": str})
    governance = document.get("governance")
    return ProofBundle(
        decision=_entry_from_json(decision, "decision"),
        checkpoint=_text(decision["checkpoint"], "decision: checkpoint"),
        governance=None if governance is None else _governance_from_json(governance),
        disclosures=tuple(_opening(item, place) for place, item in enumerate(document.get("disclosures", []))),
        anchors=_anchors(document.get("anchors", [])),
    )


_ENTRY: dict[str, type] = {"index": int, "entry": str, "proof": list}


def _entry_to_json(entry: LoggedEntry) -> dict[str, Any]:
    return {
        "index": entry.index,
        "entry": encode_base64(entry.entry),
        "proof": [encode_base64(node) for node in entry.proof],
    }


def _governance_from_json(value: dict[str, Any]) -> GovernanceProofs:
    required: dict[str, type] = {"checkpoint": str, "model": dict, "policy": dict, "activation": dict}
    governance = fields(value, "governance", required, {"enrolments": list})

    def entry(item: Any, name: str) -> LoggedEntry:
        return _entry_from_json(fields(item, f"governance: {name}", _ENTRY), f"governance: {name}")

    return GovernanceProofs(
        checkpoint=_text(governance["checkpoint"], "governance: checkpoint"),
        model=entry(governance["model"], "model"),
        policy=entry(governance["policy"], "policy"),
        activation=entry(governance["activation"], "activation"),
        enrolments=tuple(entry(item, f"enrolment {place}") for place, item in enumerate(governance.get("enrolments", []))),
    )


def _entry_from_json(value: dict[str, Any], where: str) -> LoggedEntry:
    index = value["index"]
    if not 0 <= index <= _MAX_INDEX:
        raise JsonError(f"{where}: index {index} is out of range")
    return LoggedEntry(index, _bytes(value["entry"], f"{where}: entry"), _hashes(value["proof"], where))


def _hashes(proof: list[Any], where: str) -> tuple[bytes, ...]:
    if len(proof) > MAX_PROOF_HASHES:
        raise JsonError(f"{where}: the proof has {len(proof)} hashes, more than any log's")
    return tuple(_bytes(node, f"{where}: proof") for node in proof)


def _anchors(values: list[Any]) -> tuple[AnchorProof, ...]:
    if len(values) > MAX_ANCHORS:
        raise JsonError(f"the bundle has {len(values)} anchors, more than {MAX_ANCHORS}")
    return tuple(_anchor(value, f"anchor {place}") for place, value in enumerate(values))


def _anchor(value: Any, where: str) -> AnchorProof:
    anchor = fields(value, where, {"size": int, "consistency": list, "receipt": dict})
    if not 1 <= anchor["size"] <= _MAX_INDEX:
        raise JsonError(f"{where}: size {anchor['size']} is out of range")
    return AnchorProof(
        anchor["size"], _hashes(anchor["consistency"], where), receipt_from_json(anchor["receipt"], f"{where}: receipt")
    )


def _opening(value: Any, place: int) -> Opening:
    where = f"disclosure {place}"
    opening = fields(value, where, {"group": str, "salt": str, "content": str})
    return Opening(opening["group"], _bytes(opening["salt"], f"{where}: salt"), _bytes(opening["content"], f"{where}: content"))


def _bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, str):
        raise JsonError(f"{where} must be a string")
    try:
        return decode_base64(value)
    except MerkleError as error:
        raise JsonError(f"{where} is {error}") from None


def _text(value: str, where: str) -> bytes:
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise JsonError(f"{where} holds half a character") from None
