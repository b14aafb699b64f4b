"""Rotating the keys that wrap customers' keys, on real servers: whatever dies when, no live key is lost, no old one left."""

import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from hvac.exceptions import Forbidden

from tallystick.audit.retention.vault_keys import VaultKeys, WrappingKey
from tallystick.audit.retention.wrapping import CUSTOMER_KEYS, Wrapping, WrappingError
from tallystick.runtime import database
from tallystick.runtime.retention import DAY_S, RetentionSettings
from tallystick.runtime.vault import Vault, VaultRefusedError, version_of
from tallystick.scoring.custody import Custody
from tallystick.scoring.windows import Customer

from ..stack import ProvisionedStack, provisioned_stack

CUSTOMERS = 5
ALWAYS = RetentionSettings(wrapping_rotation_s=0.5, wrapping_grace_s=0.25)
"""With a clock that goes on by a second whenever it is looked at, each turn rotates, and forbids what was before."""


class DiedError(Exception):
    """The process was killed here."""


@dataclass
class Mortal:
    """Anything whose calls have effects: dies before or after one of them, and counts them."""

    inner: Any
    calls: list[str]
    dies_at: int = -1
    after: bool = False
    names: frozenset[str] = frozenset()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name not in self.names:
            return found

        async def call(*arguments: Any) -> Any:
            self.calls.append(name)
            number = len(self.calls) - 1
            if number == self.dies_at and not self.after:
                raise DiedError
            result = await found(*arguments)
            if number == self.dies_at:
                raise DiedError
            return result

        return call


class Dated(VaultKeys):
    """Vault's keys, made when the test's clock says: each version when it is first seen."""

    now_s = 1_000_000_000.0

    def __init__(self, vault: Vault) -> None:
        super().__init__(vault)
        self._seen: dict[tuple[str, int], float] = {}

    async def wrapping_key(self, name: str) -> WrappingKey:
        """Return a transit key's versions, dated."""
        key = await super().wrapping_key(name)
        return WrappingKey({version: self._seen.setdefault((name, version), self.now_s) for version in key.made_s}, key.floor)


@dataclass
class World:
    """Servers, scoring's custody, and a clock that tests move (`keys.now_s`)."""

    keys: Dated
    connection: asyncpg.Connection
    custody: Custody
    vault: Vault
    retention: RetentionSettings
    customers: list[Customer] = field(default_factory=list)

    def wrapping(self, dies_at: int = -1, *, after: bool = False) -> tuple[Wrapping, list[str]]:
        """Return a runner that dies at that effect, and the effects it has had."""
        calls: list[str] = []
        of_vault = frozenset({"rotate", "rewrap", "raise_floor"})
        keys = Mortal(self.keys, calls, dies_at, after, of_vault)
        connection = Mortal(self.connection, calls, dies_at, after, frozenset({"execute"}))
        return Wrapping(keys, connection, self.retention, self._clock, lambda: None), calls

    def _clock(self) -> float:
        if self.retention is ALWAYS:
            self.keys.now_s += 1.0
        return self.keys.now_s

    async def rows(self) -> list[asyncpg.Record]:
        """Return the key table."""
        rows: list[asyncpg.Record] = await self.connection.fetch("SELECT * FROM keys.customer_keys ORDER BY key_id")
        return rows

    async def opened(self) -> dict[bytes, bytes]:
        """Return every key that the table and Vault together still give."""
        rows = await self.rows()
        keys = await self.vault.decrypt(CUSTOMER_KEYS, [row["wrapped"] for row in rows])
        return {row["key_id"]: key for row, key in zip(rows, keys, strict=True)}

    async def state(self) -> WrappingKey:
        """Return the wrapping key."""
        return await self.keys.wrapping_key(CUSTOMER_KEYS)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvisionedStack]:
    """Run servers whose keys these tests have to themselves."""
    with provisioned_stack(tmp_path_factory.mktemp("wrapping")) as own:
        yield own


@pytest.fixture
async def world(servers: ProvisionedStack) -> AsyncIterator[World]:
    """Five customers with keys, under a key that is due every day."""
    pool = await database.pool(servers.database_settings("scoring"))
    await pool.execute("DELETE FROM keys.customer_keys")
    connection = await database.connect(servers.database_settings("retention"))
    vault = Vault(servers.vault_settings("scoring"))
    custody = Custody(vault, pool, os.urandom)
    await custody.prepare()
    keys = Dated(Vault(servers.vault_settings("retention")))
    made = World(keys, connection, custody, vault, RetentionSettings(wrapping_rotation_s=DAY_S, wrapping_grace_s=3600))
    made.customers = [Customer(f"c-{number}") for number in range(CUSTOMERS)]
    await custody.fill(made.customers)
    yield made
    connection.terminate()
    pool.terminate()


async def test_a_day_of_rotations(world: World) -> None:
    """Every day there is another version, everything is under it, and an hour later what is older is gone for good."""
    before = await world.opened()
    first = (await world.state()).newest
    runner, calls = world.wrapping()
    await runner.turn()
    assert "rotate" not in calls
    for day in (1, 2):
        copied = await world.rows()
        world.keys.now_s += DAY_S - 3_599 * (day - 1)
        await runner.turn()
        assert [row["version"] for row in await world.rows()] == [first + day] * CUSTOMERS
        # A replica that is up to an hour behind is still of use.
        await world.vault.decrypt(CUSTOMER_KEYS, [row["wrapped"] for row in copied])
        world.keys.now_s += 3_600
        await runner.turn()
        assert (await world.state()).floor == (await world.state()).newest == first + day
        with pytest.raises(VaultRefusedError):
            await world.vault.decrypt(CUSTOMER_KEYS, [copied[0]["wrapped"]])
        assert await world.opened() == before


