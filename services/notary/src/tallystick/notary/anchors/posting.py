"""Heads in an EVM contract: one transaction for the heads of all logs, kept once it is deep enough in the chain."""

from collections.abc import Mapping
from typing import Any

from eth_account.signers.local import LocalAccount

from tallystick.notary.anchors.account import Purse
from tallystick.notary.anchors.blocks import encode_header, prove_receipt, read_receipts
from tallystick.notary.anchors.chain import Node, understanding
from tallystick.notary.anchors.errors import AnchoringError, RollbackError
from tallystick.notary.anchors.heads import Heads, SignedHead
from tallystick.notary.anchors.heads_contract import LOOK_BACK_BLOCKS, HeadsContract, OnChain, encode_anchor, encode_claim
from tallystick.notary.anchors.store import ReceiptStore
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.evm import ANCHORED, origin_digest, verify_posted
from tallystick.trust.anchors.pins import Contract
from tallystick.trust.anchors.receipts import PostedReceipt
from tallystick.trust.anchors.verifying import verify_receipt


class Poster:
    """Posts heads to one contract. `anchor` does the next step and may be called again after any error.

    Args:
        contract: where, as the trust policy pins it.
        confirmations: how many blocks, its own counted, make a transaction count.
        stuck_after_s: how long a transaction may wait before it is sent again with greater fees.
        max_fee: the most to pay for a unit of gas, in wei.
    """

    def __init__(
        self,
        contract: Contract,
        node: Node,
        account: LocalAccount,
        store: ReceiptStore,
        *,
        confirmations: int,
        stuck_after_s: float,
        max_fee: int,
    ) -> None:
        self.name = contract.name
        self.purse: Purse[Heads] = Purse(node, account, contract.chain_id, max_fee)
        self._pin, self._node, self._store = contract, node, store
        self._contract = HeadsContract(node, contract)
        self._confirmations, self._stuck_after_s = confirmations, stuck_after_s
        self._refused: dict[str, AnchoringError] = {}  # by log; told at each step until the contract is compared again

    async def close(self) -> None:
        """Close the connections."""
        await self._node.close()

    async def anchored(self, log: str) -> int:
        """Return the size of a log's largest head that is anchored, 0 if none is."""
        newest = await self._store.newest(log, self.name)
        return 0 if newest is None else newest[0]

    async def anchor(self, heads: Heads) -> bool:
        """Do what is next for the heads to be on the chain; True once they are, deep enough, and the receipts kept.

        False: a transaction is on its way; come again soon. A log that the contract refuses holds up no other: the step is
        done for the others, and then it is said.

        Raises:
            AnchoringError: the node, the chain, the contract or the purse is not as it must be.
            RollbackError: the contract holds what is not the log's past.
        """
        with understanding(self.name):
            done = await self._step(heads)
        if self._refused:
            first, *_ = self._refused.values()
            raise type(first)("; ".join(map(str, self._refused.values())))
        return done

    async def _step(self, heads: Heads) -> bool:
        await self._contract.check()
        if self.purse.pending is not None and not await self._settle():
            return False
        await self._forget_what_fell_out(heads)
        held = {log: await self._contract.read(head.origin) for log, head in heads.items()}
        self._refused = {log: why for log, head in heads.items() if (why := self._refusal(head, held[log])) is not None}
        sound = {log: head for log, head in heads.items() if log not in self._refused}
        if claims := [head.origin for log, head in sound.items() if held[log].owner is None]:
            await self.purse.send({}, self._pin.address, encode_claim(claims[0]))
            return False
        if wanted := {log: head for log, head in sound.items() if held[log].size < head.size}:
            data = encode_anchor([(head.origin, head.size, head.checkpoint.root) for head in wanted.values()])
            await self.purse.send(wanted, self._pin.address, data)
            return False
        return await self._catch_up(sound)

    async def _settle(self) -> bool:
        """Look after the pending transaction; True once it is done with, one way or the other."""
        pending = self.purse.pending
        assert pending is not None  # noqa: S101  the caller has seen it
        receipt = await self.purse.receipt()
        if receipt is None:
            if await self.purse.was_overtaken():
                raise AnchoringError(
                    f"{self.name}: somebody else uses the account {self.purse.address}: give this process one of its own"
                )
            await self.purse.replace_if_stuck(self._stuck_after_s)
            return False
        if not await self._is_deep(receipt):
            return False
        self.purse.pending = None
        if int(str(receipt["status"]), 16) != 1:
            raise AnchoringError(f"{self.name}: the transaction {receipt['transactionHash']} failed on the chain")
        await self._keep(pending.what, receipt)
        return True

    async def _is_deep(self, receipt: Mapping[str, Any]) -> bool:
        tip = await self._node.quantity("eth_blockNumber")
        return tip - int(str(receipt["blockNumber"]), 16) + 1 >= self._confirmations

    async def _keep(self, heads: Heads, receipt: Mapping[str, Any]) -> None:
        """Keep a receipt beside the log of each of `heads` that the transaction posted."""
        if not heads:
            return
        block = await self._node.block(str(receipt["blockHash"]))
        index = int(str(receipt["transactionIndex"]), 16)
        header, proof = encode_header(block), prove_receipt(block, await read_receipts(self._node, block), index)
        for head in heads.values():
            for place, event in enumerate(receipt["logs"]):
                if event["topics"] == [f"0x{ANCHORED.hex()}", f"0x{origin_digest(head.origin).hex()}"]:
                    await self._keep_one(head, PostedReceipt(self.name, header, index, proof, place))

    async def _keep_one(self, head: SignedHead, receipt: PostedReceipt) -> None:
        try:
            anchor = verify_receipt(receipt, head.origin, head.size, {self.name: self._pin})
        except AnchorError as error:
            raise AnchoringError(f"{self.name}: the node's proof is refused: {error}") from error
        if anchor.root != head.checkpoint.root:
            raise RollbackError(f"{self.name}: the contract holds another root for {head.size:,} entries of {head.origin}")
        await self._store.keep(head, receipt)

    async def _forget_what_fell_out(self, heads: Heads) -> None:
        """Forget receipts in whose block's place another is, as deep as counts; their heads are posted again.

        A node that lacks a block, being behind or having thrown it away, is no reason: what the contract still holds could not
        be posted again.
        """
        tip = await self._node.quantity("eth_blockNumber")
        for head in heads.values():
            while (newest := await self._store.newest(head.log, self.name)) is not None:
                size, receipt = newest
                if not isinstance(receipt, PostedReceipt) or not await self._fell_out(receipt, tip):
                    break
                self.purse.reorganisations += 1
                await self._store.drop(head.log, size, self.name)

    async def _fell_out(self, receipt: PostedReceipt, tip: int) -> bool:
        try:
            _, block = verify_posted(
                receipt.header, receipt.transaction_index, receipt.proof, receipt.log_index, self._pin.address
            )
        except AnchorError:
            return False  # of a contract that was pinned before under this name: not ours to judge
        if not self._confirmations <= tip - block.number <= LOOK_BACK_BLOCKS:
            return False
        on_chain = await self._node.ask("eth_getBlockByNumber", hex(block.number), False)
        if on_chain is None:
            return False
        return bytes.fromhex(on_chain["hash"].removeprefix("0x")) != block.hash

    def _refusal(self, head: SignedHead, held: OnChain) -> AnchoringError | None:
        """Return why a log's head cannot go into the contract, None if it can or is there."""
        if held.owner is not None and f"0x{held.owner.hex()}" != self.purse.address.lower():
            return AnchoringError(
                f"{self.name}: {head.origin} belongs to 0x{held.owner.hex()}, and this account is {self.purse.address}: use "
                "that one's key, have it offer the log, or deploy another contract and pin that"
            )
        if held.size > head.size:
            return RollbackError(
                f"{self.name}: the contract holds {held.size:,} entries of {head.origin}, and the log has {head.size:,}"
            )
        if held.size == head.size and held.root != head.checkpoint.root:
            return RollbackError(f"{self.name}: the contract holds another root for {head.size:,} entries of {head.origin}")
        return None

    async def _catch_up(self, heads: Heads) -> bool:
        """Keep receipts for heads that are on the chain and not kept, as after a restart; True once all are."""
        for head in heads.values():
            if await self.anchored(head.log) >= head.size:
                continue
            sent = await self._contract.find(head.origin, head.size)
            receipt = None if sent is None else await self._node.ask("eth_getTransactionReceipt", sent)
            if receipt is None:
                continue  # posted long ago: the head after this one will have a receipt
            if not await self._is_deep(receipt):
                return False
            await self._keep({head.log: head}, receipt)
        return True
