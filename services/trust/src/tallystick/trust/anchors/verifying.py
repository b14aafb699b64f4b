"""What a receipt shows, given what the trust policy pins."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tallystick.trust.anchors.errors import AnchorError, NotPinnedError
from tallystick.trust.anchors.evm import origin_digest, verify_posted
from tallystick.trust.anchors.pins import Anchorer, Contract, TimestampAuthority
from tallystick.trust.anchors.receipts import PostedReceipt, Receipt, StampReceipt
from tallystick.trust.anchors.rfc3161 import verify_stamp
from tallystick.trust.anchors.text import parse_text


@dataclass(frozen=True, slots=True)
class VerifiedAnchor:
    """A head that was known outside: the tree's `size` and `root`, by whom (`by`, in the trust policy), and when.

    `time_s` is in seconds since 1970, on the word of the authority or of the block. `shown` and `unchecked` say in one clause
    each what the receipt shows and what no file can show.
    """

    by: str
    kind: str
    size: int
    root: bytes
    time_s: int
    shown: str
    unchecked: str


def verify_receipt(receipt: Receipt, origin: str, size: int, pins: Mapping[str, Anchorer]) -> VerifiedAnchor:
    """Verify that a receipt anchors the head of the log `origin` at `size`.

    The root is the receipt's: that it is the root of the log at hand is for the caller to show.

    Raises:
        NotPinnedError: it is of somebody who is not pinned, or of another contract.
        AnchorError: it does not.
    """
    pin = pins.get(receipt.by)
    if isinstance(receipt, StampReceipt) and isinstance(pin, TimestampAuthority):
        return _stamp(receipt, origin, size, pin)
    if isinstance(receipt, PostedReceipt) and isinstance(pin, Contract):
        return _posted(receipt, origin, size, pin)
    raise NotPinnedError("the trust policy pins nobody of this name and kind")


def _stamp(receipt: StampReceipt, origin: str, size: int, authority: TimestampAuthority) -> VerifiedAnchor:
    heads = {head.origin: head for head in parse_text(receipt.text)}
    if origin not in heads or heads[origin].size != size:
        raise AnchorError(f"the text does not hold the head of {size:,} entries of {origin}")
    stamp = verify_stamp(receipt.request, receipt.response, receipt.text, authority.roots)
    return VerifiedAnchor(
        by=receipt.by,
        kind="rfc3161",
        size=size,
        root=heads[origin].root,
        time_s=int(stamp.time.timestamp()),
        shown=f"the authority {receipt.by} stamped the log's head of {size:,} entries at {_utc(stamp.time.timestamp())}",
        unchecked=f"whether the certificate of the authority {receipt.by} was revoked",
    )


def _posted(receipt: PostedReceipt, origin: str, size: int, contract: Contract) -> VerifiedAnchor:
    posted, block = verify_posted(receipt.header, receipt.transaction_index, receipt.proof, receipt.log_index, contract.address)
    if posted.origin_digest != origin_digest(origin) or posted.size != size:
        raise AnchorError(f"the event is not about the head of {size:,} entries of {origin}")
    where = f"block {block.number:,} (0x{block.hash.hex()})"
    return VerifiedAnchor(
        by=receipt.by,
        kind="evm",
        size=size,
        root=posted.root,
        time_s=block.time_s,
        shown=f"if {where} is on chain {contract.chain_id}, the contract {receipt.by} took the log's head of {size:,} entries "
        f"in it, dated {_utc(block.time_s)}",
        unchecked=f"whether {where} is on chain {contract.chain_id}: any of its nodes tells",
    )


def _utc(time_s: float) -> str:
    try:
        return datetime.fromtimestamp(int(time_s), UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{int(time_s)} s since 1970"
