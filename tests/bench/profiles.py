"""Profiles on one core: how fast a backlog of transactions and labels is taken in, and what of a core a steady stream costs."""

import asyncio
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from rich.console import Console

from tallystick.cli.provision.kafka import provision_kafka, topics
from tallystick.cli.stream import Shift, StreamSettings, send_labels, stream_table
from tallystick.embedded import ApacheKafka, ServiceProcess, Tansu, free_port
from tallystick.embedded.kafka import unavailable
from tallystick.runtime.settings import KafkaSettings

from .arrivals import cpu_s
from .figures import Row, row
from .material import Material

REQUIRED_PER_S = 10_000.0
PARTITIONS = 4
FRAUDS = 0.01
_EVERY_S = 0.1
_LIMIT_S = 300.0


def run(material: Material, records: int, runs: int, console: Console) -> list[Row]:
    """Measure `runs` times, on fresh brokers: Apache Kafka where there is one."""
    found = [_take_in(material, records, console) for _ in range(runs)]
    per_s, own, broker = ([each[column] for each in found] for column in range(3))
    return [
        row("profiles, one process on one core", "transactions/s", per_s, "required", [REQUIRED_PER_S], at_least=1),
        row("CPU, profiles", "s/million", own, "the broker's meanwhile", broker),
    ]


def _take_in(material: Material, records: int, console: Console) -> tuple[float, float, float]:
    """Return transactions a second, and the CPU seconds of the service and of the broker for a million."""
    console.print(f"profiles take {records:,} transactions in …")
    with TemporaryDirectory(prefix="tallystick-bench-") as folder:
        directory = Path(folder)
        with Tansu(directory / "kafka") if unavailable() else ApacheKafka(directory / "kafka", heap_mb=1_024) as broker:
            sent = asyncio.run(_send(material, records, broker.address))
            service = _service(broker.address, directory / "profiles.log")
            service.start()
            os.sched_setaffinity(service.pid, {min(os.sched_getaffinity(0))})
            try:
                per_s, cpu = _watch(service, {"profiles": service.pid, "broker": broker.pid}, sent)
            finally:
                service.stop()
    console.print(f"  {per_s:,.0f}/s; CPU seconds for a million: profiles {cpu[0]:.1f}, broker {cpu[1]:.1f}")
    return per_s, *cpu


async def _send(material: Material, records: int, bootstrap: str) -> int:
    """Send transactions, and the labels of some of them; return how many records there are."""
    await provision_kafka({"bootstrap_servers": bootstrap}, topics(PARTITIONS))
    kafka, table = KafkaSettings(kafka_bootstrap=bootstrap), material.table.slice(0, records)
    await stream_table(table, StreamSettings(kafka=kafka, shift=Shift.NONE))
    fraud = np.random.default_rng(1).random(len(table)) < FRAUDS
    return len(table) + await send_labels(kafka, table, fraud, 0, time.time_ns() // 1_000_000)


def _service(bootstrap: str, log: Path) -> ServiceProcess:
    environment = {
        "TALLYSTICK_KAFKA_BOOTSTRAP": bootstrap,
        "TALLYSTICK_HTTP_PORT": str(free_port()),
        "TALLYSTICK_TRANSACTION_LATENESS_S": str(6 * 86_400),
        "TALLYSTICK_LATE_DAYS": "366",  # what is streamed is of years ago
    }
    return ServiceProcess("profiles", ["tallystick-profiles"], environment, log)


def _watch(service: ServiceProcess, pids: dict[str, int], total: int) -> tuple[float, tuple[float, float]]:
    """Return the rate from the first record to the last, and both processes' CPU seconds for a million."""
    samples: list[tuple[float, int, float, float]] = []
    deadline = time.monotonic() + _LIMIT_S
    service.wait_ready()
    with httpx.Client(base_url=service.health_url.removesuffix("/health")) as http:
        while not samples or samples[-1][1] < total:
            if time.monotonic() > deadline or not service.is_alive:
                raise RuntimeError(f"profiles did not take {total:,} records in.\n{service.child.log_tail()}")
            taken = http.get("/health").json()["records"]
            if taken:
                samples.append((time.perf_counter(), taken, *(cpu_s(pid) for pid in pids.values())))
            time.sleep(_EVERY_S)
    first, last = samples[0], samples[-1]
    taken = last[1] - first[1]
    cpu = [(last[column] - first[column]) * 1e6 / taken for column in (2, 3)]
    return taken / (last[0] - first[0]), (cpu[0], cpu[1])
