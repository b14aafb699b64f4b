"""Heads signed for receipts: beside the log, never in its way."""

import asyncio
from pathlib import Path

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.signed_roots import ReceiptKey, SignedRoot
from tallystick.notary import receipts
from tallystick.notary.receipts import ReceiptSigner, report_receipts
from tallystick.runtime.health import Health
from tallystick.runtime.vault import VaultRefusedError, VaultUnavailableError

from .stand import ORIGIN, RECEIPT_KEY, LocalKeys, Stand, decisions

HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))


class BrokenKeys(LocalKeys):
    """Keys of which the one for receipts fails as long as `error` says so."""

    error: Exception | None = None
    version = 1
    asked = 0

    async def sign(self, key: str, message: bytes, version: int | None = None) -> bytes:
        """See `Keys`."""
        if key != RECEIPT_KEY:
            return await super().sign(key, message)
        self.asked += 1
        if isinstance(self.error, TimeoutError):
            await asyncio.sleep(60)
        if self.error is not None:
            raise self.error
        return await super().sign(f"{key}, version {self.version}", message)

    async def public_key(self, key: str) -> bytes:
        """See `Keys`."""
        return await super().public_key(f"{key}, version {self.version}" if key == RECEIPT_KEY else key)


async def test_a_head_is_signed_by_the_receipt_key() -> None:
    """With the log's origin, the head's size and root; the same head again is not signed again."""
    keys = BrokenKeys()
    signer = ReceiptSigner(keys, RECEIPT_KEY, ORIGIN)
    signed = await signer.sign(HEAD)
    assert signed is not None
    SignedRoot.parse(signed).verify(HEAD.root, [ReceiptKey(ORIGIN, await keys.public_key(RECEIPT_KEY))])
    assert SignedRoot.parse(signed).header.size == 7
    assert await signer.sign(HEAD) == signed
    assert keys.asked == 1


async def test_an_empty_log_has_no_receipts() -> None:
    """Nor is that a failure."""
    signer = ReceiptSigner(LocalKeys(), RECEIPT_KEY, ORIGIN)
    assert await signer.sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT)) is None
    assert (signer.failing, signer.missed) == (None, 0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (VaultUnavailableError("sealed"), "sealed"),
        (VaultRefusedError("no such key"), "no such key"),
        (OSError("no route"), "no route"),
        (TimeoutError(), "no answer in time"),
    ],
)
async def test_a_failing_key_fails_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """The log goes on, each head published and recorded without a receipt; health says why; later heads have one again."""
    monkeypatch.setattr(receipts, "TIMEOUT_S", 0.01)
    keys = BrokenKeys()
    keys.error = error
    stand = Stand(tmp_path, batches=[{0: decisions(0, range(3))}], keys=keys)
    await stand.run()
    assert (await stand.verify())[0].size == 3
    assert 3 in stand.ledger.checkpoints
    assert stand.ledger.receipts == {}

    keys.error = None
    stand.batches = [*stand.batches, {0: decisions(0, range(3, 5), first_offset=3)}]
    await stand.run()
    assert set(stand.ledger.receipts) == {3, 5}, "a notary that starts publishes its head again"

    signer, health = ReceiptSigner(keys, RECEIPT_KEY, ORIGIN), Health("test", ["vault"])
    health.ok("vault")
    report_receipts(health, {"decisions": signer})
    keys.error = error
    assert await signer.sign(HEAD) is None
    assert words in str(health.snapshot()["receipts"])
    assert b'tallystick_notary_heads_without_receipt{log="decisions"} 1.0' in health.metrics()
    assert health.ready
    keys.error = None
    assert await signer.sign(HEAD) is not None
    assert health.snapshot()["receipts"] == {"decisions": "ok"}


async def test_a_rotated_key_is_noticed() -> None:
    """A signature by another version than the one that was read is not stored; the next head takes the new key."""
    keys = BrokenKeys()
    signer = ReceiptSigner(keys, RECEIPT_KEY, ORIGIN)
    assert await signer.sign(HEAD) is not None
    keys.version = 2
    later = Checkpoint(ORIGIN, 8, HEAD.root)
    assert await signer.sign(later) is None
    assert "has not signed" in str(signer.failing)
    signed = await signer.sign(later)
    assert signed is not None
    SignedRoot.parse(signed).verify(later.root, [ReceiptKey(ORIGIN, await keys.public_key(RECEIPT_KEY))])


async def test_what_nobody_expected_is_not_swallowed() -> None:
    """Only what a server may do is waited out."""
    keys = BrokenKeys()
    keys.error = KeyError("a defect")
    with pytest.raises(KeyError):
        await ReceiptSigner(keys, RECEIPT_KEY, ORIGIN).sign(HEAD)
