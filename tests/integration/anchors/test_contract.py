"""The contract's rules, on a real EVM: who may post, what is refused, what it costs."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak

from tallystick.notary.anchors.chain import Node
from tallystick.notary.anchors.heads_contract import HeadsContract, encode_anchor, encode_claim
from tallystick.trust.anchors.evm import origin_digest
from tallystick.trust.anchors.pins import Contract

from .world import DECISIONS, ETHER, GOVERNANCE, Chain

A, B, C = (bytes([byte]) * 32 for byte in b"abc")


class Deployed:
    """A contract with both logs claimed by the chain's account, and another account beside."""

    def __init__(self, chain: Chain, pin: Contract) -> None:
        self.chain, self.pin = chain, pin
        self.other: LocalAccount = Account.create()
        chain.fund(self.other, ETHER)

    def call(self, data: bytes, account: LocalAccount | None = None) -> dict[str, Any]:
        """Send a call; return the receipt."""
        sent = self.chain.send(self.pin.address, data, account=account)
        receipt: dict[str, Any] = self.chain.evm.call("eth_getTransactionReceipt", sent)
        return receipt

    def succeeds(self, data: bytes, account: LocalAccount | None = None) -> int:
        """Send a call that must succeed; return the gas that it took."""
        receipt = self.call(data, account)
        assert int(receipt["status"], 16) == 1
        return int(receipt["gasUsed"], 16)

    def refuses(self, data: bytes, why: str, account: LocalAccount | None = None) -> None:
        """Send a call that must fail for a reason, and change nothing."""
        sender = account or self.chain.account
        call = {"from": sender.address, "to": self.pin.hex_address, "data": f"0x{data.hex()}"}
        with pytest.raises(ValueError, match=why):
            self.chain.evm.call("eth_estimateGas", call)
        assert int(self.call(data, account)["status"], 16) == 0

    async def held(self, origin: str = DECISIONS) -> tuple[str | None, int, bytes]:
        """Return owner, size and root."""
        node = Node("chain1", self.chain.evm.url)
        try:
            found = await HeadsContract(node, self.pin).read(origin)
        finally:
            await node.close()
        return f"0x{found.owner.hex()}" if found.owner else None, found.size, found.root


@pytest.fixture
async def deployed(chain: Chain) -> Deployed:
    """Deploy a contract and claim both logs."""
    contract = Deployed(chain, await chain.contract())
    for origin in (DECISIONS, GOVERNANCE):
        contract.succeeds(encode_claim(origin))
    return contract


def offer(origin: str, to: bytes) -> bytes:
    """Return the call that offers a log."""
    return bytes(keccak(b"offer(bytes32,address)"))[:4] + origin_digest(origin) + to.rjust(32, b"\0")


def accept(origin: str) -> bytes:
    """Return the call that takes an offer."""
    return bytes(keccak(b"accept(bytes32)"))[:4] + origin_digest(origin)


def address(account: LocalAccount) -> bytes:
    """Return an account's address, 20 bytes."""
    return bytes.fromhex(account.address[2:])


async def test_heads_grow(deployed: Deployed) -> None:
    """A larger head takes the place of the one before; several go at once."""
    deployed.succeeds(encode_anchor([(DECISIONS, 5, A)]))
    deployed.succeeds(encode_anchor([(DECISIONS, 6, B), (GOVERNANCE, 1, C)]))
    owner = deployed.chain.account.address.lower()
    assert await deployed.held() == (owner, 6, B)
    assert await deployed.held(GOVERNANCE) == (owner, 1, C)


async def test_a_smaller_head_and_a_second_root_are_refused(deployed: Deployed) -> None:
    """A batch that holds one of them is refused whole; the same head again changes nothing and says nothing."""
    deployed.succeeds(encode_anchor([(DECISIONS, 5, A)]))
    deployed.refuses(encode_anchor([(DECISIONS, 4, A)]), "smaller than the head")
    deployed.refuses(encode_anchor([(DECISIONS, 5, B)]), "another root for this size")
    deployed.refuses(encode_anchor([(GOVERNANCE, 9, C), (DECISIONS, 4, A)]), "smaller than the head")
    deployed.refuses(encode_anchor([(DECISIONS, 6, A), (DECISIONS, 6, B)]), "another root for this size")
    deployed.refuses(encode_anchor([(DECISIONS, 0, A)]), "smaller than the head")
    deployed.refuses(encode_anchor([(GOVERNANCE, 0, A)]), "another root for this size")
    again = deployed.call(encode_anchor([(DECISIONS, 5, A)]))
    assert (int(again["status"], 16), again["logs"]) == (1, [])
    assert (await deployed.held())[1:] == (5, A)
    assert (await deployed.held(GOVERNANCE))[1:] == (0, bytes(32))


async def test_only_the_owner_posts(deployed: Deployed) -> None:
    """Not a stranger, not for a log that nobody has claimed; and a claimed log is not claimed again."""
    deployed.refuses(encode_anchor([(DECISIONS, 5, A)]), "not the owner", deployed.other)
    deployed.refuses(encode_anchor([("bank.example/other", 5, A)]), "not the owner")
    deployed.refuses(encode_claim(DECISIONS), "claimed already", deployed.other)
    assert (await deployed.held("bank.example/other"))[0] is None


async def test_ownership_passes_only_to_who_takes_it(deployed: Deployed) -> None:
    """Offered by the owner, taken by whom it was offered to, with its head; an offer can be taken back, and is used once."""
    deployed.succeeds(encode_anchor([(DECISIONS, 5, A)]))
    other = deployed.other
    deployed.refuses(offer(DECISIONS, address(other)), "not the owner", other)
    deployed.refuses(accept(DECISIONS), "not offered", other)
    deployed.succeeds(offer(DECISIONS, address(other)))
    assert (await deployed.held())[0] == deployed.chain.account.address.lower()
    deployed.succeeds(offer(DECISIONS, bytes(20)))
    deployed.refuses(accept(DECISIONS), "not offered", other)
    deployed.succeeds(offer(DECISIONS, address(other)))
    deployed.refuses(accept(GOVERNANCE), "not offered", other)
    deployed.succeeds(accept(DECISIONS), other)
    assert await deployed.held() == (other.address.lower(), 5, A)
    deployed.refuses(accept(DECISIONS), "not offered", other)
    deployed.refuses(encode_anchor([(DECISIONS, 6, B)]), "not the owner")
    deployed.succeeds(encode_anchor([(DECISIONS, 6, B)]), other)


async def test_what_an_anchor_costs(deployed: Deployed) -> None:
    """One head takes under 37,000 gas, each further one under 15,000: 0.6 gas a decision at 60,000 decisions an anchor."""
    deployed.succeeds(encode_anchor([(DECISIONS, 60_000, A), (GOVERNANCE, 1, A)]))
    one = deployed.succeeds(encode_anchor([(DECISIONS, 120_000, B)]))
    two = deployed.succeeds(encode_anchor([(DECISIONS, 180_000, C), (GOVERNANCE, 2, B)]))
    assert one < 37_000
    assert two - one < 15_000
