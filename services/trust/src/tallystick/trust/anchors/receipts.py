"""What is kept of an anchor, and goes into bundles: a JSON object, its byte strings in canonical base64.

    {"kind": "rfc3161", "by": "tsa1", "text": "<see text>", "request": "<DER>", "response": "<DER>"}
    {"kind": "evm", "by": "chain1", "header": "<RLP>", "transaction": 3, "proof": ["<RLP>", …], "event": 0}

`by` is the authority's or the contract's name in the trust policy. Nothing here is verified: `verifying` does that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tallystick.merkle.encoding import decode_base64, encode_base64
from tallystick.merkle.errors import MerkleError
from tallystick.trust.anchors.evm import MAX_HEADER_BYTES, MAX_NODE_BYTES
from tallystick.trust.anchors.pins import check_name
from tallystick.trust.anchors.rfc3161 import MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES
from tallystick.trust.anchors.text import MAX_TEXT_BYTES
from tallystick.trust.anchors.trie import MAX_NODES
from tallystick.trust.strict_json import JsonError, fields, parse_object

MAX_RECEIPT_BYTES = 2**19
MAX_PLACE = 2**32 - 1


@dataclass(frozen=True, slots=True)
class StampReceipt:
    """A time stamp as it was asked for and answered, over a text of heads."""

    by: str
    text: bytes
    request: bytes
    response: bytes


@dataclass(frozen=True, slots=True)
class PostedReceipt:
    """A contract's event: the block's header, the transaction's place in it, its receipt's trie proof, the event's place."""

    by: str
    header: bytes
    transaction_index: int
    proof: Sequence[bytes]
    log_index: int


Receipt = StampReceipt | PostedReceipt


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the receipt's file."""
    return json.dumps(receipt_to_json(receipt), ensure_ascii=False, indent=1).encode() + b"\n"


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt's file. Raises JsonError if it is not strict JSON of this format."""
    return receipt_from_json(parse_object(data, MAX_RECEIPT_BYTES), "the receipt")


def receipt_to_json(receipt: Receipt) -> dict[str, Any]:
    """Return the receipt as JSON values."""
    if isinstance(receipt, StampReceipt):
        return {
            "kind": "rfc3161",
            "by": receipt.by,
            "text": receipt.text.decode(),
            "request": encode_base64(receipt.request),
            "response": encode_base64(receipt.response),
        }
    return {
        "kind": "evm",
        "by": receipt.by,
        "header": encode_base64(receipt.header),
        "transaction": receipt.transaction_index,
        "proof": [encode_base64(node) for node in receipt.proof],
        "event": receipt.log_index,
    }


def receipt_from_json(value: Any, where: str) -> Receipt:
    """Return the receipt that JSON values hold; `where` begins the messages.

    Raises:
        JsonError: they are not of this format.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "rfc3161":
        found = fields(value, where, {"kind": str, "by": str, "text": str, "request": str, "response": str})
        return StampReceipt(
            by=_name(found["by"], where),
            text=_text(found["text"], where),
            request=_bytes(found["request"], f"{where}: request", MAX_REQUEST_BYTES),
            response=_bytes(found["response"], f"{where}: response", MAX_RESPONSE_BYTES),
        )
    if kind == "evm":
        shape = {"kind": str, "by": str, "header": str, "transaction": int, "proof": list, "event": int}
        found = fields(value, where, shape)
        if len(found["proof"]) > MAX_NODES:
            raise JsonError(f"{where}: the proof has {len(found['proof'])} nodes, more than any trie's")
        return PostedReceipt(
            by=_name(found["by"], where),
            header=_bytes(found["header"], f"{where}: header", MAX_HEADER_BYTES),
            transaction_index=_place(found["transaction"], where),
            proof=tuple(_bytes(node, f"{where}: proof", MAX_NODE_BYTES) for node in found["proof"]),
            log_index=_place(found["event"], where),
        )
    raise JsonError(f"{where}: the kind must be rfc3161 or evm")


def _name(value: str, where: str) -> str:
    try:
        return check_name(value)
    except ValueError as error:
        raise JsonError(f"{where}: {error}") from None


def _place(value: int, where: str) -> int:
    if not 0 <= value <= MAX_PLACE:
        raise JsonError(f"{where}: the place {value} is out of range")
    return value


def _text(value: str, where: str) -> bytes:
    try:
        text = value.encode()
    except UnicodeEncodeError:
        raise JsonError(f"{where}: the text holds half a character") from None
    if len(text) > MAX_TEXT_BYTES:
        raise JsonError(f"{where}: the text has more than {MAX_TEXT_BYTES:,} bytes")
    return text


def _bytes(value: Any, where: str, limit: int) -> bytes:
    if not isinstance(value, str):
        raise JsonError(f"{where} must be a string")
    if len(value) > limit * 4 // 3 + 4:
        raise JsonError(f"{where} has more than {limit:,} bytes")
    try:
        return decode_base64(value)
    except MerkleError as error:
        raise JsonError(f"{where} is {error}") from None
