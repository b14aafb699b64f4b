"""Heads on a real EVM: posted, proven, and posted all the same when the chain, the node or the purse makes trouble."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest
from eth_account import Account

from tallystick.notary.anchors.chain import Node
from tallystick.notary.anchors.elsewhere import contract_heads
from tallystick.notary.anchors.errors import AnchoringError, RollbackError
from tallystick.notary.anchors.heads_contract import LOOK_BACK_BLOCKS, encode_anchor, encode_claim
from tallystick.notary.effects import KnownHead
from tallystick.trust.anchors.evm import verify_posted
from tallystick.trust.anchors.receipts import PostedReceipt, parse_receipt
from tallystick.trust.anchors.verifying import verify_receipt

from .world import DECISIONS, ETHER, GOVERNANCE, GWEI, Bank, Chain, until_anchored


async def test_all_heads_go_in_one_transaction_and_are_proven(bank: Bank, chain: Chain) -> None:
    """Two claims, one transaction for both heads; each log's receipt verifies offline against the pinned contract alone."""
    pin = await chain.contract()
    poster = chain.poster(pin, bank)
    await until_anchored(poster, bank)
    assert chain.nonce() == 1 + 2 + 1
    bank.grow(DECISIONS, 300)
    bank.grow(GOVERNANCE, 1)
    await until_anchored(poster, bank)
    assert chain.nonce() == 1 + 2 + 1 + 1
    for origin, size in ((DECISIONS, 303), (GOVERNANCE, 3)):
        receipt = parse_receipt((await bank.anchors(origin).receipts(size))["chain1"])
        anchor = verify_receipt(receipt, origin, size, {"chain1": pin})
        assert anchor.root == (await bank.heads())[origin.rpartition("/")[2]].checkpoint.root
        assert f"chain {pin.chain_id}" in anchor.unchecked
        assert anchor.shown.startswith("if block ")
    assert await bank.anchors().sizes() == [3, 303]
    await poster.close()


async def test_a_head_that_is_there_is_not_posted_again(bank: Bank, chain: Chain) -> None:
    """Nothing new, no transaction; one log grew, only its head is posted."""
    poster = chain.poster(await chain.contract(), bank)
    await until_anchored(poster, bank)
    before = chain.nonce()
    assert await poster.anchor(await bank.heads())
    assert chain.nonce() == before
    bank.grow(DECISIONS, 1)
    await until_anchored(poster, bank)
    assert chain.nonce() == before + 1
    assert await bank.anchors(GOVERNANCE).sizes() == [2]
    await poster.close()


async def test_confirmations_are_waited_for(bank: Bank, chain: Chain) -> None:
    """Nothing counts as anchored until the block is as deep as the setting says."""
    poster = chain.poster(await chain.contract(), bank, confirmations=4)
    heads = await bank.heads()
    for _ in range(2):
        assert not await poster.anchor(heads)  # a claim
        chain.mine(3)
    assert not await poster.anchor(heads)
    chain.mine(2)
    assert not await poster.anchor(heads)
    assert await bank.anchors().sizes() == []
    chain.mine(1)
    assert await poster.anchor(heads)
    assert await bank.anchors().sizes() == [3]
    await poster.close()


async def test_after_a_reorganisation_the_head_is_posted_again(bank: Bank, chain: Chain) -> None:
    """The receipt of the block that fell out is forgotten, and one of the new chain takes its place."""
    pin = await chain.contract()
    poster = chain.poster(pin, bank)
    await until_anchored(poster, bank)
    bank.grow(DECISIONS, 5)
    snapshot = chain.evm.call("evm_snapshot")
    await until_anchored(poster, bank)
    lost = parse_receipt((await bank.anchors().receipts(8))["chain1"])
    chain.evm.call("evm_revert", snapshot)
    chain.mine(2)
    await until_anchored(poster, bank)
    found = parse_receipt((await bank.anchors().receipts(8))["chain1"])
    assert isinstance(lost, PostedReceipt)
    assert isinstance(found, PostedReceipt)
    assert found.header != lost.header
    assert poster.purse.reorganisations >= 1
    assert verify_receipt(found, DECISIONS, 8, {"chain1": pin}).size == 8
    await poster.close()


