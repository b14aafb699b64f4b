"""Vault through `runtime`, on a real server."""

import asyncio
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import hvac
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tallystick.runtime.backoff import Backoff, retry
from tallystick.runtime.health import Health
from tallystick.runtime.vault import Vault, VaultRefusedError, VaultUnavailableError

from ..proxy import CuttableProxy
from ..stack import ProvisionedStack


async def test_a_signature_verifies_under_the_public_key(stack: ProvisionedStack) -> None:
    """`sign` gives 64 bytes that Ed25519 accepts under what `public_key` gives."""
    vault = Vault(stack.vault_settings("notary"))
    signature = await vault.sign("notary-decisions", b"message")
    public_key = await vault.public_key("notary-decisions")
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, b"message")


async def test_batches_larger_than_one_request_keep_their_order(stack: ProvisionedStack) -> None:
    """A thousand and one plaintexts, the empty one among them, come back as they were."""
    vault = Vault(stack.vault_settings("scoring"))
    plaintexts = [b"", *(secrets.token_bytes(32) for _ in range(1_000))]
    ciphertexts = await vault.encrypt("customer-keys", plaintexts)
    assert await vault.decrypt("customer-keys", ciphertexts) == plaintexts


async def test_an_empty_batch_asks_nothing(stack: ProvisionedStack) -> None:
    """No items in, no items out."""
    vault = Vault(stack.vault_settings("scoring"))
    assert await vault.encrypt("customer-keys", []) == []


async def test_one_bad_ciphertext_fails_the_batch(stack: ProvisionedStack) -> None:
    """A ciphertext that does not open is refused, whatever else is in the batch."""
    vault = Vault(stack.vault_settings("scoring"))
    good = await vault.encrypt("customer-keys", [b"key"])
    with pytest.raises(VaultRefusedError, match="ciphertext"):
        await vault.decrypt("customer-keys", [*good, "vault:v1:AAAA"])


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("scoring", lambda vault: vault.sign("notary-decisions", b"")),
        ("scoring", lambda vault: vault.public_key("notary-decisions")),
        ("audit", lambda vault: vault.sign("notary-governance", b"")),
        ("audit", lambda vault: vault.encrypt("customer-keys", [b""])),
        ("audit", lambda vault: vault.kv_read("chain/transactions/0/0")),
        ("notary", lambda vault: vault.decrypt("customer-keys", ["vault:v1:AAAA"])),
        ("notary", lambda vault: vault.kv_read("evidence/lookup")),
        ("notary", lambda vault: vault.sign("customer-keys", b"")),
    ],
)
async def test_a_service_can_do_nothing_but_its_own_work(
    stack: ProvisionedStack, service: str, call: Callable[[Vault], Awaitable[object]]
) -> None:
    """What a service's policy does not name is refused."""
    with pytest.raises(VaultRefusedError, match="permission denied"):
        await call(Vault(stack.vault_settings(service)))


async def test_of_many_creators_one_wins_and_all_learn_its_value(stack: ProvisionedStack) -> None:
    """`kv_create` from ten sessions at once gives all the same value, which then stays."""
    path = f"chain/test/{secrets.token_hex(4)}/0"
    vaults = [Vault(stack.vault_settings("scoring")) for _ in range(10)]
    values = await asyncio.gather(*(vault.kv_create(path, {"key": number}) for number, vault in enumerate(vaults)))
    assert len({value["key"] for value in values}) == 1
    assert await vaults[0].kv_create(path, {"key": "late"}) == values[0]


async def test_a_secret_that_does_not_exist_reads_as_none(stack: ProvisionedStack) -> None:
    """Absence is an answer, not an error."""
    assert await Vault(stack.vault_settings("scoring")).kv_read("chain/nowhere/0/0") is None


