"""What is fuzzed of anchors: texts of heads, time stamps, and events of a contract."""

import json
from base64 import b64decode
from pathlib import Path

from cryptography import x509

from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.evm import ANCHORED, origin_digest, verify_posted
from tallystick.trust.anchors.keccak import keccak256
from tallystick.trust.anchors.receipts import StampReceipt, encode_receipt, parse_receipt
from tallystick.trust.anchors.rfc3161 import verify_stamp
from tallystick.trust.anchors.text import Head, encode_text, parse_text
from tallystick.trust.errors import TrustError

from ..property.merkle import samples

_CASES = json.loads((Path(__file__).parents[1] / "vectors/timestamps/cases.json").read_bytes())
_CASE = _CASES[0]
_REQUEST, _TEXT = b64decode(_CASE["request"]), b64decode(_CASE["text"])
_ROOTS = [x509.load_pem_x509_certificate(root.encode()) for root in _CASE["roots"]]
_ADDRESS = b"\xab" * 20

STAMPS = [b64decode(case["response"]) for case in _CASES]
TEXTS = [encode_text([Head.of(samples.NOTE)])]


def stamps(data: bytes) -> None:
    """Read bytes as an authority's answer, as a request and as a kept receipt."""
    for request, response in ((_REQUEST, data), (data, STAMPS[0])):
        try:
            verify_stamp(request, response, _TEXT, _ROOTS)
        except AnchorError:
            continue
    try:
        parse_receipt(data)
    except TrustError:
        return


def texts(data: bytes) -> None:
    """Read bytes as a text of heads."""
    try:
        heads = parse_text(data)
    except AnchorError:
        return
    if encode_text(heads) != data:
        raise AssertionError("a text of heads has two spellings")


def rlp(item: bytes | list[bytes]) -> bytes:
    """Encode a string, or a list of items that are encoded already (Yellow Paper, appendix B)."""
    payload, base = (b"".join(item), 0xC0) if isinstance(item, list) else (item, 0x80)
    if base == 0x80 and len(payload) == 1 and payload[0] < 0x80:
        return payload
    if len(payload) <= 55:
        return bytes([base + len(payload)]) + payload
    length = len(payload).to_bytes((len(payload).bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(length)]) + length + payload


def posted(data: bytes) -> None:
    """Read bytes as a transaction's receipt, in a trie and block that hold it, and as a trie's node and a block's header."""
    leaf = rlp([rlp(b"\x20\x80"), rlp(data)])  # the key of transaction 0
    for header, node in ((_header(keccak256(leaf)), leaf), (_header(keccak256(data)), data), (data, leaf)):
        try:
            found, _ = verify_posted(header, 0, [node], 0, _ADDRESS)
        except AnchorError:
            continue
        if len(found.root) != 32:
            raise AssertionError("a head whose root is no hash")


def _header(receipts_root: bytes) -> bytes:
    return rlp([rlp(b"")] * 5 + [rlp(receipts_root)] + [rlp(b"\x01")] * 10)


def _receipt() -> bytes:
    topics = rlp([rlp(ANCHORED), rlp(origin_digest(samples.ORIGIN))])
    event = rlp([rlp(_ADDRESS), topics, rlp(samples.SIZE.to_bytes(32, "big") + samples.ROOT)])
    return rlp([rlp(b"\x01"), rlp(b"\x52\x08"), rlp(bytes(256)), rlp([event])])


RECEIPTS = [_receipt(), b"\x02" + _receipt(), rlp([rlp(b"\x20\x80"), rlp(_receipt())]), _header(bytes(32))]
KEPT = [encode_receipt(StampReceipt("tsa1", _TEXT, _REQUEST, STAMPS[0]))]
