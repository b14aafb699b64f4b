"""What a transaction pays (EIP-1559): enough to be taken soon, more when it is stuck, never over the operator's limit."""

from dataclasses import dataclass

from tallystick.notary.anchors.chain import Node, NodeError
from tallystick.notary.anchors.errors import AnchoringError

GWEI = 10**9
DEFAULT_TIP = GWEI
BUMP_NUMERATOR, BUMP_DENOMINATOR = 9, 8
"""A node takes a replacement for a transaction that pays at least a tenth more; this is an eighth."""


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei for a unit of gas: at most `max_fee` in all, of which `tip` is for whoever makes the block."""

    max_fee: int
    tip: int

    def bumped(self) -> "Fees":
        """Return the least that replaces a transaction with these fees."""
        return Fees(*(fee * BUMP_NUMERATOR // BUMP_DENOMINATOR + 1 for fee in (self.max_fee, self.tip)))

    def at_least(self, other: "Fees") -> "Fees":
        """Return the greater of both, each by itself."""
        return Fees(max(self.max_fee, other.max_fee), max(self.tip, other.tip))


async def suggest(node: Node, limit: int) -> Fees:
    """Return what the node says is enough, within `limit` (wei for a unit of gas).

    Raises:
        AnchoringError: it costs more than the limit now, or the chain is older than EIP-1559.
    """
    base = (await node.block("latest")).get("baseFeePerGas")
    if base is None:
        raise AnchoringError(f"{node.name}: its blocks have no base fee (EIP-1559)")
    try:
        tip = await node.quantity("eth_maxPriorityFeePerGas")
    except NodeError:
        tip = DEFAULT_TIP
    least = int(str(base), 16) + tip
    if least > limit:
        raise AnchoringError(
            f"{node.name}: a unit of gas costs {least / GWEI:.1f} gwei, and TALLYSTICK_MAX_FEE_GWEI allows {limit / GWEI:.1f}"
        )
    return Fees(min(limit, least + int(str(base), 16)), tip)
