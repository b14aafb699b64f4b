"""The account that pays, and its one transaction at a time: sent, replaced when stuck, given up when another took its place."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from eth_account import Account as Keys
from eth_account.signers.local import LocalAccount

from tallystick.notary.anchors.chain import Node, NodeError
from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.fees import Fees, suggest
from tallystick.runtime.settings import read_secret

What = TypeVar("What")
GAS_MARGIN_PERCENT = 20
LEAST_GAS = 50_000  # about what the smallest transaction here takes


class StuckError(AnchoringError):
    """A transaction is not taken at what may be paid for it."""


def load_account(key_file: Path) -> LocalAccount:
    """Return the account whose private key, 32 bytes in hex, is in a file. Raises ValueError if it is not a key."""
    text = read_secret(key_file)
    try:
        account: LocalAccount = Keys.from_key(text)
    except Exception:  # noqa: BLE001  whatever it is, it may quote the key
        raise ValueError("does not hold a private key: 32 bytes in hex") from None
    return account


@dataclass(slots=True)
class Pending(Generic[What]):
    """A transaction that is not settled: what it does, its nonce and fees, and the hashes that it was sent under."""

    what: What
    to: bytes | None
    data: bytes
    gas: int
    nonce: int
    fees: Fees
    sent_at_s: float
    hashes: list[str] = field(default_factory=list)
    mined: bool = False


class Purse(Generic[What]):
    """Sends transactions from one account, one at a time. Everything is asked of the chain; nothing here need survive."""

    def __init__(
        self, node: Node, account: LocalAccount, chain_id: int, max_fee: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.node, self.address = node, str(account.address)
        self.pending: Pending[What] | None = None
        self.clashes = self.replacements = self.reorganisations = 0
        self._account, self._chain_id, self._max_fee, self._clock = account, chain_id, max_fee, clock

    async def balance(self) -> int:
        """Return what the account holds, in wei."""
        return await self.node.quantity("eth_getBalance", self.address, "latest")

    async def send(self, what: What, to: bytes | None, data: bytes) -> None:
        """Send a transaction to a contract; without one, `data` makes it.

        Raises:
            AnchoringError: it would fail, or the account cannot pay for it, or the node does not take it.
        """
        fees = await suggest(self.node, self._max_fee)
        gas = await self._estimate(to, data, fees)
        await self._check_balance(gas * fees.max_fee)
        # The next after what is in blocks: what somebody left waiting there is replaced, and cannot stand in the way for ever.
        nonce = await self.node.quantity("eth_getTransactionCount", self.address, "latest")
        pending = Pending(what, to, data, gas, nonce, fees, self._clock())
        while True:
            try:
                await self._submit(pending)
                break
            except NodeError as error:
                if "underpriced" not in error.said:
                    raise
                self._raise_fees(pending)
        self.pending = pending

    async def _estimate(self, to: bytes | None, data: bytes, fees: Fees) -> int:
        call = {"from": self.address, "data": f"0x{data.hex()}"} | ({} if to is None else {"to": f"0x{to.hex()}"})
        try:
            return await self.node.quantity("eth_estimateGas", call) * (100 + GAS_MARGIN_PERCENT) // 100
        except NodeError:
            await self._check_balance(LEAST_GAS * fees.max_fee)  # each kind of node has its own words for an empty purse
            raise

    async def receipt(self) -> dict[str, Any] | None:
        """Return the receipt of the pending transaction under any of its hashes, None if it is in no block."""
        for sent in reversed(self._pending.hashes):
            receipt = await self.node.ask("eth_getTransactionReceipt", sent)
            if receipt is not None:
                self._pending.mined = True
                return dict(receipt)
        return None

    async def was_overtaken(self) -> bool:
        """Tell whether another transaction has the pending one's nonce: it can never be in a block, and is given up."""
        count = await self.node.quantity("eth_getTransactionCount", self.address, "latest")
        if count <= self._pending.nonce or await self.receipt() is not None:
            return False
        self.clashes += 1
        self.pending = None
        return True

    async def replace_if_stuck(self, stuck_after_s: float) -> bool:
        """Send the pending transaction again with greater fees if it waits too long, or fell out of its block.

        Raises:
            AnchoringError: it may not pay more, or the node does not take it.
        """
        pending = self._pending
        if pending.mined:
            self.reorganisations += 1
            pending.mined = False
        elif self._clock() - pending.sent_at_s < stuck_after_s:
            return False
        pending.sent_at_s = self._clock()
        self._raise_fees(pending)
        self.replacements += 1
        await self._submit(pending)
        return True

    def _raise_fees(self, pending: Pending[What]) -> None:
        fees = pending.fees.bumped()
        if fees.max_fee > self._max_fee:
            raise StuckError(
                f"{self.node.name}: transaction {pending.nonce} of {self.address} is not taken, and TALLYSTICK_MAX_FEE_GWEI "
                "allows no more"
            )
        pending.fees = fees

    async def _submit(self, pending: Pending[What]) -> None:
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": pending.nonce,
            "gas": pending.gas,
            "maxFeePerGas": pending.fees.max_fee,
            "maxPriorityFeePerGas": pending.fees.tip,
            "value": 0,
            "data": pending.data,
        } | ({} if pending.to is None else {"to": pending.to})
        signed = self._account.sign_transaction(transaction)
        # Noted before it is sent: a node that takes it and then does not answer must not have it forgotten.
        pending.hashes.append(signed.hash.to_0x_hex())
        await self.node.ask("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())

    async def _check_balance(self, cost: int) -> None:
        balance = await self.balance()
        if balance < cost:
            raise AnchoringError(
                f"{self.node.name}: the account {self.address} holds {balance} wei and the next transaction may cost {cost}: "
                "send it some; nothing is lost, the next anchor covers what waits"
            )

    @property
    def _pending(self) -> Pending[What]:
        if self.pending is None:
            raise RuntimeError("there is no pending transaction")
        return self.pending
