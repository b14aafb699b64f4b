"""Who was shown evidence: recorded before it is shown, digested, the digest in Kafka, and the records give it."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition

from tallystick.contracts import AccessDigest
from tallystick.runtime.kafka import consumer, read_to_end
from tallystick.trust.access_digests import FIRST, AccessDigests, digest_of

from .test_api import problem
from .world import World, api_process, database

WITHIN_S = 30.0
_FULL = """
CREATE FUNCTION audit.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON audit.accesses FOR EACH ROW EXECUTE FUNCTION audit.full();
"""


async def digests(world: World) -> list[AccessDigest]:
    """Read the digests that were sent, in their order."""
    place = TopicPartition("governance", 0)
    async with consumer(world.servers.kafka_settings()) as reader:
        reader.assign([place])
        records = await read_to_end(reader, place, 0)
    return [AccessDigest.FromString(record.value) for record in records if record.key.startswith(b"access_digest/")]


async def records(world: World) -> list[dict[str, Any]]:
    """Read the records of accesses."""
    async with database(world.servers, "audit") as connection:
        return [json.loads(row[0]) for row in await connection.fetch("SELECT line FROM audit.accesses ORDER BY number")]


def recorded(world: World, **expected: object) -> list[dict[str, Any]]:
    """Return the records that say this."""
    return [record for record in asyncio.run(records(world)) if expected.items() <= record.items()]


def test_whoever_is_shown_evidence_is_recorded(auditor: httpx.Client, customer: httpx.Client, world: World) -> None:
    """Who, what and when; nothing of the evidence itself, and no record where none was shown."""
    before = len(asyncio.run(records(world)))
    assert customer.get("/v1/decisions/tx-plain/bundle", params={"disclose": "transaction,identity"}).status_code == 200
    assert auditor.get("/v1/evidence/1/2", params={"disclose": "features", "count": 2}).status_code == 200
    places = [{"partition": 0, "sequence": 0}, {"partition": 0, "sequence": 1}]
    assert auditor.post("/v1/receipts", json={"places": places, "disclose": ["explanation"]}).status_code == 200
    made = asyncio.run(records(world))[before:]
    assert [(one["as"], one["by"], one["partition"], one["first"], one["count"], one["groups"]) for one in made] == [
        ("tallystick:customer", "somebody", 0, 0, 1, ["identity", "transaction"]),
        ("tallystick:auditor", "somebody", 1, 2, 2, ["features"]),
        ("tallystick:auditor", "somebody", 0, 0, 1, ["explanation"]),  # the other was rejected, and has no evidence
    ]
    assert len({one["salt"] for one in made}) == 3
    assert all("tx-plain" not in json.dumps(one) and "c-1" not in json.dumps(one) for one in made)
    for path in ("/v1/decisions/tx-plain", "/v1/decisions/tx-plain/bundle", "/v1/decisions/tx-erased/bundle?disclose=features"):
        auditor.get(path)
    assert len(asyncio.run(records(world))) == before + 3


def test_what_cannot_be_recorded_is_not_shown(world: World) -> None:
    """Without its record there is no evidence; receipts without evidence are given all the same."""

    async def run(statement: str) -> None:
        async with database(world.servers, "audit") as connection:
            await connection.execute(statement)

    asyncio.run(run(_FULL))
    try:
        with httpx.Client(base_url=world.url, headers=world.bearer(), timeout=15) as caller:
            refused = caller.get("/v1/positions/0/0/bundle?disclose=features")
            problem(refused, 503, "unavailable")
            problem(caller.get("/v1/evidence/0/0?disclose=features"), 503, "unavailable")
            assert caller.get("/v1/positions/0/0/bundle").status_code == 200
            body = {"places": [{"partition": 0, "sequence": 0}], "disclose": ["features"]}
            (line,) = caller.post("/v1/receipts", json=body).text.splitlines()
            assert json.loads(line)["problem"]["status"] == 503
    finally:
        asyncio.run(run("DROP FUNCTION audit.full CASCADE"))


def test_the_digests_are_over_the_records(auditor: httpx.Client, client: httpx.Client, world: World) -> None:
    """Each follows on the one before it, and what is served gives it; a record that was changed does not."""
    salt = recorded_salt(auditor, world)
    deadline = time.monotonic() + WITHIN_S
    batches: list[str] = []
    while not any(salt in lines for lines in batches):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        log, batches = AccessDigests(), []
        for digest in asyncio.run(digests(world)):
            log.take(digest.SerializeToString())
            answer = auditor.get(f"/v1/accesses/{digest.batch}")
            lines = answer.text.splitlines()
            assert (len(lines), digest_of(digest.previous, lines)) == (digest.records, digest.digest)
            assert digest_of(digest.previous or FIRST, [*lines[:-1], lines[-1].replace("somebody", "nobody")]) != digest.digest
            batches.append(answer.text)
    problem(auditor.get(f"/v1/accesses/{len(batches) + 1000}"), 404, "unknown")
    assert client.get("/v1/accesses/0", headers=world.bearer("privacy")).status_code == 200
    problem(client.get("/v1/accesses/0", headers=world.bearer("customer", "c-1")), 403, "scope-missing")


def recorded_salt(auditor: httpx.Client, world: World) -> str:
    """Let evidence be shown, and return the salt of its record."""
    assert auditor.get("/v1/positions/1/3/bundle?disclose=explanation").status_code == 200
    salt: str = recorded(world, partition=1, first=3)[-1]["salt"]
    return salt


@pytest.mark.parametrize("setting", ["caller_rate", "address_rate"])
def test_who_asks_too_often_is_told(world: World, setting: str) -> None:
    """Over real HTTP: 429 with when to come again; others, and health, go on."""
    burst = setting.replace("rate", "burst")
    api = api_process(world, **{setting: "0.01", burst: "2"})
    api.start()
    try:
        api.wait_ready()
        with httpx.Client(base_url=api.health_url.removesuffix("/health"), headers=world.bearer(), timeout=15) as caller:
            answers = [caller.get("/v1/positions/0/0") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            problem(answers[2], 429, "too-many")
            assert 1 <= int(answers[2].headers["retry-after"]) <= 100
            assert caller.get("/health/live").status_code == 200
    finally:
        assert api.stop() == 0
