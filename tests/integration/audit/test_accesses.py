"""Who was shown evidence: recorded before it is shown, digested, the digest in Kafka, and the records give it."""

import asyncio
import dataclasses
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition

from tallystick.contracts import AccessDigest, EntryKind, LogEntry
from tallystick.embedded.service_process import console_script
from tallystick.merkle.tiles import TileBuilder
from tallystick.runtime.kafka import consumer, read_to_end
from tallystick.runtime.log_reader import LogReader
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
        with httpx.Client(base_url=world.url, headers=world.bearer(), timeout=30) as caller:
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


Said = tuple[int, dict[str, Any]]


def accesses(world: World, folder: Path, logged: Sequence[AccessDigest], *options: str) -> Said:
    """Run the command over a governance log that has these digests; return its exit code, and what it says as JSON."""
    folder.mkdir()
    log = dataclasses.replace(world.governance, directory=folder / "governance", entries=[], builder=TileBuilder())
    kind = EntryKind.ENTRY_KIND_ACCESS_DIGEST
    entries = [LogEntry(kind=kind, topic="governance", value=one.SerializeToString()).SerializeToString() for one in logged]
    log.publish([*world.governance.entries, *entries])
    token = folder / "token"
    token.write_text(world.bearer()["Authorization"].removeprefix("Bearer "))
    named = {"--policy": world.servers.policy, "--audit": world.url, "--token-file": token}
    words = [str(word) for pair in named.items() for word in pair]
    command = [str(console_script("tallystick")), "accesses", str(folder), *words, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_an_auditor_holds_the_records_against_the_logged_digests(auditor: httpx.Client, world: World, tmp_path: Path) -> None:
    """Who was shown what is told; a record that was changed, left out or put in is found, and so is a digest that is gone."""
    for _ in range(2):
        salt, deadline = recorded_salt(auditor, world), time.monotonic() + WITHIN_S
        while not asyncio.run(_digested(world, salt)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    logged = asyncio.run(digests(world))
    assert len(logged) >= 2
    code, said = accesses(world, tmp_path / "sound", logged)
    assert (code, said["unchanged"], said["batches"]) == (0, True, len(logged))
    assert said["records"] == sum(digest.records for digest in logged)
    (shown,) = [one for one in said["people"] if (one["by"], one["as"]) == ("somebody", "tallystick:auditor")]
    assert shown["groups"]["explanation"] >= 2

    last = logged[-1].batch
    for number, (change, reason) in enumerate(
        [
            (
                "UPDATE audit.accesses SET line = replace(line, 'somebody', 'nobody') WHERE batch = $1",
                "changed, left out or put in",
            ),
            ("DELETE FROM audit.accesses WHERE batch = $1", "its records are gone"),
            ("INSERT INTO audit.accesses (line, batch) VALUES ('{}', $1)", "records are served, and"),
        ]
    ):
        kept = asyncio.run(_changed(world, change, last))
        code, said = accesses(world, tmp_path / f"changed-{number}", logged)
        asyncio.run(_put_back(world, last, kept))
        assert (code, len(said["differing"])) == (1, 1)
        assert said["differing"][0].startswith(f"batch {last:,}: ")
        assert reason in said["differing"][0]
    code, said = accesses(world, tmp_path / "gone", [*logged[:-2], logged[-1]])
    assert (code, "does not follow on the one before it" in said["reason"]) == (1, True)
    code, said = accesses(world, tmp_path / "later", logged, "--from", str(logged[-1].until_ms))
    assert (code, said["batches"]) == (0, 1)


async def _digested(world: World, salt: str) -> bool:
    async with database(world.servers, "audit") as connection:
        query = "SELECT batch FROM audit.accesses WHERE position($1 in line) > 0"
        batch = await connection.fetchval(query, salt)
    return batch is not None and batch in {digest.batch for digest in await digests(world)}


async def _changed(world: World, change: str, batch: int) -> list[tuple[int, str]]:
    async with database(world.servers, "audit") as connection:
        kept = await connection.fetch("SELECT number, line FROM audit.accesses WHERE batch = $1 ORDER BY number", batch)
        await connection.execute(change, batch)
    return [tuple(row) for row in kept]


async def _put_back(world: World, batch: int, kept: list[tuple[int, str]]) -> None:
    async with database(world.servers, "audit") as connection:
        await connection.execute("DELETE FROM audit.accesses WHERE batch = $1", batch)
        rows = [(number, line, batch) for number, line in kept]
        await connection.executemany(
            "INSERT INTO audit.accesses (number, line, batch) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3)", rows
        )


def test_a_reader_that_asks_too_often_waits_and_goes_on(world: World) -> None:
    """A whole log is read through a service that allows a few requests a second: it is slower, and not unavailable."""
    api = api_process(world, address_rate="5", address_burst="5")
    api.start()
    try:
        api.wait_ready()

        async def read() -> int:
            async with LogReader(f"{api.health_url.removesuffix('/health')}/decisions") as reader:
                return len({await reader.checkpoint() for _ in range(15)})

        started = time.monotonic()
        assert asyncio.run(read()) == 1
        assert time.monotonic() - started > 1, "it was never told to wait"
    finally:
        assert api.stop() == 0


PATHS = ["/v1/positions/0/0", "/decisions/tile/entries/000", "/console/positions/1/1", "/console/logs"]
"""Of which none shows evidence: what is recorded is another test's."""


@pytest.mark.parametrize(("setting", "paths"), [("caller_rate", PATHS), ("address_rate", PATHS[:1])])
def test_who_asks_too_often_is_told(world: World, setting: str, paths: list[str]) -> None:
    """Over real HTTP: 429 with when to come again, whatever it is that a token opens; others, and health, go on."""
    burst = setting.replace("rate", "burst")
    api = api_process(world, **{setting: "0.01", burst: "2"})
    api.start()
    try:
        api.wait_ready()
        with httpx.Client(base_url=api.health_url.removesuffix("/health"), timeout=30) as caller:
            for path in paths:
                token = world.bearer(sub=f"somebody who reads {path}")["Authorization"]
                headers = {"Authorization": token, "Cookie": f"tallystick-token={token.removeprefix('Bearer ')}"}
                answers = [caller.get(path, headers=headers) for _ in range(3)]
                assert [answer.status_code for answer in answers] == [200, 200, 429], path
                if not path.startswith("/console"):
                    problem(answers[2], 429, "too-many")
                assert 1 <= int(answers[2].headers["retry-after"]) <= 100
            assert caller.get("/health/live").status_code == 200
    finally:
        assert api.stop() == 0