async def test_a_transaction_that_falls_out_of_its_block_is_sent_again(bank: Bank, chain: Chain) -> None:
    """A reorganisation before the confirmations: the pending transaction goes out anew, without waiting to be stuck."""
    poster = chain.poster(await chain.contract(), bank, confirmations=1)
    await until_anchored(poster, bank)
    patient = chain.poster(poster._pin, bank, confirmations=3, stuck_after_s=3600)
    bank.grow(DECISIONS, 5)
    snapshot = chain.evm.call("evm_snapshot")
    heads = await bank.heads()
    assert not await patient.anchor(heads)
    assert not await patient.anchor(heads)  # seen in a block
    chain.evm.call("evm_revert", snapshot)
    chain.mine(1)
    assert not await patient.anchor(heads)
    assert (patient.purse.reorganisations, patient.purse.replacements) == (1, 1)
    chain.mine(3)
    await until_anchored(patient, bank)
    assert 8 in await bank.anchors().sizes()
    await poster.close()
    await patient.close()


async def test_a_stuck_transaction_is_replaced_with_greater_fees(bank: Bank, chain: Chain) -> None:
    """The same nonce, an eighth more each time, until it is taken; nothing is posted twice."""
    poster = chain.poster(await chain.contract(), bank)
    await until_anchored(poster, bank)
    bank.grow(DECISIONS, 5)
    before = chain.nonce()
    chain.evm.call("dev_hold")
    heads = await bank.heads()
    for _ in range(3):
        assert not await poster.anchor(heads)
    pending = poster.purse.pending
    assert pending is not None
    assert (pending.nonce, poster.purse.replacements, len(set(pending.hashes))) == (before, 2, 3)
    assert chain.evm.call("dev_release") == hex(1)
    await until_anchored(poster, bank)
    assert chain.nonce() == before + 1
    assert 8 in await bank.anchors().sizes()
    await poster.close()


