"""The gateway: from when a request is due to its answer, at a fixed rate, open loop.

Requests are due by the clock, whether or not those before them are answered; each is timed from when it was due, so that a
gateway that stands still is not asked less (no coordinated omission). A request that gets no decision counts as one that took
the whole deadline, at the least. Caller, gateway, scoring, brokers, Vault and PostgreSQL share the cores of this machine; the
whole chain runs, and every decision goes into the log meanwhile.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import uvloop
from rich.console import Console

from tallystick.cli.demo.platform import Platform
from tallystick.embedded import ServiceProcess, StartError, free_port

from .figures import Row, row
from .material import Material, platform

RATE_PER_S = 1_000
SECONDS = 15
REQUIRED_P99_MS = 50.0
CUSTOMERS = 2_000
CONNECTIONS = 512  # more than are in flight: with too few, requests wait for each other in the caller
DEADLINE_S = 10
_TOKEN = secrets.token_urlsafe(24)


def run(material: Material, runs: int, console: Console) -> list[Row]:
    """Ask for decisions through a gateway, on Apache Kafka where there is one and on the embedded broker."""
    rows = []
    for name, apache in (("Apache Kafka", True), ("the embedded broker", False)):
        console.print(f"the gateway, on {name} …")
        try:
            found = np.array([_once(material, apache) for _ in range(runs)])
        except StartError as error:
            console.print(f"  not measured: {error}")
            continue
        for column, what in enumerate(("p50", "p99", "p99.9")):
            called = f"gateway at {RATE_PER_S:,}/s on {name}, {what}"
            rows.append(row(called, "ms", found[:, column].tolist(), "required of p99", [REQUIRED_P99_MS]))
    return rows


def _once(material: Material, apache: bool) -> tuple[float, float, float]:
    now_ms = time.time_ns() // 1_000_000
    with platform(material, now_ms, apache=apache) as running, _gateway(running) as port:
        return uvloop.run(_measured(port))


@contextmanager
def _gateway(running: Platform) -> Iterator[int]:
    home = running.directory / "gateway"
    home.mkdir()
    (home / "callers").write_text(f"bench {_TOKEN}\n")
    port = free_port()
    settings = running.environment("gateway") | {
        "TALLYSTICK_TRUST_POLICY": str(running.policy),
        "TALLYSTICK_SPOOL_DIR": str(home / "spool"),
        "TALLYSTICK_CALLERS_FILE": str(home / "callers"),
        "TALLYSTICK_DEADLINE_MS": str(DEADLINE_S * 1_000),
        "TALLYSTICK_HTTP_PORT": str(port),
    }
    process = ServiceProcess("gateway", ["tallystick-gateway"], settings, home / "gateway.log")
    process.start()
    try:
        process.wait_ready()
        yield port
    finally:
        process.kill()


async def _measured(port: int) -> tuple[float, float, float]:
    # First every customer once, whose key is made then, at half the rate.
    await _load(port, CUSTOMERS, RATE_PER_S / 2)
    taken_ms = np.array(await _load(port, RATE_PER_S * SECONDS, RATE_PER_S)) * 1_000
    p50, p99, p999 = np.percentile(taken_ms, (50, 99, 99.9))
    return float(p50), float(p99), float(p999)


async def _load(port: int, requests: int, per_s: float) -> list[float]:
    """Return the seconds from due to answered of each request."""
    due: asyncio.Queue[tuple[float, int]] = asyncio.Queue()
    taken: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        callers = [tasks.create_task(_caller(port, due, taken)) for _ in range(CONNECTIONS)]
        started = time.perf_counter()
        for number in range(requests):
            at = started + number / per_s
            if (early := at - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            due.put_nowait((at, number))
        await due.join()
        for caller in callers:
            caller.cancel()
    return taken


async def _caller(port: int, due: "asyncio.Queue[tuple[float, int]]", taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            at, number = await due.get()
            writer.write(_request(number))
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
            elapsed_s = time.perf_counter() - at
            decided = head.startswith(b"HTTP/1.1 200") and b"BASIS_DECISION" in body
            taken.append(elapsed_s if decided else max(elapsed_s, DEADLINE_S))
            due.task_done()
    finally:
        writer.close()


def _request(number: int) -> bytes:
    payment = {
        "customerId": f"customer-{number % CUSTOMERS}",
        "amountMinor": str(500 + number % 9_000),
        "currency": "EUR",
        "eventTimeMs": str(time.time_ns() // 1_000_000),
        "terminalId": f"terminal-{number % 997}",
    }
    body = json.dumps(payment).encode()
    head = (
        "POST /v1/transactions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        f'Authorization: Bearer {_TOKEN}\r\nIdempotency-Key: "{secrets.token_hex(16)}"\r\nContent-Length: {len(body)}\r\n\r\n'
    )
    return head.encode() + body
