"""The audit API, one process, over a log that the whole chain has made: receipts singly and by the thousand, tiles, a crowd."""

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from statistics import quantiles

import httpx
from rich.console import Console

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import stream

from .figures import Row, row
from .material import Material, platform

TRANSACTIONS = 20_000
REQUESTS = 2_000
CONNECTIONS = 4
BATCH = 10_000
CROWD = 1_000
BUNDLES_PER_S, BUNDLE_P99_MS = 400.0, 20.0
BATCHED_PER_S = 1_000.0
TILES_PER_S = 2_000.0
UNBOUNDED = {"TALLYSTICK_ADDRESS_RATE": "0", "TALLYSTICK_CALLER_RATE": "0"}
"""What is measured is how fast it is, not how fast it lets one be."""
_INDEXED_WITHIN_S = 120.0


def run(material: Material, runs: int, console: Console) -> list[Row]:
    """Let the chain decide some transactions, then ask for them in every way."""
    now_ms = time.time_ns() // 1_000_000
    with platform(material, now_ms, {"audit": UNBOUNDED}) as running:
        stream(running, material.table.slice(0, TRANSACTIONS), now_ms, console)
        places = _places(running)
        for service in ("scoring", "notary", "audit-ingest"):  # what stands still is not measured
            running.services[service].stop()
        found = [asyncio.run(_measure(running, places, number)) for number in range(runs)]
    singles, p99_ms, batched, tiles, answered = zip(*found, strict=True)
    crowd = f"of {CROWD:,} clients at once, answered without an error"
    return [
        row("proof bundles over HTTP, one process", "bundles/s", singles, "required", [BUNDLES_PER_S]),
        row("the same, 99th percentile", "ms", p99_ms, "at most", [BUNDLE_P99_MS]),
        row(f"proof bundles in batches of {BATCH:,}, one process", "bundles/s", batched, "required", [BATCHED_PER_S]),
        row("hash tiles over HTTP, one process", "tiles/s", tiles, "required", [TILES_PER_S]),
        row(crowd, "clients", answered, "all of them", [float(CROWD)], at_least=1.0),
    ]


def _places(running: Platform) -> list[tuple[int, int]]:
    """Return where the decisions are, when the index has them all."""
    deadline = time.monotonic() + _INDEXED_WITHIN_S
    with httpx.Client(base_url=running.url("audit"), headers=running.auditor, timeout=30) as audit:
        while True:
            found: list[tuple[int, int]] = []
            query: dict[str, str | int] = {"limit": 1_000}
            while True:
                page = audit.get("/v1/decisions", params=query).raise_for_status().json()
                found += [(one["partition"], one["sequence"]) for one in page["decisions"]]
                if page["next"] is None:
                    break
                query["cursor"] = page["next"]
            if len(found) >= TRANSACTIONS:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {TRANSACTIONS} decisions are in the index")
            time.sleep(0.5)


async def _measure(running: Platform, places: Sequence[tuple[int, int]], seed: int) -> tuple[float, float, float, float, float]:
    port = int(running.url("audit").rpartition(":")[2])
    chosen = random.Random(seed)
    auditor = f"authorization: {running.auditor['Authorization']}\r\n"
    asked = [_request(f"/v1/positions/{p}/{s}/bundle", auditor) for p, s in chosen.choices(places, k=REQUESTS)]
    singles, p99_ms = await _load(port, asked)
    tiles = [_request(f"/decisions/tile/0/{number:03}") for number in chosen.choices(range(TRANSACTIONS // 256), k=REQUESTS)]
    tiles_per_s, _ = await _load(port, tiles)
    crowd = [_request(f"/v1/positions/{p}/{s}/bundle", auditor) for p, s in chosen.choices(places, k=CROWD)]
    done = await asyncio.gather(*(_client(port, iter([each]), []) for each in crowd), return_exceptions=True)
    batched = await _batch(running, chosen.sample(places, BATCH))
    return singles, p99_ms, batched, tiles_per_s, float(sum(error is None for error in done))


def _request(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: audit\r\n{headers}\r\n".encode()


async def _load(port: int, requests: Sequence[bytes]) -> tuple[float, float]:
    """Return requests a second over some connections, and the latency's 99th percentile in milliseconds."""
    waiting, latencies_s = iter(requests), list[float]()
    started = time.perf_counter()
    await asyncio.gather(*(_client(port, waiting, latencies_s) for _ in range(CONNECTIONS)))
    return len(requests) / (time.perf_counter() - started), quantiles(latencies_s, n=100)[98] * 1000


async def _client(port: int, requests: Iterator[bytes], latencies_s: list[float]) -> None:
    """Ask one after the other on one connection, as long as there is something to ask."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for request in requests:
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            latencies_s.append(time.perf_counter() - started)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
    finally:
        writer.close()


async def _batch(running: Platform, places: Sequence[tuple[int, int]]) -> float:
    """Return how many bundles a second one streamed answer gives."""
    body = {"places": [{"partition": partition, "sequence": sequence} for partition, sequence in places]}
    started, given = time.perf_counter(), 0
    headers = running.auditor | {"accept-encoding": "identity"}
    async with (
        httpx.AsyncClient(base_url=running.url("audit"), headers=headers, timeout=120) as audit,
        audit.stream("POST", "/v1/receipts", json=body) as answer,
    ):
        async for line in answer.aiter_lines():
            given += "bundle" in json.loads(line)
    if given != len(places):
        raise RuntimeError(f"{given} of {len(places)} bundles came")
    return given / (time.perf_counter() - started)
