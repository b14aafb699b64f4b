"""Inclusion proofs served from tiles by one process: how many, how fast, and whether the log's size matters."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from statistics import quantiles

from rich.console import Console

from tallystick.cli.demo.platform import Platform
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import ED25519, Note, SignatureLine, VerifierKey
from tallystick.merkle.tiles import TILE_WIDTH, TileBuilder, TilePath

from ..unit.trust.helpers import DECISIONS, key, log_policy, public, trust_toml
from .api import UNBOUNDED
from .figures import Row, row

SMALL, LARGE = 10_000, 10_000_000
REQUESTS = 6_000
CONNECTIONS = 4
LIMIT_PER_S = 2_000.0
LIMIT_P99_MS = 5.0
OF_SMALL = 0.75
_STRETCH = 1 << 16


def write_log(directory: Path, size: int) -> None:
    """Write the hash tiles and the checkpoint of a log of `size` made-up entries."""
    builder, partial = TileBuilder(), dict[int, tuple[TilePath, bytes]]()
    while builder.size < size:
        stop = min(size, builder.size + _STRETCH)
        for path, data in builder.append([sha256(b"\x00%d" % index).digest() for index in range(builder.size, stop)]).items():
            if path.is_full:
                _write(directory, path, data)
            else:
                partial[path.level] = path, data
    for path, data in partial.values():
        _write(directory, path, data)
    text = Checkpoint(DECISIONS, size, builder.root()).encode()
    signature = SignatureLine.by(VerifierKey.make(DECISIONS, ED25519, public(DECISIONS)), key(DECISIONS).sign(text))
    (directory / "checkpoint").write_bytes(Note(text, (signature,)).encode())


def _write(directory: Path, path: TilePath, data: bytes) -> None:
    target = directory / path.path()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


async def _client(port: int, indexes: Iterator[int], latencies_s: list[float]) -> None:
    """Ask for proofs one after the other on one connection, as long as there are indexes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for index in indexes:
        started = time.perf_counter()
        writer.write(b"GET /v1/logs/decisions/inclusion?index=%d HTTP/1.1\r\nhost: audit\r\n\r\n" % index)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        latencies_s.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
    writer.close()


async def _warm(port: int, size: int) -> None:
    """Ask once through every tile, as a service that has run for a while has been."""
    indexes = iter(range(0, size, TILE_WIDTH))
    await asyncio.gather(*(_client(port, indexes, []) for _ in range(CONNECTIONS)))


async def _load(port: int, size: int, seed: int) -> tuple[float, float, float]:
    """Return proofs a second, and the latency's median and 99th percentile in milliseconds."""
    chosen = random.Random(seed)
    indexes = iter([chosen.randrange(size) for _ in range(REQUESTS)])
    latencies_s: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(_client(port, indexes, latencies_s) for _ in range(CONNECTIONS)))
    passed_s = time.perf_counter() - started
    cuts = quantiles(latencies_s, n=100)
    return REQUESTS / passed_s, cuts[49] * 1000, cuts[98] * 1000


def run(directory: Path, runs: int, console: Console) -> list[Row]:
    """Serve a small and a large log, and ask both for proofs of entries anywhere in them."""
    policy = directory / "proofs-policy"
    policy.mkdir()
    (policy / "log.policy").write_bytes(log_policy())
    (policy / "trust.toml").write_bytes(trust_toml())
    per_s: dict[int, list[float]] = {}
    p99_ms: dict[int, list[float]] = {}
    for size in (SMALL, LARGE):
        console.print(f"proofs from a log of {size:,} entries …")
        logs = directory / f"proofs-{size}"
        write_log(logs / "decisions", size)
        os.sync()  # forty thousand files are not to be written out while proofs are timed
        extra = {"audit": {"TALLYSTICK_LOG_URL": logs.as_uri(), "TALLYSTICK_TRUST_POLICY": str(policy), **UNBOUNDED}}
        with Platform(directory / f"platform-{size}", extra=extra) as platform:
            platform.wait_live()
            port = int(platform.url("audit").rpartition(":")[2])
            asyncio.run(_warm(port, size))
            results = [asyncio.run(_load(port, size, number + 1)) for number in range(runs)]
        per_s[size] = [result[0] for result in results]
        p99_ms[size] = [result[2] for result in results]
    name = f"inclusion proofs over HTTP, one process, {LARGE:,} entries"
    return [
        row(name, "proofs/s", per_s[LARGE], "required", [LIMIT_PER_S], at_least=1),
        row(f"{name}, beside {SMALL:,}", "proofs/s", per_s[LARGE], "of the small log", per_s[SMALL], at_least=OF_SMALL),
        row(f"{name}, 99th percentile", "ms", p99_ms[LARGE], "the limit", [LIMIT_P99_MS], at_most=1),
    ]
