"""Customers' keys: made once, opened by Vault once, and ciphers ready only for those who pay."""

import os
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.runtime import database
from tallystick.runtime.vault import Vault
from tallystick.scoring import custody as module
from tallystick.scoring.custody import Custody
from tallystick.scoring.windows import Customer

from ..stack import ProvisionedStack


@pytest.fixture
async def custody(stack: ProvisionedStack) -> AsyncIterator[Custody]:
    """Prepare scoring's custody."""
    pool = await database.pool(stack.database_settings("scoring"))
    made = Custody(Vault(stack.vault_settings("scoring")), pool, os.urandom)
    await made.prepare()
    yield made
    pool.terminate()


async def test_ciphers_are_bounded_and_keys_are_asked_for_once(custody: Custody, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is in the batch has a cipher, of all others the last few; a key that was opened needs no server again."""
    monkeypatch.setattr(module, "CIPHERS", 3)
    customers = [Customer(f"of custody {number}") for number in range(10)]
    await custody.fill(customers)
    keys = [(customer.key_id, customer.key) for customer in customers]
    assert len({key for _, key in keys}) == len({key_id for key_id, _ in keys}) == 10
    custody._pool.terminate()
    for customer in customers:
        await custody.fill([customer, customer])
        assert isinstance(customer.cipher, AESGCM)
        assert sum(one.cipher is not None for one in customers) <= 3 + 1
    assert [(customer.key_id, customer.key) for customer in customers] == keys


async def test_a_customer_who_was_forgotten_in_mid_batch_has_one_key(custody: Custody) -> None:
    """Two that are one and the same are both given it."""
    twice = [Customer("of custody, twice") for _ in range(2)]
    await custody.fill(twice)
    assert twice[0].key is not None
    assert twice[0].key == twice[1].key
    assert None not in (twice[0].cipher, twice[1].cipher)


async def test_a_snapshot_s_key_comes_back(custody: Custody) -> None:
    """Wrapped by Vault and unwrapped; each is another."""
    keys = [await custody.new_wrapped_key() for _ in range(2)]
    assert [await custody.unwrapped_key(wrapped) for _, wrapped in keys] == [key for key, _ in keys]
    assert keys[0][0] != keys[1][0]