async def test_what_may_not_be_paid_is_not_paid(bank: Bank, chain: Chain) -> None:
    """A limit below the price is said; a replacement over the limit is not sent."""
    pin = await chain.contract()
    frugal = chain.poster(pin, bank, max_fee=GWEI // 10)
    with pytest.raises(AnchoringError, match=r"costs .* gwei, and TALLYSTICK_MAX_FEE_GWEI allows 0\.1"):
        await frugal.anchor(await bank.heads())
    await frugal.close()
    poster = chain.poster(pin, bank, max_fee=4 * GWEI)
    chain.evm.call("dev_hold")
    try:
        with pytest.raises(AnchoringError, match="allows no more"):
            await until_anchored(poster, bank, steps=40)
    finally:
        chain.evm.call("dev_release")
    await poster.close()


async def test_a_transaction_left_by_a_process_that_died_is_replaced(bank: Bank, chain: Chain) -> None:
    """What waits under the next nonce at an unknown price is outbid, not waited for."""
    pin = await chain.contract()
    first = chain.poster(pin, bank)
    await until_anchored(first, bank)
    bank.grow(DECISIONS, 5)
    chain.evm.call("dev_hold")
    assert not await first.anchor(await bank.heads())
    await first.close()  # and it is gone, with what it knew
    second = chain.poster(pin, bank)
    assert not await second.anchor(await bank.heads())
    assert second.purse.pending is not None
    assert second.purse.pending.fees.max_fee > first.purse.pending.fees.max_fee  # type: ignore[union-attr]  # it has one
    assert chain.evm.call("dev_release") == hex(1)
    await until_anchored(second, bank)
    assert 8 in await bank.anchors().sizes()
    await second.close()


async def test_receipts_that_a_process_could_not_keep_are_found_again(bank: Bank, chain: Chain) -> None:
    """It died between the block and the file: the event is on the chain, and the receipt is made from it."""
    pin = await chain.contract()
    first = chain.poster(pin, bank)
    await until_anchored(first, bank)
    bank.grow(DECISIONS, 5)
    assert not await first.anchor(await bank.heads())
    before = chain.nonce()
    await first.close()
    second = chain.poster(pin, bank)
    await until_anchored(second, bank)
    assert chain.nonce() == before
    assert 8 in await bank.anchors().sizes()
    await second.close()


async def test_somebody_else_on_the_account_is_said(bank: Bank, chain: Chain) -> None:
    """The nonce was taken: the transaction is given up, the error says why, and the next try has another nonce."""
    pin = await chain.contract()
    poster = chain.poster(pin, bank)
    await until_anchored(poster, bank)
    bank.grow(DECISIONS, 5)
    chain.evm.call("dev_hold")
    heads = await bank.heads()
    assert not await poster.anchor(heads)
    held = chain.evm.call("dev_drop")
    assert held == hex(1)
    chain.send(pin.address, encode_claim("somebody else's log"))
    with pytest.raises(AnchoringError, match="somebody else uses the account"):
        await poster.anchor(heads)
    assert poster.purse.clashes == 1
    await until_anchored(poster, bank)
    assert 8 in await bank.anchors().sizes()
    await poster.close()


async def test_an_empty_purse_is_said_and_nothing_is_lost(bank: Bank, chain: Chain) -> None:
    """The error names the account and what it lacks; once it is filled, the anchor covers all that waited."""
    pin = await chain.contract()
    poor = Account.create()
    poster = chain.poster(pin, bank, poor)
    with pytest.raises(AnchoringError, match=rf"{poor.address} holds 0 wei .* send it some"):
        await poster.anchor(await bank.heads())
    bank.grow(DECISIONS, 50)
    chain.fund(poor, ETHER)
    await until_anchored(poster, bank)
    assert await bank.anchors().sizes() == [53]
    await poster.close()


async def test_the_chain_must_be_the_pinned_one(bank: Bank, chain: Chain) -> None:
    """A node of another chain is refused before anything is sent."""
    pin = await chain.contract()
    poster = chain.poster(replace(pin, chain_id=1), bank)
    with pytest.raises(AnchoringError, match="and the trust policy pins 1"):
        await poster.anchor(await bank.heads())
    await poster.close()


async def test_there_must_be_a_contract(bank: Bank, chain: Chain) -> None:
    """Nothing at the pinned address, or something else: said as such."""
    pin = await chain.contract()
    empty = chain.poster(replace(pin, address=b"\x11" * 20), bank)
    with pytest.raises(AnchoringError, match="no contract at 0x1111"):
        await empty.anchor(await bank.heads())
    await empty.close()


async def test_another_owner_is_said(bank: Bank, chain: Chain) -> None:
    """A log that another account has claimed is not posted, the error says whose it is, and the other log is anchored."""
    pin = await chain.contract()
    squatter = Account.create()
    chain.fund(squatter, ETHER)
    chain.send(pin.address, encode_claim(DECISIONS), account=squatter)
    poster = chain.poster(pin, bank)
    for _ in range(3):
        with pytest.raises(AnchoringError, match=f"{DECISIONS} belongs to {squatter.address.lower()}"):
            await poster.anchor(await bank.heads())
    assert await bank.anchors(GOVERNANCE).sizes() == [2]
    assert await bank.anchors().sizes() == []
    await poster.close()


async def test_a_rolled_back_log_is_not_anchored(bank: Bank, chain: Chain, tmp_path: object) -> None:
    """The contract holds more than the log has, or another root: an old backup was restored, and the error says so."""
    pin = await chain.contract()
    poster = chain.poster(pin, bank)
    small = await bank.heads()
    bank.grow(DECISIONS, 5)
    await until_anchored(poster, bank)
    with pytest.raises(RollbackError, match=f"holds 8 entries of {DECISIONS}, and the log has 3"):
        await poster.anchor(small)
    big = (await bank.heads())["decisions"]
    forked = replace(big, checkpoint=replace(big.checkpoint, root=bytes(32)))
    with pytest.raises(RollbackError, match="another root for 8 entries"):
        await poster.anchor({"decisions": forked})
    await poster.close()


async def test_a_node_that_is_away_is_said(bank: Bank, chain: Chain) -> None:
    """The message has the contract's name and not the node's address, which may hold a secret."""
    pin = await chain.contract()
    poster = chain.poster(pin, bank)
    await until_anchored(poster, bank)
    await poster.close()
    chain.evm.port, port = 9, chain.evm.port
    try:
        away = chain.poster(pin, bank)
    finally:
        chain.evm.port = port
    with pytest.raises(AnchoringError, match="chain1: the node does not answer eth_chainId") as error:
        await away.anchor(await bank.heads())
    assert "127.0.0.1" not in str(error.value)
    await away.close()


async def test_the_largest_head_outside_is_known(bank: Bank, chain: Chain) -> None:
    """A notary that starts is told the contract's head, nothing before there is one, and nothing by a node that is away."""
    pin = await chain.contract()
    poster, owners = chain.poster(pin, bank), {"chain1": chain.account.address}
    (ask,) = contract_heads(DECISIONS, {"chain1": pin}, {"chain1": chain.evm.url}, owners)
    assert await ask() == []
    await until_anchored(poster, bank)
    head = (await bank.heads())["decisions"]
    assert await ask() == [KnownHead("the head that the contract chain1 holds", head.checkpoint)]
    (ask,) = contract_heads(DECISIONS, {"chain1": pin}, {"chain1": "http://127.0.0.1:9"}, owners)
    assert await ask() == []
    (ask,) = contract_heads(DECISIONS, {"chain1": replace(pin, chain_id=1)}, {"chain1": chain.evm.url}, owners)
    assert await ask() == []
    await poster.close()


async def test_a_head_of_a_stranger_stops_no_notary(bank: Bank, chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever claims the log's name first posts what he likes: said, and not believed; nor is anybody who is not named."""
    pin = await chain.contract()
    squatter = Account.create()
    chain.fund(squatter, ETHER)
    chain.send(pin.address, encode_claim(DECISIONS), account=squatter)
    chain.send(pin.address, encode_anchor([(DECISIONS, 10**9, bytes(32))]), account=squatter)
    pins, urls = {"chain1": pin}, {"chain1": chain.evm.url}
    owners: Mapping[str, str]
    for owners in ({"chain1": chain.account.address}, {}):
        caplog.clear()
        (ask,) = contract_heads(DECISIONS, pins, urls, owners)
        assert await ask() == []
        assert f"account {squatter.address.lower()} posted them" in caplog.text
    (ask,) = contract_heads(DECISIONS, pins, urls, {"chain1": squatter.address})
    assert [head.checkpoint.size for head in await ask()] == [10**9]


async def test_a_size_that_no_log_has_stops_no_notary(chain: Chain) -> None:
    """The contract takes 64 bits: what is more than a checkpoint's is done without."""
    pin = await chain.contract()
    chain.send(pin.address, encode_claim(DECISIONS))
    chain.send(pin.address, encode_anchor([(DECISIONS, 2**64 - 1, bytes(32))]))
    (ask,) = contract_heads(DECISIONS, {"chain1": pin}, {"chain1": chain.evm.url}, {"chain1": chain.account.address})
    assert await ask() == []


async def test_a_node_that_lags_loses_no_receipt(bank: Bank, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that it does not have, or has another of while that may still change, is no reason to forget a receipt."""
    poster = chain.poster(await chain.contract(), bank, confirmations=3)
    heads = await bank.heads()
    while not await poster.anchor(heads):
        chain.mine(3)
    ask, block = poster._node.ask, dict[str, object]()

    async def lagging(method: str, *parameters: object) -> object:
        return (block or None) if method == "eth_getBlockByNumber" else await ask(method, *parameters)

    monkeypatch.setattr(poster._node, "ask", lagging)
    await poster.anchor(heads)
    assert await bank.anchors().sizes() == [3]
    assert poster.purse.reorganisations == 0
    block["hash"] = f"0x{bytes(32).hex()}"
    tip = int(chain.evm.call("eth_blockNumber"), 16)
    receipt = parse_receipt((await bank.anchors().receipts(3))["chain1"])
    assert isinstance(receipt, PostedReceipt)
    assert await poster._fell_out(receipt, tip)
    place = (receipt.transaction_index, receipt.proof, receipt.log_index)
    _, at = verify_posted(receipt.header, *place, poster._pin.address)
    assert not await poster._fell_out(receipt, at.number + 2)
    assert not await poster._fell_out(receipt, at.number + LOOK_BACK_BLOCKS + 1)
    await poster.close()


async def test_a_receipt_of_a_contract_pinned_before_is_let_be(bank: Bank, chain: Chain) -> None:
    """Another contract took its place under the same name: what was anchored there stays, and the new one gets the heads."""
    first = chain.poster(await chain.contract(), bank)
    await until_anchored(first, bank)
    second = chain.poster(await chain.contract(), bank)
    bank.grow(DECISIONS, 5)
    await until_anchored(second, bank)
    assert await bank.anchors().sizes() == [3, 8]
    await first.close()
    await second.close()


@pytest.mark.parametrize("answer", [None, {}, "0xzz", "", 5, "0x1", [None], {"hash": 1}, f"0x{'ff' * 64}"], ids=repr)
async def test_a_node_may_say_anything(bank: Bank, chain: Chain, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """To any question, in place of the answer: an AnchoringError at the most; and the notary does without."""
    pin = await chain.contract()
    poster = chain.poster(pin, bank)
    await until_anchored(poster, bank)
    real = Node.ask
    asked: set[str] = set()
    while True:
        wrong: list[str] = []

        async def ask(node: Node, method: str, *parameters: object, wrong: list[str] = wrong) -> object:
            if (wrong and wrong[0] == method) or (not wrong and method not in asked):
                wrong.append(method)
                return answer
            return await real(node, method, *parameters)

        monkeypatch.setattr(Node, "ask", ask)
        bank.grow(DECISIONS, 1)
        heads = await bank.heads()
        fresh = chain.poster(pin, bank)
        for _ in range(2):
            with suppress(AnchoringError):
                await fresh.anchor(heads)
        (elsewhere,) = contract_heads(DECISIONS, {"chain1": pin}, {"chain1": chain.evm.url}, {})
        assert await elsewhere() == []
        await fresh.close()
        if not wrong:
            break
        asked.add(wrong[0])
    assert {"eth_chainId", "eth_getCode", "eth_call", "eth_blockNumber", "eth_estimateGas"} <= asked
    await poster.close()