async def test_a_secret_that_was_deleted_is_not_made_again(stack: ProvisionedStack) -> None:
    """A chain key whose retention ended stays gone: creating it anew is refused."""
    path = f"chain/test/{secrets.token_hex(4)}/0"
    vault = Vault(stack.vault_settings("scoring"))
    await vault.kv_create(path, {"key": "first"})
    root = hvac.Client(url=stack.servers.vault.address, token=stack.servers.vault.root_token)
    root.secrets.kv.v2.destroy_secret_versions(path=path, versions=[1], mount_point="secret")
    assert await vault.kv_read(path) is None
    with pytest.raises(VaultRefusedError):
        await vault.kv_create(path, {"key": "second"})
    root.adapter.close()


async def test_a_revoked_token_is_replaced(stack: ProvisionedStack) -> None:
    """When Vault no longer takes the token, the next call logs in anew and succeeds."""
    vault = Vault(stack.vault_settings("notary"))
    await vault.ping()
    root = hvac.Client(url=stack.servers.vault.address, token=stack.servers.vault.root_token)
    root.revoke_token(vault._client.token)
    root.adapter.close()
    assert len(await vault.sign("notary-clock", b"x")) == 64


async def test_the_token_is_renewed_before_it_expires(stack: ProvisionedStack) -> None:
    """After two thirds of the token's life, the next call uses another one."""
    now = 0.0
    vault = Vault(stack.vault_settings("notary"), monotonic=lambda: now)
    await vault.ping()
    first = vault._client.token
    now = 3600 * 0.6
    await vault.ping()
    assert vault._client.token == first
    now = 3600 * 0.7
    await vault.ping()
    assert vault._client.token != first


async def test_an_unreachable_vault_is_unavailable_and_comes_back(stack: ProvisionedStack) -> None:
    """A cut connection raises VaultUnavailableError, and the same session works once it is restored."""
    with CuttableProxy(stack.servers.vault.port) as proxy:
        vault = Vault(stack.vault_settings("notary", address=f"http://127.0.0.1:{proxy.port}"))
        await vault.ping()
        proxy.cut()
        with pytest.raises(VaultUnavailableError, match="cannot connect"):
            await vault.sign("notary-clock", b"x")
        proxy.restore()
        assert len(await vault.sign("notary-clock", b"x")) == 64


async def test_a_frozen_vault_is_waited_for_and_said_in_health(fresh_stack: ProvisionedStack) -> None:
    """SIGSTOP: `retry` says in health that Vault does not answer, and returns the signature after SIGCONT."""
    health = Health("test", components=["vault"])
    vault = Vault(fresh_stack.vault_settings("notary", timeout_s=0.3))
    await vault.ping()
    fresh_stack.servers.vault.child.send(signal.SIGSTOP)
    signing = asyncio.create_task(
        retry(lambda: vault.sign("notary-clock", b"x"), health=health, component="vault", backoff=Backoff(cap_s=0.2))
    )
    deadline = time.monotonic() + 60
    while not health.state("vault").startswith("not answering since"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert not health.ready
    fresh_stack.servers.vault.child.send(signal.SIGCONT)
    assert len(await asyncio.wait_for(signing, 60)) == 64
    assert health.ready


async def test_a_restarted_vault_serves_the_same_session(fresh_stack: ProvisionedStack) -> None:
    """A Vault killed and started again has its keys, and `retry` carries a session over the gap."""
    health = Health("test", components=["vault"])
    vault = Vault(fresh_stack.vault_settings("notary"))
    before = await vault.public_key("notary-decisions")
    fresh_stack.servers.vault.child.kill()
    asking = asyncio.create_task(retry(lambda: vault.public_key("notary-decisions"), health=health, component="vault"))
    await asyncio.to_thread(fresh_stack.servers.vault.start)
    assert await asyncio.wait_for(asking, 60) == before


async def test_a_wrong_secret_id_is_refused_not_retried(stack: ProvisionedStack, tmp_path: Path) -> None:
    """A login that Vault refuses is fatal: waiting does not make the credential right."""
    wrong = tmp_path / "secret-id"
    wrong.write_text("00000000-0000-0000-0000-000000000000")
    settings = stack.vault_settings("notary").model_copy(update={"vault_secret_id_file": wrong})
    with pytest.raises(VaultRefusedError):
        await Vault(settings).ping()
