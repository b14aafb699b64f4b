"""Heads signed once more, in COSE, so that whoever asks can be given receipts of them (RFC 9942).

Receipts are a convenience; the log does not wait for them. Whatever is wrong with their key, or with Vault just then, the
checkpoint is published without one, health and a metric say so, and the next head tries again.
"""

import asyncio
import logging
from collections.abc import Mapping

from prometheus_client import Gauge

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.signed_roots import ReceiptKey, RootHeader, SignedRoot
from tallystick.notary.signer import Keys
from tallystick.runtime.health import OK, Health
from tallystick.runtime.vault import VaultError

TIMEOUT_S = 2.0
"""How long a head may take here: it is public already, and only the next one waits."""

_log = logging.getLogger(__name__)


class ReceiptSigner:
    """Signs one log's heads for receipts.

    Args:
        keys: where the keys are.
        key: the name there of the key that signs receipts and nothing else.
        origin: the log.
    """

    def __init__(self, keys: Keys, key: str, origin: str) -> None:
        self._keys, self._key, self._origin = keys, key, origin
        self._public: ReceiptKey | None = None
        self._last: tuple[Checkpoint, bytes] | None = None
        self.failing: str | None = None
        self.missed = 0

    async def sign(self, checkpoint: Checkpoint) -> bytes | None:
        """Return the signed root of a published head; None if it cannot be had now, or the log is empty."""
        if checkpoint.size == 0:
            return None  # no receipt can be made of it
        if self._last is not None and self._last[0] == checkpoint:
            return self._last[1]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                signed = await self._signed(checkpoint)
        except (VaultError, OSError, MerkleError) as error:  # a TimeoutError is an OSError
            self._fail(str(error) or "no answer in time")
            return None
        if self.failing is not None:
            _log.info("receipts are signed again", extra={"origin": self._origin})
        self.failing, self._last = None, (checkpoint, signed)
        return signed

    async def _signed(self, checkpoint: Checkpoint) -> bytes:
        if self._public is None:
            self._public = ReceiptKey(self._origin, await self._keys.public_key(self._key))
        header = RootHeader(self._origin, checkpoint.size, self._public.key_id)
        signed = SignedRoot(header, await self._keys.sign(self._key, header.signing_input(checkpoint.root)))
        signed.verify(checkpoint.root, [self._public])
        return signed.encode()

    def _fail(self, reason: str) -> None:
        if self.failing is None:
            _log.warning("heads are published without receipts: %s", reason, extra={"origin": self._origin})
        self.failing, self.missed = reason, self.missed + 1
        self._public = None  # the key may have been rotated


def report_receipts(health: Health, signers: Mapping[str, ReceiptSigner]) -> None:
    """Say in health and metrics how each log's receipts do. Not a component: a notary without receipts is ready."""
    health.detail("receipts", lambda: {log: signer.failing or OK for log, signer in signers.items()})
    missed = Gauge(
        "tallystick_notary_heads_without_receipt",
        "Heads published since the start that could not be signed for receipts",
        ["log"],
        registry=health.registry,
    )
    for log, signer in signers.items():
        missed.labels(log).set_function(lambda signer=signer: signer.missed)  # type: ignore[misc]  # defaults bind
