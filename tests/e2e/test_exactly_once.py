"""P1: every transaction gets exactly one decision, in partition order, whatever is killed when."""

import asyncio
import threading
import time

import numpy as np
import pyarrow as pa

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until

from .bank import now_ms, stream, transactions
from .evidence import features
from .processes import stopped
from .reading import Run, emitted, read_run
from .rough import Rough

SLICE, SLICES = 400, 30
KILLED = ("scoring", "notary", "scoring", "audit-ingest", "notary", "scoring")
END_MS = now_ms()  # the hour of the day is a feature, so the same for both streams


def test_kills_in_mid_stream_change_nothing(rough: Rough) -> None:
    """A kill -9 of scoring, notary and evidence ingest, again and again while transactions come: the log is as if undisturbed.

    Undisturbed is the same stream of other customers. Fails if scoring resumes before its last decision (decided again: the log
    would hide it, so the topic is looked at) or behind it, rebuilds no windows or restores others (other margins), or the
    notary does not pick up where the log ends.
    """
    hurt = rough.platform
    doubled = _doubled(read_run(hurt))
    rows = _stream_while_killing(hurt)
    asyncio.run(stream(hurt.kafka, _table("calm").slice(0, rows)))

    run = read_run(hurt)
    assert len(run.of("hurt")) == rows
    assert run.margins("hurt") == run.margins("calm")
    assert _doubled(run) == doubled, "scoring resumed before its last decision"
    assert "is restored from snapshot" in (hurt.logs / "scoring.log").read_text(), "every start replayed everything"
    features(run, hurt)  # opens the evidence of each, and compares it with the commitments and the input
    wait_until(lambda: _ingested(hurt, run), "evidence ingest to catch up")


def test_a_paused_owner_that_wakes_decides_nothing_twice(rough: Rough) -> None:
    """Scoring stands still while another takes its place and decides on; awake again, what it emits late is not logged twice.

    Fails without the notary's sequence numbers: the woken owner's batches would be second decisions on the same records.
    """
    hurt = rough.platform
    scoring = hurt.services["scoring"]
    streaming = threading.Thread(target=lambda: asyncio.run(stream(hurt.kafka, transactions(3_000, "woken"), rate=1_000)))
    before = emitted(hurt)
    streaming.start()
    wait_until(lambda: emitted(hurt) > before + 500, "scoring to be in mid-stream")
    with stopped(scoring.pid):
        environment = scoring.env | {"TALLYSTICK_HTTP_PORT": "0"}
        second = type(scoring)("second", ["tallystick-scoring"], environment, hurt.logs / "second.log")
        second.start()
        try:
            streaming.join()
            wait_until(lambda: emitted(hurt) >= before + 3_000, "the second owner to go on")
        except BaseException:
            second.kill()
            raise
    try:
        asyncio.run(stream(hurt.kafka, transactions(1_000, "after-woken"), rate=1_000))  # two owners, for a while
        read_run(hurt)
    finally:
        second.stop()
    run = read_run(hurt)
    assert (len(run.of("woken")), len(run.of("after-woken"))) == (3_000, 1_000)


def _doubled(run: Run) -> int:
    """Return how many decisions were emitted for records that had one."""
    return sum(map(len, run.records["decisions"].values())) - len(run.entries)


def _table(name: str) -> pa.Table:
    return transactions(SLICE * SLICES, name, end_ms=END_MS)


def _stream_while_killing(platform: Platform) -> int:
    """Stream until the last of the victims is killed, and return how many transactions there were."""
    table = _table("hurt")
    done = threading.Event()
    sent = []

    def send() -> None:
        for number in range(SLICES):
            asyncio.run(stream(platform.kafka, table.slice(number * SLICE, SLICE), rate=1_000))
            sent.append(SLICE)
            if done.is_set():
                return

    streaming = threading.Thread(target=send)
    streaming.start()
    random = np.random.default_rng(7)
    for victim in KILLED:
        time.sleep(random.uniform(0.0, 0.8))
        platform.services[victim].kill()
        platform.services[victim].start()
        wait_until(lambda victim=victim: bool(platform.health(victim)), f"{victim} to run again")  # type: ignore[misc]  # the default binds the loop's value
        before = emitted(platform)
        wait_until(lambda before=before: emitted(platform) > before or not streaming.is_alive(), "decisions")  # type: ignore[misc]  # as above
    done.set()
    streaming.join()
    return sum(sent)


def _ingested(platform: Platform, run: Run) -> bool:
    read: dict[str, int] = platform.health("audit-ingest")["evidence"]["next_offset"]
    return sum(read.values()) >= sum(map(len, run.records["evidence"].values()))
