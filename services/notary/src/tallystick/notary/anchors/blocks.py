"""From a node's answers to a proof that needs no node: a block's header in RLP, and a receipt's proof in its trie.

Every byte is checked against the block's hash, so a node that errs or lies makes no proof, never a wrong one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from tallystick.notary.anchors.chain import Node, NodeError
from tallystick.notary.anchors.errors import AnchoringError

Log = tuple[bytes, list[bytes], bytes]
"""An event: the contract's address, topics, data."""

_NUMBERS = frozenset(
    {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"}
)
_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
)
_LATER_FIELDS = ("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash")
"""In the order in which forks appended them; a chain without a fork lacks its fields."""


def encode_header(block: Mapping[str, Any]) -> bytes:
    """Return the header of a block as JSON-RPC gives it.

    Raises:
        AnchoringError: it does not hash to the block's hash: a kind of chain that is not known here.
    """
    names = [*_FIELDS, *(name for name in _LATER_FIELDS if block.get(name) is not None)]
    header: bytes = rlp.encode([_field(name, block[name]) for name in names])
    if keccak(header) != _bytes(block["hash"]):
        raise AnchoringError(f"block {block['number']}: its header has fields that are not known here")
    return header


def encode_receipt(receipt: Mapping[str, Any]) -> bytes:
    """Return a transaction's receipt as the block's trie holds it (EIP-658, EIP-2718)."""
    logs: list[Log] = [
        (_bytes(log["address"]), [_bytes(topic) for topic in log["topics"]], _bytes(log["data"])) for log in receipt["logs"]
    ]
    fields = [_number(receipt["status"]), _number(receipt["cumulativeGasUsed"]), _bloom(logs), logs]
    kind = int(str(receipt.get("type") or "0x0"), 16)
    encoded: bytes = rlp.encode(fields)
    return encoded if kind == 0 else bytes([kind]) + encoded


def prove_receipt(block: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]], index: int) -> Sequence[bytes]:
    """Return the nodes, root first, that lead to the receipt of the transaction at `index`.

    Raises:
        AnchoringError: the receipts are not the block's.
    """
    trie: Any = HexaryTrie({})
    for place, receipt in enumerate(receipts):
        trie[rlp.encode(place)] = encode_receipt(receipt)
    if trie.root_hash != _bytes(block["receiptsRoot"]):
        raise AnchoringError(f"block {block['number']}: its receipts are of a kind that is not known here")
    return [rlp.encode(node) for node in trie.get_proof(rlp.encode(index))]


async def read_receipts(node: Node, block: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the receipts of all transactions of a block, in their order."""
    try:
        found = await node.ask("eth_getBlockReceipts", block["hash"])
    except NodeError:  # a method that not all nodes have
        found = [await node.ask("eth_getTransactionReceipt", transaction) for transaction in block["transactions"]]
    if not isinstance(found, list) or not all(isinstance(receipt, Mapping) for receipt in found):
        raise AnchoringError(f"{node.name}: the node does not have the receipts of block {block['number']}")
    return found


def _bloom(logs: Sequence[Log]) -> bytes:
    """Return the filter over addresses and topics (Yellow Paper §4.3.1); computed, since not every node gives it."""
    bloom = 0
    for address, topics, _ in logs:
        for item in (address, *topics):
            digest = keccak(item)
            for at in (0, 2, 4):
                bloom |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bloom.to_bytes(256, "big")


def _field(name: str, value: str) -> bytes:
    return _number(value) if name in _NUMBERS else _bytes(value)


def _number(value: str) -> bytes:
    number = int(value, 16)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))
