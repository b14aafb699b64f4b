"""P1 on Apache Kafka: in the topics themselves, not only in the log, every transaction has one decision and one evidence."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.contracts import Outcome
from tallystick.embedded import ApacheKafka, ServiceProcess, free_port

from ..apache import make_kafka
from .bank import stream, transactions
from .governing import Release, install
from .processes import stopped
from .reading import Run, read_run
from .starting import started

STEPS = ("AddPartitionsToTxnRequest", "ProduceRequest", "EndTxnRequest")
EFFECTS = [f"{step}:{when}" for step in STEPS for when in ("before", "after")] + ["InitProducerIdRequest:after"]
EVERYTHING = os.environ.get("REQUIRE_ALL") == "1"
TELLING = ["EndTxnRequest:after"]  # it is committed, and nobody knows; transactions left open are in `runtime`'s tests
MORTAL = str(Path(__file__).with_name("mortal_scoring.py"))
ROWS = 600


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Platform]:
    """Run a chain on Apache Kafka, with small batches, so that there are many transactions."""
    directory = tmp_path_factory.mktemp("exact")
    extra = {"scoring": {"TALLYSTICK_BATCH_RECORDS": "50"}}
    platform = Platform(directory / "chain", kafka=make_kafka(directory / "kafka"), extra=extra)
    with started(platform):
        install(platform, release)
        assert platform.health("scoring")["processing_guarantee"] == "exactly_once"
        yield platform


def test_owners_at_once_and_one_that_wakes_decide_nothing_twice(exact: Platform) -> None:
    """An owner stands still, another takes its partitions, the first wakes, and both go on: each decision comes out once.

    Fails without fencing, where the woken owner's decisions come out too, and without `read_committed` positions.
    """
    scoring, rows = exact.services["scoring"], 6_000
    streaming = threading.Thread(target=lambda: asyncio.run(stream(exact.kafka, transactions(rows, "woken"))))
    second = _another(exact, ["tallystick-scoring"], {})
    before = _decided(scoring)
    streaming.start()
    try:
        wait_until(lambda: _decided(scoring) > before + 300, "scoring to be in mid-stream")
        with stopped(scoring.pid):
            second.start()
            second.wait_ready(url=f"{second.health_url}/live")
            wait_until(lambda: _decided(second) > 300, "the second owner to be in mid-stream")
        # Longer than who was fenced holds back: both are at it.
        asyncio.run(stream(exact.kafka, transactions(2_000, "after"), rate=200))
        read_run(exact)
    finally:
        second.stop()
        streaming.join()
    run = read_run(exact)
    assert len(run.of("woken")) == rows
    _assert_once(run)


@pytest.mark.parametrize("effect", EFFECTS if EVERYTHING else TELLING)
def test_killed_at_any_effect_of_a_transaction(exact: Platform, effect: str) -> None:
    """Whichever request of a transaction is the last one before a kill -9: the next owner goes on exactly behind it."""
    exact.services["scoring"].stop()
    name = effect.replace(":", "-")
    number = 2 if effect.startswith("Init") else 7
    mortal = _another(exact, [sys.executable, MORTAL], {"TALLYSTICK_TEST_DIES": f"{effect}:{number}"})
    asyncio.run(stream(exact.kafka, transactions(ROWS, name)))
    mortal.start()
    try:
        wait_until(lambda: not mortal.is_alive, f"scoring to die at {effect}")
        assert mortal.exit_code == -9
    finally:
        mortal.kill()
        exact.services["scoring"].start()
    run = read_run(exact)
    assert len(run.of(name)) == ROWS
    _assert_once(run)


@pytest.mark.skipif(not EVERYTHING, reason="takes long; REQUIRE_ALL=1 runs it")
def test_a_broker_that_dies_in_mid_transaction_loses_and_doubles_nothing(exact: Platform) -> None:
    """Kill -9 of the broker while transactions are open, and its return: scoring goes on by itself, and all is there once."""
    kafka = exact.stack.kafka
    assert isinstance(kafka, ApacheKafka)
    scoring = exact.services["scoring"]
    scoring.stop()
    asyncio.run(stream(exact.kafka, transactions(3_000, "broken")))
    scoring.start()
    scoring.wait_ready(url=f"{scoring.health_url}/live")
    wait_until(lambda: _decided(scoring) > 500, "scoring to be in mid-stream")
    kafka.brokers[0].kill()
    kafka.brokers[0].start()
    run = read_run(exact)
    assert len(run.of("broken")) == 3_000
    _assert_once(run)


def _another(platform: Platform, argv: list[str], extra: dict[str, str]) -> ServiceProcess:
    """Return another scoring process, with the settings of the first."""
    environment = platform.services["scoring"].env | {"TALLYSTICK_HTTP_PORT": str(free_port())} | extra
    return ServiceProcess("another", argv, environment, platform.logs / "another.log")


def _decided(scoring: ServiceProcess) -> int:
    return int(httpx.get(scoring.health_url).json().get("decisions", 0))


def _assert_once(run: Run) -> None:
    """Assert that what anybody reads from the topics is there once: a decision for each record, evidence for each scored."""
    decided = {number: len(records) for number, records in run.records["decisions"].items()}
    assert decided == {number: len(records) for number, records in run.records["transactions"].items()}
    scored = sum(decision.outcome != Outcome.OUTCOME_REJECTED for decision in run.decisions.values())
    assert sum(map(len, run.records["evidence"].values())) == scored
