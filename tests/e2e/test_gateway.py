"""The gateway before the whole chain: one answer to a key, on any replica, whatever is killed; nothing answered unlogged."""

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import command, wait_until
from tallystick.contracts import Answer, Basis, Decision, EntryKind, Fallback, LogEntry, Outcome, Transaction
from tallystick.merkle.tiles import decode_bundle
from tallystick.runtime.kafka import consumer, read_to_end

from .gateways import CLOSED_TOKEN, Gateway, payment
from .processes import stopped
from .rough import Rough

Pair = tuple[Gateway, Gateway]
JSON_FALLBACK = ("BASIS_FALLBACK", "OUTCOME_APPROVE")


@pytest.fixture(scope="module")
def platform(rough: Rough) -> Platform:
    """Return a chain that may be treated roughly."""
    return rough.platform


@pytest.fixture(scope="module")
def pair(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Run two replicas."""
    folder = tmp_path_factory.mktemp("gateways")
    both = Gateway(platform, folder / "one"), Gateway(platform, folder / "two")
    try:
        yield both[0].start(), both[1].start()
    finally:
        for gateway in both:
            gateway.process.stop()


def test_the_answer_is_the_decision_that_the_log_holds(platform: Platform, pair: Pair) -> None:
    """In JSON and in protobuf, with where its proof is; the proof verifies."""
    one, two = pair
    body = payment("gw-logged")
    told = one.post("logged", body)
    assert told.status_code == 200, told.text
    same = Answer.FromString(two.post("logged", body, Accept="application/x-protobuf").content)
    answer = told.json()
    assert (answer["basis"], same.basis) == ("BASIS_DECISION", Basis.BASIS_DECISION)
    place = answer["sourcePartition"], int(answer["sourceOffset"])
    assert (place, answer["transactionId"]) == ((same.source_partition, same.source_offset), same.transaction_id)
    decision = _decisions(platform)[place]
    assert (Outcome.Name(decision.outcome), decision.sequence) == (answer["outcome"], int(answer.get("sequence", 0)))
    assert decision.score == answer["score"]
    wait_until(lambda: httpx.get(answer["proofUrl"], headers=platform.auditor).status_code == 200, "the proof")
    bundle = platform.directory / "gateway-bundle.json"
    bundle.write_bytes(httpx.get(answer["proofUrl"], headers=platform.auditor).content)
    assert json.loads(command(["tallystick", "verify", str(bundle), "--policy", str(platform.policy), "--json"]))


def test_a_key_has_one_answer_on_any_replica(platform: Platform, pair: Pair) -> None:
    """Asked at once of both, again later, and of a replica that was killed: one record, one decision, one answer."""
    one, two = pair
    body = payment("gw-once")
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda gateway: gateway.post("once", body), [one, two] * 4))
    assert [answer.status_code for answer in told] == [200] * 8
    one.process.kill()
    one.start()
    answers = [answer.json() for answer in (*told, one.post("once", body), two.post("once", body))]
    assert len({json.dumps(answer, sort_keys=True) for answer in answers}) == 1
    assert len(_sent(platform, answers[0]["transactionId"])) == 1


def test_a_key_belongs_to_one_request(pair: Pair) -> None:
    """Another body under it is refused on both replicas; another channel's same key is another key."""
    one, two = pair
    body = payment("gw-reused")
    first = one.post("reused", body)
    other = [gateway.post("reused", body | {"amountMinor": "1"}) for gateway in pair]
    assert [answer.status_code for answer in other] == [422, 422]
    assert other[0].json()["type"] == "urn:tallystick:problem:key-reused"
    elsewhere = two.post("reused", body, token=CLOSED_TOKEN)
    assert elsewhere.json()["transactionId"] != first.json()["transactionId"]


def test_without_a_token_nothing_is_answered(pair: Pair) -> None:
    """Nor with a wrong one; health answers anybody, and errors carry the security headers too."""
    refused = pair[0].post("k", payment("gw-nobody"), token="wrong")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-content-type-options"] == "nosniff"
    large = httpx.post(f"{pair[0].url}/v1/transactions", content=b"x" * 1_000_001, headers={"Authorization": "Bearer x"})
    assert large.status_code == 401
    assert httpx.get(f"{pair[0].url}/v1/nothing").json()["type"] == "urn:tallystick:problem:no-such-resource"


def test_while_scoring_is_down_the_bank_s_stated_answer_is_given_and_logged(platform: Platform, pair: Pair) -> None:
    """Open where the bank has set so, else none. The answer stays, on any replica; the decision follows and can be compared."""
    one, two = pair
    body, refused = payment("gw-down", amount_minor=499_900), payment("gw-down-closed")
    logged = len(_fallbacks(platform))
    platform.services["scoring"].kill()
    try:
        told = one.post("down", body, deadline_ms=2_000)
        closed = one.post("down-closed", refused, deadline_ms=2_000, token=CLOSED_TOKEN)
        again = two.post("down", body, deadline_ms=2_000)
        # The spool goes to the log at once, whether or not scoring is back.
        wait_until(lambda: len(_fallbacks(platform)) > logged, "the fallback to be logged")
    finally:
        platform.services["scoring"].start()
    assert (told.json()["basis"], told.json()["outcome"]) == JSON_FALLBACK
    assert told.json() == again.json()
    assert (closed.status_code, closed.headers["retry-after"]) == (503, "1")
    (fallback,) = _fallbacks(platform)[logged:]
    assert (fallback.channel, fallback.outcome, fallback.withdrawn) == ("cards", Outcome.OUTCOME_APPROVE, False)
    place = fallback.source_partition, fallback.source_offset
    wait_until(lambda: place in _decisions(platform), "the decision to follow")
    assert _decisions(platform)[place].outcome == Outcome.OUTCOME_DECLINE
    assert two.post("down", body).json() == told.json()
    # Where no fallback was given, whoever asks again gets the decision.
    wait_until(lambda: one.post("down-closed", refused, token=CLOSED_TOKEN).status_code == 200, "the decision")
    fsck = json.loads(command(["tallystick", "fsck", str(platform.log_dir), "--policy", str(platform.policy), "--json"]))
    counts = next(log["counts"] for log in fsck["logs"] if log["origin"].endswith("/fallbacks"))
    assert counts["APPROVE"] >= 1
    assert "MISSING" not in counts


def test_what_was_answered_without_kafka_survives_a_kill(platform: Platform, pair: Pair) -> None:
    """The brokers stand still, answers are given, the gateway is killed: started again it sends and logs all of them, once."""
    one, _ = pair
    logged = len(_fallbacks(platform))
    bodies = {f"full-{number}": payment(f"gw-full-{number}") for number in range(12)}
    with stopped(platform.stack.kafka.pid), ThreadPoolExecutor(12) as pool:
        told = list(pool.map(lambda key: one.post(key, bodies[key], deadline_ms=2_000), bodies))
        assert [answer.status_code for answer in told] == [200] * len(bodies), [answer.text for answer in told]
        assert {(answer.json()["basis"], answer.json()["outcome"]) for answer in told} == {JSON_FALLBACK}
        spooled = one.spool.joinpath("spool").stat().st_size
        one.process.kill()
    assert spooled > 12 * 100
    one.start()
    wait_until(lambda: len(_fallbacks(platform)) >= logged + len(bodies), "all fallbacks to be logged")
    wait_until(lambda: not one.health()["spool"]["waiting"], "the spool to be empty")
    fallbacks = _fallbacks(platform)[logged:]
    numbers = [fallback.number for fallback in fallbacks]
    assert numbers == list(range(numbers[0], numbers[0] + len(bodies)))
    assert not any(fallback.withdrawn for fallback in fallbacks)
    for answer in told:
        assert len(_sent(platform, answer.json()["transactionId"])) == 1
    places = {(fallback.source_partition, fallback.source_offset) for fallback in fallbacks}
    wait_until(lambda: places <= _decisions(platform).keys(), "every decision to follow")
    assert [one.post(key, body).json() for key, body in bodies.items()] == [answer.json() for answer in told]


def test_another_replica_takes_over_what_a_killed_one_left(platform: Platform, pair: Pair) -> None:
    """Killed after it had sent and before it answered: asked again elsewhere, the first decision is the answer."""
    one, two = pair
    body = payment("gw-left")
    try:
        with stopped(platform.services["scoring"].pid), ThreadPoolExecutor(1) as pool:
            asked = pool.submit(_unanswered, one, "left", body)
            wait_until(lambda: len(_sent_by(platform, "gw-left")) == 1, "the transaction to be sent")
            one.process.kill()
            asked.result()
        wait_until(lambda: two.post("left", body, deadline_ms=1_000).status_code == 200, "the answer")
        answer = two.post("left", body).json()
    finally:
        one.start()
    assert answer["basis"] == "BASIS_DECISION"
    (offset,) = _sent_by(platform, "gw-left")
    assert int(answer["sourceOffset"]) == offset
    assert one.post("left", body).json() == answer


def test_a_full_disk_gives_no_answer(platform: Platform, tmp_path: Path) -> None:
    """What cannot be written down is not answered: never open, unseen."""
    gateway = Gateway(platform, tmp_path / "three", audit_url="http://127.0.0.1:1").start()
    try:
        # Room for an entry's beginning only: a limit that the kernel keeps, on this process alone.
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (60, 60))
        with stopped(platform.services["scoring"].pid):
            told = gateway.post("full-disk", payment("gw-full-disk"), deadline_ms=2_000)
        assert (told.status_code, told.json()["type"]) == (503, "urn:tallystick:problem:no-answer")
        assert gateway.health()["components"]["spool"].startswith("refuses")
    finally:
        gateway.process.stop()


