"""The register of requests on a real PostgreSQL: one owner at a time, one answer for ever."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from tallystick.gateway.register import Claim, Known, Register, RegisterUnavailableError
from tallystick.runtime import database

from ..proxy import CuttableProxy
from ..stack import ProvisionedStack

LEASE_S = 30.0


@pytest.fixture
async def pool(stack: ProvisionedStack) -> AsyncIterator[asyncpg.Pool]:
    """Connect as the gateway."""
    made = await database.pool(stack.database_settings("gateway"), max_size=8)
    yield made
    made.terminate()


@pytest.fixture
async def replicas(pool: asyncpg.Pool) -> AsyncIterator[tuple[Register, Register]]:
    """Run two replicas' registers."""
    both = Register(pool, 35), Register(pool, 35)
    await asyncio.gather(*(one.prepare() for one in both))
    running = [asyncio.create_task(one.run()) for one in both]
    yield both
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def claim(lease_s: float = LEASE_S) -> Claim:
    """Return a claim of a request that nobody has made."""
    return Claim(os.urandom(32), b"f" * 32, os.urandom(16), lease_s, 3, 17, 42)


def other(of: Claim) -> Claim:
    """Return another replica's claim of the same request."""
    return replace(of, owner=os.urandom(16), from_offset=99, decisions_offset=99)


async def test_of_many_claims_of_a_request_one_is_the_first(replicas: tuple[Register, Register]) -> None:
    """From both replicas at once, many in one statement: each has exactly one owner, and no two wait for each other."""
    requests = [claim() for _ in range(200)]
    claims = await asyncio.gather(
        *(replicas[0].claim(one) for one in requests), *(replicas[1].claim(other(one)) for one in reversed(requests))
    )
    first, second = claims[:200], list(reversed(claims[200:]))
    assert all((one is None) != (two is None) for one, two in zip(first, second, strict=True))


async def test_what_is_known_of_a_request(replicas: tuple[Register, Register]) -> None:
    """The first claim's fingerprint and offsets; busy until its lease is over."""
    mine = claim()
    assert await replicas[0].claim(mine) is None
    assert await replicas[1].claim(other(mine)) == Known(mine.fingerprint, None, mine.owner, True, 17, 42)


async def test_an_abandoned_request_is_taken_over_once(replicas: tuple[Register, Register]) -> None:
    """Not before its lease is over, by one only, who is then its owner; the former one can settle nothing any more."""
    held, mine = claim(), claim(lease_s=0.05)
    await asyncio.gather(replicas[0].claim(held), replicas[0].claim(mine))
    assert not await replicas[1].take_over(other(held), held.owner)
    await asyncio.sleep(0.2)
    heirs = [other(mine), other(mine)]
    taken = await asyncio.gather(*(replicas[1].take_over(heir, mine.owner) for heir in heirs))
    assert sorted(taken) == [False, True]
    heir = heirs[taken.index(True)]
    assert not await replicas[0].settle(mine.id, mine.owner, b"late")
    assert await replicas[1].settle(mine.id, heir.owner, b"answer")


async def test_an_answer_is_settled_for_good(replicas: tuple[Register, Register]) -> None:
    """The same again is the same; another is refused, a kept one, too; whoever asks again gets it, and cannot take it over."""
    mine = claim(lease_s=0.05)
    await replicas[0].claim(mine)
    assert [await replicas[0].settle(mine.id, mine.owner, value) for value in (b"a", b"a", b"b")] == [True, True, False]
    replicas[0].keep(mine.id, mine.owner, b"c")
    await asyncio.sleep(0.3)
    known = await replicas[1].claim(other(mine))
    assert known is not None
    assert (known.answer, known.busy) == (b"a", False)
    assert not await replicas[1].take_over(other(mine), mine.owner)


async def test_a_kept_answer_is_there_soon_and_only_its_owner_s(replicas: tuple[Register, Register]) -> None:
    """What a former owner still wants to keep is not."""
    mine = claim()
    await replicas[0].claim(mine)
    replicas[0].keep(mine.id, os.urandom(16), b"another's")
    await asyncio.sleep(0.3)
    assert (await replicas[1].claim(other(mine)) or mine) != mine
    replicas[0].keep(mine.id, mine.owner, b"mine")
    for _ in range(100):
        known = await replicas[1].claim(other(mine))
        if known is not None and known.answer is not None:
            break
        await asyncio.sleep(0.02)
    assert known is not None
    assert known.answer == b"mine"


async def test_many_are_settled_at_once(replicas: tuple[Register, Register]) -> None:
    """Each as by itself: of a spool some were given, some not."""
    given, fresh, lost = claim(), claim(), claim()
    for one in (given, fresh, lost):
        await replicas[0].claim(one)
    await replicas[0].settle(given.id, given.owner, b"given")
    await replicas[0].settle(lost.id, lost.owner, b"another answer")
    answers = [(given.id, given.owner, b"given"), (fresh.id, fresh.owner, b"fresh"), (lost.id, lost.owner, b"lost")]
    assert await replicas[0].settle_all([*answers, (os.urandom(32), b"o" * 16, b"nobody's")]) == {given.id, fresh.id}


async def test_old_requests_are_forgotten(replicas: tuple[Register, Register], pool: asyncpg.Pool) -> None:
    """After their days, and not before."""
    old, young = claim(), claim()
    await asyncio.gather(*map(replicas[0].claim, (old, young)))
    await pool.execute("UPDATE gateway.requests SET claimed_at = now() - interval '36 days' WHERE id = $1", old.id)
    await pool.execute("UPDATE gateway.requests SET claimed_at = now() - interval '34 days' WHERE id = $1", young.id)
    await replicas[0].prune()
    assert await replicas[1].claim(old) is None
    assert await replicas[1].claim(young) is not None


async def test_without_the_database_nothing_is_claimed(stack: ProvisionedStack) -> None:
    """Whoever waits is told; once it answers again, claims are made again."""
    with CuttableProxy(stack.servers.database.port) as proxy:
        pool = await database.pool(stack.database_settings("gateway", port=proxy.port))
        register = Register(pool, 35)
        await register.prepare()
        running = asyncio.create_task(register.run())
        proxy.cut()
        with pytest.raises(RegisterUnavailableError):
            await register.claim(claim())
        with pytest.raises(RegisterUnavailableError):
            await register.settle(b"r", b"o", b"a")
        proxy.restore()
        assert await register.claim(claim()) is None
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        pool.terminate()
