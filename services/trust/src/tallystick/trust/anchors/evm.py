"""A head in an EVM chain's contract, verified down to the hash of the block that it was posted in.

Event `Anchored(bytes32 indexed origin, uint64 size, bytes32 root)` of the pinned contract, in the receipt of a transaction that
succeeded, in the block's receipts trie, under the header that the block's hash is of. What no file can show is that the block
is on the chain: any node of the chain tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from tallystick.trust.anchors import rlp
from tallystick.trust.anchors.errors import AnchorError, NotPinnedError
from tallystick.trust.anchors.keccak import keccak256
from tallystick.trust.anchors.trie import verify_value

ANCHORED = keccak256(b"Anchored(bytes32,uint64,bytes32)")
MAX_HEADER_BYTES = 4_096
MAX_NODE_BYTES = 262_144
_HEADER_FIELDS = 15  # the least; later forks append some
_RECEIPTS_ROOT, _NUMBER, _TIME = 5, 8, 11
_RECEIPT_FIELDS, _LOG_FIELDS, _HASH = 4, 3, 32
_MAX_TYPE = 0x7F


@dataclass(frozen=True, slots=True)
class Posted:
    """A head in a contract: the log's origin as SHA-256, and what was posted of it."""

    origin_digest: bytes
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """The block that a head was posted in; `time_s` is the block's own word, in seconds since 1970."""

    hash: bytes
    number: int
    time_s: int


def origin_digest(origin: str) -> bytes:
    """Return a log's name in contracts, 32 bytes."""
    return sha256(origin.encode()).digest()


def verify_posted(
    header: bytes, transaction_index: int, proof: Sequence[bytes], log_index: int, address: bytes
) -> tuple[Posted, Block]:
    """Verify that a contract emitted a head, and return it with its block.

    Args:
        header: the block's header, RLP.
        transaction_index: the transaction's place in the block.
        proof: nodes of the block's receipts trie, root first.
        log_index: the event's place among those of the transaction.
        address: the contract's, 20 bytes.

    Raises:
        NotPinnedError: the event is another contract's.
        AnchorError: anything else in it is not so.
    """
    if len(header) > MAX_HEADER_BYTES or sum(map(len, proof)) > MAX_NODE_BYTES:
        raise AnchorError("the block's header or the receipt's proof is larger than any")
    block, receipts_root = _open_header(header)
    receipt = verify_value(receipts_root, rlp.encode_integer(transaction_index), proof)
    logs = _open_receipt(receipt)
    if log_index >= len(logs):
        raise AnchorError("the transaction has not that many events")
    return _open_event(logs[log_index], address), block


def _open_header(header: bytes) -> tuple[Block, bytes]:
    fields = rlp.list_items(header)
    if len(fields) < _HEADER_FIELDS:
        raise AnchorError("the block's header has too few fields")
    receipts_root = rlp.string(fields[_RECEIPTS_ROOT])
    if len(receipts_root) != _HASH:
        raise AnchorError("the block's header has no receipts root")
    return Block(keccak256(header), rlp.integer(fields[_NUMBER]), rlp.integer(fields[_TIME])), receipts_root


def _open_receipt(receipt: bytes) -> Sequence[bytes]:
    """Return the events, still encoded, of a transaction that succeeded."""
    typed = bool(receipt) and receipt[0] <= _MAX_TYPE  # EIP-2718
    fields = rlp.list_items(receipt[1:] if typed else receipt)
    if len(fields) != _RECEIPT_FIELDS:
        raise AnchorError("the transaction's receipt is not one")
    if rlp.string(fields[0]) != b"\x01":
        raise AnchorError("the transaction failed")
    return rlp.list_items(fields[3])


def _open_event(event: bytes, address: bytes) -> Posted:
    fields = rlp.list_items(event)
    if len(fields) != _LOG_FIELDS:
        raise AnchorError("the event is not one")
    if rlp.string(fields[0]) != address:
        raise NotPinnedError("the event is not of the contract that the trust policy pins")
    topics, data = [rlp.string(topic) for topic in rlp.list_items(fields[1])], rlp.string(fields[2])
    if len(topics) != 2 or topics[0] != ANCHORED or len(topics[1]) != _HASH or len(data) != 2 * _HASH:
        raise AnchorError("the event does not say that a head was anchored")
    return Posted(topics[1], int.from_bytes(data[:_HASH], "big"), data[_HASH:])
