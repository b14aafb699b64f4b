"""Decisions by time and outcome, receipts by the thousand, what governs; and the CLI's client, which reads all of it."""

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tallystick.cli.audit import AuditClient, AuditUnavailableError, Place
from tallystick.contracts import Outcome
from tallystick.merkle.proof_files import ProofFile
from tallystick.merkle.receipts import InclusionReceipt, parse_receipt
from tallystick.trust.bundle import verify_bundle

from .bank import MODEL_FILE, NOW_MS
from .test_api import problem
from .world import PUBLISHED, SIGNED_FOR_RECEIPTS, World

WITHIN_S = 20.0


@pytest.fixture(autouse=True)
def _indexed(auditor: httpx.Client) -> None:
    """Wait until the index covers the log."""
    deadline = time.monotonic() + WITHIN_S
    while auditor.get("/v1/decisions").json()["indexed"].get("decisions") != PUBLISHED:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def pages(auditor: httpx.Client, **query: str | int) -> Iterator[dict[str, object]]:
    """Give the decisions of all pages."""
    cursor: dict[str, str] = {}
    while True:
        page = auditor.get("/v1/decisions", params={**query, **cursor}).json()
        yield from page["decisions"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize("limit", [7, 100, 1000])
def test_pages_hold_every_decision_once(auditor: httpx.Client, world: World, limit: int) -> None:
    """Whatever their size: none twice, none left out, in the order of partition and sequence at one time."""
    found = [(one["partition"], one["sequence"]) for one in pages(auditor, limit=limit)]
    named = {
        (one.decision.source_partition, one.decision.sequence) for name, one in world.named.items() if name != "stray topic"
    }
    assert found == sorted(named | {(0, number) for number in range(PUBLISHED - len(world.named) + 1)})


def test_by_time_and_outcome(auditor: httpx.Client, world: World) -> None:
    """Only what was asked for; the end of a time is not in it."""
    declined = [one.decision for one in world.named.values() if one.decision.outcome == Outcome.OUTCOME_DECLINE]
    assert len(list(pages(auditor, outcome="DECLINE", limit=5))) == len(declined) - 1  # one is of another topic
    assert list(pages(auditor, outcome="APPROVE")) == []
    assert len(list(pages(auditor, from_ms=NOW_MS, to_ms=NOW_MS + 1, limit=1000))) == PUBLISHED - 1
    assert list(pages(auditor, to_ms=NOW_MS)) == list(pages(auditor, from_ms=NOW_MS + 1)) == []


def test_what_is_listed_is_there(auditor: httpx.Client, world: World) -> None:
    """A listed decision is told, and proven, at its place."""
    listed = next(one for one in pages(auditor, outcome="DECLINE") if one["partition"] == 1)
    told = auditor.get(str(listed["decision"])).json()["decision"]
    assert (told["log_index"], told["outcome"]) == (listed["log_index"], "DECLINE")


@pytest.mark.parametrize("query", [{"from_ms": 5, "to_ms": 5}, {"from_ms": 6, "to_ms": 5}, {"to_ms": 0}])
def test_no_time(auditor: httpx.Client, query: dict[str, int]) -> None:
    """A time without a moment in it is a mistake, and not a day on which nothing was decided."""
    [error] = problem(auditor.get("/v1/decisions", params=query), 422, "invalid-request")["errors"]
    assert error["location"] == "query.from_ms"


@pytest.mark.parametrize("cursor", ["AA", "B" * 27, "A" * 28, "!", "", "A" * 65])
def test_no_cursor(auditor: httpx.Client, cursor: str) -> None:
    """What no page had in `next` is refused."""
    assert problem(auditor.get("/v1/decisions", params={"cursor": cursor}), 422, "invalid-request")["errors"]


def ask(auditor: httpx.Client, places: list[tuple[int, int]], **more: object) -> list[dict[str, Any]]:
    """Ask for receipts in one answer."""
    body = {"places": [{"partition": partition, "sequence": sequence} for partition, sequence in places], **more}
    answer = auditor.post("/v1/receipts", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_ten_thousand_at_once(auditor: httpx.Client, world: World) -> None:
    """A line for each place in the order in which they were asked for, and each verifies; one more is too many."""
    places = [(0, number % 500) for number in range(10_000)]
    lines = ask(auditor, places)
    assert [(line["partition"], line["sequence"]) for line in lines] == places
    for line in lines[::997]:
        assert verify_bundle(json.dumps(line["bundle"]).encode(), world.policy).decision.sequence == line["sequence"]
    body = {"places": [{"partition": 0, "sequence": 0}] * 10_001}
    problem(auditor.post("/v1/receipts", json=body), 422, "invalid-request")


def test_in_every_form(auditor: httpx.Client, world: World) -> None:
    """Bundles with evidence, proof files, COSE receipts; what cannot be given says why, and the rest goes on."""
    places = [(0, 0), (1, 1), (1, 4), (3, 77), (2, 900), (0, 580)]
    kinds = [list(line)[2] for line in ask(auditor, places, disclose=["features"])]
    assert kinds == ["bundle", "problem", "problem", "problem", "problem", "problem"]
    problems = [line["problem"] for line in ask(auditor, places, disclose=["features"])[1:]]
    assert [one["type"].rpartition(":")[2] for one in problems] == [
        "no-evidence",
        "evidence-erased",
        "unknown",
        "not-yet-logged",
        "no-evidence",
    ]
    proof = ask(auditor, [(0, 0)], format="tlog-proof")[0]["proof"]
    assert ProofFile.parse(str(proof).encode()).index == 0
    receipts = ask(auditor, [(0, 0), (0, 580)], format="receipt")
    parsed = parse_receipt(b64decode(str(receipts[0]["receipt"])))
    assert isinstance(parsed, InclusionReceipt)
    assert parsed.index == 0
    assert SIGNED_FOR_RECEIPTS < 580 < PUBLISHED
    assert "problem" in receipts[1]


async def test_the_client_reads_it(world: World) -> None:
    """Every decision of an outcome and its receipt, with types; and says in words what is refused."""
    token = world.bearer()["Authorization"].removeprefix("Bearer ")
    async with AuditClient(world.url, token) as client:
        listed = [one async for one in client.decisions(NOW_MS, NOW_MS + 1, "DECLINE")]
        assert {one.outcome for one in listed} == {"DECLINE"}
        receipts = [one async for one in client.receipts([one.place for one in listed], disclose=["features"])]
        sound = [one for one in receipts if one.data and verify_bundle(one.data, world.policy).disclosures]
        assert 5 <= len(sound) < len(receipts) == len(listed)
        assert {one.problem for one in receipts if one.data is None} == {
            "The key that this evidence was encrypted under has been destroyed."
        }
        assert verify_bundle(await client.bundle("tx/with/slash"), world.policy)
        assert verify_bundle(await client.bundle(Place(0, 0), ["identity"]), world.policy).disclosures
        assert await client.model(world.bank.model.digest) == MODEL_FILE
        with pytest.raises(AuditUnavailableError, match="404: No decision"):
            await client.bundle("tx-nowhere")
    async with AuditClient(world.url) as nobody:
        with pytest.raises(AuditUnavailableError, match="401"):
            _ = [one async for one in nobody.receipts([Place(0, 0)])]


def test_what_governs(client: httpx.Client, world: World) -> None:
    """Models, policies, activations and cosignatures, for everybody; a page at a time."""
    (model,) = client.get("/v1/models").json()["models"]
    assert (model["digest"], model["active"], model["index"]) == (world.bank.model.digest.hex(), True, 0)
    (policy,) = client.get("/v1/policies").json()["policies"]
    assert (policy["name"], policy["index"], policy["decline_margin"]) == ("standard", 1, 2.0)
    (activation,) = client.get("/v1/activations").json()["activations"]
    assert (activation["slot"], activation["approvers"]) == ("champion", ["ada", "grace"])
    assert client.get("/v1/activations?first=3").json() == {"activations": [], "next": None}
    assert client.get("/v1/reports").json() == {"reports": [], "next": None}
    assert client.get("/v1/logs/decisions/cosignatures").json()["witnesses"] == []
