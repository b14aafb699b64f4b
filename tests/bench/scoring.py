"""Scoring alone, from Kafka to Kafka, beside a bare aiokafka loop that copies the same records.

The transactions are in Kafka before either begins, and nothing else works meanwhile: the notary and the ingest are stopped, and
scoring is allowed to run ahead of the log.
"""

import asyncio
import signal
import subprocess
import sys
import time

import httpx

from tallystick.cli.demo.platform import Platform
from tallystick.cli.stream import Shift, StreamSettings, stream_table

from .figures import Row, row
from .material import Material, platform

_UNBOUND = {"scoring": {"TALLYSTICK_COVERAGE_DECISIONS": "10000000", "TALLYSTICK_COVERAGE_AGE_S": "3600"}}
_TIMEOUT_S = 300.0


def run(material: Material, runs: int) -> list[Row]:
    """Measure both in turn on fresh platforms."""
    scored, copied = [], []
    for _ in range(runs):
        of_scoring, of_copy = _once(material)
        scored.append(of_scoring)
        copied.append(of_copy)
    return [row("scoring alone", "decisions/s", scored, "bare aiokafka copy loop", copied)]


def _once(material: Material) -> tuple[float, float]:
    now_ms = time.time_ns() // 1_000_000
    rows = material.table.num_rows
    with platform(material, now_ms, _UNBOUND) as running:
        scoring = running.services["scoring"]
        for service in ("notary", "audit-ingest", "audit"):
            running.services[service].kill()
        scoring.send(signal.SIGSTOP)
        asyncio.run(stream_table(material.table, StreamSettings(kafka=running.kafka, shift=Shift.WHOLE_WEEKS, now_ms=now_ms)))
        started = time.perf_counter()
        scoring.send(signal.SIGCONT)
        _wait_decided(running, rows)
        scored_s = time.perf_counter() - started
        scoring.stop()
        copied_s = _copy(running, rows)
    return rows / scored_s, rows / copied_s


def _wait_decided(running: Platform, rows: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    with httpx.Client(timeout=30) as http:
        while http.get(f"{running.url('scoring')}/health").json()["decisions"] < rows:
            if time.monotonic() > deadline:
                raise TimeoutError("scoring did not finish")
            time.sleep(0.05)


def _copy(running: Platform, rows: int) -> float:
    """Copy the input topic to another in a process of its own; return the seconds that its loop took."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.copy_loop", running.stack.kafka.address, "transactions", "labels", str(rows)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