def _unanswered(gateway: Gateway, key: str, body: dict[str, Any]) -> None:
    try:
        gateway.post(key, body, deadline_ms=10_000)
    except httpx.TransportError:
        return
    raise AssertionError("the gateway was killed, and answered")


def _records(platform: Platform, topic: str) -> list[Any]:
    async def read() -> list[Any]:
        async with consumer(platform.kafka) as reader:
            await reader.topics()
            partitions = sorted(reader.partitions_for_topic(topic))
            return [record for one in partitions for record in await read_to_end(reader, TopicPartition(topic, one), 0)]

    return asyncio.run(read())


def _sent(platform: Platform, transaction_id: str) -> list[int]:
    return [
        record.offset
        for record in _records(platform, "transactions")
        if transaction_id.encode() in record.value and Transaction.FromString(record.value).transaction_id == transaction_id
    ]


def _sent_by(platform: Platform, customer: str) -> list[int]:
    return [record.offset for record in _records(platform, "transactions") if record.key == customer.encode()]


def _decisions(platform: Platform) -> dict[tuple[int, int], Decision]:
    found: dict[tuple[int, int], Decision] = {}
    for record in _records(platform, "decisions"):
        decision = Decision.FromString(record.value)
        found.setdefault((decision.source_partition, decision.source_offset), decision)
    return found


def _fallbacks(platform: Platform) -> list[Fallback]:
    """Return what the log of fallbacks holds, read from its files."""
    size = platform.health("notary")["logs"]["fallbacks"]["published_size"] or 0
    entries: list[bytes] = []
    for start in range(0, size, 256):
        width = min(256, size - start)
        name = f"{start // 256:03}" + ("" if width == 256 else f".p/{width}")
        deadline = time.monotonic() + 60
        file = platform.log_dir / "fallbacks" / "tile" / "entries" / name
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        entries += decode_bundle(file.read_bytes(), width)
    opened = [LogEntry.FromString(entry) for entry in entries]
    assert {entry.kind for entry in opened} <= {EntryKind.ENTRY_KIND_FALLBACK}
    return [Fallback.FromString(entry.value) for entry in opened]
