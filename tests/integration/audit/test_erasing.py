"""Erasure over the API: who may ask for it, and what is answered. What becomes of it, `e2e/test_erasure.py` shows."""

import secrets

import httpx
import pytest

from tallystick.trust.erasures import key_id_of

from .test_api import problem
from .world import World, database


async def give_key(world: World, name: str) -> bytes:
    """Give a customer a key, and return its id."""
    token = secrets.token_bytes(16)
    bank = world.bank
    async with database(world.servers, "scoring") as connection:
        row = key_id_of(token), bank.name_of(name), token, "vault:v1:unused"
        await connection.execute("INSERT INTO keys.customer_keys VALUES ($1, $2, $3, 1, $4)", *row)
    return row[0]


@pytest.mark.parametrize("scope", ["auditor", "customer"])
@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/v1/customers/x"), ("GET", "/v1/customers/x"), ("PUT", "/v1/holds/x")]
)
async def test_only_privacy_officers_erase_and_hold(world: World, scope: str, method: str, path: str) -> None:
    """Nobody else, not even the customer; without a token nobody at all."""
    async with httpx.AsyncClient(base_url=world.url) as caller:
        problem(await caller.request(method, path), 401, "token-missing")
        problem(await caller.request(method, path, headers=world.bearer(scope, "x")), 403, "scope-missing")


async def test_an_erasure_names_keys_and_is_done_once(world: World) -> None:
    """It answers the same when asked again, and is written down for the log; nothing of it names the customer."""
    key_id = await give_key(world, "odd/name#1")
    async with httpx.AsyncClient(base_url=world.url, headers=world.bearer("privacy")) as officer:
        problem(await officer.get("/v1/customers/odd%2Fname%231"), 404, "unknown")
        first = await officer.delete("/v1/customers/odd%2Fname%231")
        assert first.status_code == 200, first.text
        assert first.json()["key_ids"] == [key_id.hex()]
        assert first.json()["effective_at_ms"] - first.json()["requested_at_ms"] > 100 * 86_400_000
        assert "odd" not in first.text
        again = [await officer.delete("/v1/customers/odd%2Fname%231"), await officer.get("/v1/customers/odd%2Fname%231")]
        assert [one.json() for one in again] == [first.json()] * 2
        problem(await officer.delete("/v1/customers/nobody-known"), 404, "unknown")
        problem(await officer.delete(f"/v1/customers/{'x' * 65}"), 422, "invalid-request")
    async with database(world.servers, "retention") as connection:
        waiting = await connection.fetch("SELECT key, value FROM keys.outbox")
        assert [(key.partition("/")[0], key_id in value) for key, value in waiting if key_id in value] == [("erasure", True)]
        assert not any(b"odd" in value for _, value in waiting)


async def test_a_hold_is_told_and_refuses(world: World) -> None:
    """Placed twice it is one; while it lasts nothing is erased."""
    key_id = await give_key(world, "on-hold")
    async with httpx.AsyncClient(base_url=world.url, headers=world.bearer("privacy")) as officer:
        placed = [(await officer.put("/v1/holds/on-hold")).json() for _ in range(2)]
        assert placed[0] == placed[1] == (await officer.get("/v1/holds/on-hold")).json()
        assert placed[0]["held"]
        problem(await officer.delete("/v1/customers/on-hold"), 409, "legal-hold")
        assert not (await officer.delete("/v1/holds/on-hold")).json()["held"]
        assert (await officer.delete("/v1/customers/on-hold")).json()["key_ids"] == [key_id.hex()]