async def test_whatever_kills_it_no_live_key_is_lost(world: World) -> None:
    """Dead before or after each effect, then started again: keys open, one erased stays so, old copies are useless."""
    world.retention = ALWAYS
    runner, calls = world.wrapping()
    await runner.turn()
    effects = len(calls)
    assert {"rotate", "rewrap", "raise_floor", "execute"} == set(calls)
    known = await world.opened()
    for number in range(effects):
        for after in (False, True):
            copied = await world.rows()
            runner, _ = world.wrapping(number, after=after)
            with pytest.raises(DiedError):
                await runner.turn()
            assert await world.opened() == known, (number, after)
            (made,) = extra = [Customer(f"new-{number}-{after}")]
            await world.custody.fill(extra)
            assert made.key_id is not None
            assert made.key is not None
            known[made.key_id] = made.key
            gone = next(iter(known))
            await world.custody.destroy(frozenset({gone}))
            del known[gone]
            runner, _ = world.wrapping()
            await runner.turn()
            assert await world.opened() == known, (number, after)
            assert min(row["version"] for row in await world.rows()) == (await world.state()).floor
            with pytest.raises(VaultRefusedError):
                await world.vault.decrypt(CUSTOMER_KEYS, [copied[0]["wrapped"]])


async def test_a_key_that_was_wrapped_before_the_floor_rose_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring that stood still between Vault and the table wraps another key: what it kept would never open."""
    world.retention = ALWAYS
    honest = Vault.encrypt
    stood_still: list[list[str]] = []

    async def encrypt(vault: Vault, key: str, plaintexts: Sequence[bytes]) -> list[str]:
        wrapped = await honest(vault, key, plaintexts)
        if not stood_still:
            stood_still.append(wrapped)
            await world.wrapping()[0].turn()
        return wrapped

    monkeypatch.setattr(Vault, "encrypt", encrypt)
    (late,) = extra = [Customer("late")]
    await world.custody.fill(extra)
    assert late.key_id is not None
    assert (await world.opened())[late.key_id] == late.key
    assert version_of(stood_still[0][0]) < (await world.state()).floor


async def test_a_key_that_is_wrapped_anew_while_it_is_read_is_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring that stood still between the table and Vault finds its version gone, and asks the table once more."""
    world.retention = ALWAYS
    honest = Vault.decrypt
    turns: list[int] = []

    async def decrypt(vault: Vault, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        if not turns:
            turns.append(1)
            await world.wrapping()[0].turn()
        return await honest(vault, key, ciphertexts)

    monkeypatch.setattr(Vault, "decrypt", decrypt)
    again = [Customer("c-0")]
    await world.custody.fill(again)
    assert again[0].key == world.customers[0].key


async def test_a_table_and_a_vault_of_different_times_are_told(world: World) -> None:
    """A Vault older than the table is not rotated, for its next version would be another; lost keys are said."""
    await world.connection.execute("UPDATE keys.customer_keys SET version = 99")
    runner, calls = world.wrapping()
    world.keys.now_s += 2 * DAY_S
    with pytest.raises(WrappingError, match="Vault is older than the key table"):
        await runner.turn()
    assert calls == []
    await world.connection.execute("UPDATE keys.customer_keys SET version = 0")
    with pytest.raises(WrappingError, match=f"{CUSTOMERS} customers' keys .* restore a newer one"):
        await runner.turn()


async def test_the_runner_can_read_nothing(world: World, servers: ProvisionedStack) -> None:
    """It may rotate and wrap anew, but open no key, read no chain key, and make no key exportable."""
    vault = Vault(servers.vault_settings("retention"))
    row = (await world.rows())[0]
    await world.custody.chain_key("transactions", 0, 0)
    config = {"exportable": True, "min_decryption_version": 1}
    for refused in (
        lambda client: client.adapter.post("/v1/transit/decrypt/customer-keys", json={"ciphertext": row["wrapped"]}),
        lambda client: client.secrets.kv.v2.read_secret_version(
            path="chain/transactions/0/0", mount_point="secret", raise_on_deleted_version=True
        ),
        lambda client: client.adapter.post("/v1/transit/keys/customer-keys/config", json=config),
        lambda client: client.adapter.post("/v1/transit/keys/notary-decisions/rotate"),
    ):
        with pytest.raises(VaultRefusedError) as caught:
            await vault.call(refused)
        assert isinstance(caught.value.__cause__, Forbidden)


async def test_a_destroyed_chain_key_is_gone_and_not_made_again(world: World) -> None:
    """Its place says that there was one: scoring refuses to make another, and the key cannot be read."""
    await world.custody.chain_key("transactions", 3, 0)
    key = (await world.keys.chain_keys())[-1]
    assert (key.path, key.destroyed) == ("chain/transactions/3/0", False)
    assert abs(key.made_s - time.time()) < DAY_S
    await world.keys.destroy(key)
    assert (await world.keys.chain_keys())[-1].destroyed
    with pytest.raises(VaultRefusedError):
        await world.custody.chain_key("transactions", 3, 0)
