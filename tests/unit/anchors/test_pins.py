"""What a trust policy pins of those who anchor, and receipts as files: one reading, or none."""

import json
from dataclasses import replace

import pytest

from tallystick.trust.anchors.pins import Contract, parse_pins
from tallystick.trust.anchors.receipts import PostedReceipt, StampReceipt, encode_receipt, parse_receipt
from tallystick.trust.errors import TrustError

CONTRACT = {"name": "chain1", "chain_id": 1, "address": "0x" + "aB" * 20}
STAMP = StampReceipt("tsa1", b"tallystick/anchor/v1\n", b"request", b"response")
POSTED = PostedReceipt("chain1", b"header", 3, (b"root", b"leaf"), 1)


def test_a_contract_is_pinned() -> None:
    """By chain and address, whatever the case of its digits."""
    assert parse_pins([], [CONTRACT]) == {"chain1": Contract("chain1", 1, b"\xab" * 20)}


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "Chain"},
        {"name": "-chain"},
        {"name": "a/b"},
        {"name": "c" * 33},
        {"chain_id": 0},
        {"chain_id": True},
        {"chain_id": 2**63},
        {"address": "aB" * 20},
        {"address": "0x" + "aB" * 19},
        {"address": "0x" + "zz" * 20},
        {"colour": "red"},
    ],
)
def test_no_other_contract_is_understood(change: dict[str, object]) -> None:
    """Each is refused, with the place that it has."""
    with pytest.raises(TrustError, match="contract 1"):
        parse_pins([], [CONTRACT | change])


@pytest.mark.parametrize(
    "authority",
    [
        {"name": "tsa1", "roots": []},
        {"name": "tsa1", "roots": ["no certificate"]},
        {"name": "tsa1", "roots": [1]},
        {"name": "tsa1"},
        {"name": "TSA", "roots": ["x"]},
        "tsa1",
    ],
)
def test_an_authority_needs_roots(authority: object) -> None:
    """At least one, each one certificate."""
    with pytest.raises(TrustError, match="timestamp authority 1"):
        parse_pins([authority], [])


def test_a_name_is_there_once() -> None:
    """Also among both kinds: receipts name only the name."""
    with pytest.raises(TrustError, match="'chain1' is there twice"):
        parse_pins([], [CONTRACT, CONTRACT])


@pytest.mark.parametrize("receipt", [STAMP, POSTED], ids=["stamp", "posted"])
def test_receipts_come_back(receipt: StampReceipt | PostedReceipt) -> None:
    """As they were written."""
    assert parse_receipt(encode_receipt(receipt)) == receipt


@pytest.mark.parametrize(
    ("receipt", "change"),
    [
        (STAMP, {"kind": "ots"}),
        (STAMP, {"kind": None}),
        (STAMP, {"by": "../tsa1"}),
        (STAMP, {"request": "cmVxdWVzdA="}),
        (STAMP, {"request": "A" * 10_000}),
        (STAMP, {"response": 1}),
        (STAMP, {"text": "x" * 70_000}),
        (STAMP, {"header": "aGVhZGVy"}),
        (POSTED, {"transaction": -1}),
        (POSTED, {"transaction": 2**32}),
        (POSTED, {"event": True}),
        (POSTED, {"proof": ["cm9vdA=="] * 17}),
        (POSTED, {"proof": [1]}),
        (POSTED, {"header": "A" * 10_000}),
    ],
)
def test_no_other_receipt_is_read(receipt: StampReceipt | PostedReceipt, change: dict[str, object]) -> None:
    """Unknown kinds and names, values out of range, base64 that is not canonical, sizes that no receipt has."""
    document = json.loads(encode_receipt(receipt)) | change
    with pytest.raises(TrustError):
        parse_receipt(json.dumps(document).encode())


def test_half_a_character_is_refused() -> None:
    """A text with a lone surrogate is no text."""
    document = encode_receipt(replace(STAMP, text=b"MARK")).replace(b"MARK", b"\\ud800")
    with pytest.raises(TrustError, match="half a character"):
        parse_receipt(document)
