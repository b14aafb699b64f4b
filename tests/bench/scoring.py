"""Scoring in one process, from Kafka to Kafka, beside its peers: on the same broker, the same cores, the same records.

Everybody is measured by what the broker has (`arrivals`, `latency`), and a peer whose margins are not scoring's, bit for bit,
is no peer. How it is done: `stage`; what the peers are: `peers/README.md`.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console

from tallystick.cli.stream import Shift, shift_ms
from tallystick.cli.stream.columns import compute
from tallystick.embedded import StartError
from tallystick.embedded.kafka import unavailable

from .arrivals import StandstillError, Throughput
from .contestants import PEERS, UnavailableError
from .figures import Row, row
from .latency import Latency, LostError
from .material import Material, platform, release
from .stage import BROKER, EXACTLY_ONCE, SCORING, SWAP_PER_S, Stage, Swap, latency_records

PARTS = frozenset({"throughput", "peers", "latency", "swap"})
"""What may be measured beside scoring's own throughput."""

AT_LEAST_ONCE = "at_least_once"
REQUIRED_PER_S = {AT_LEAST_ONCE: 30_000.0, EXACTLY_ONCE: 25_000.0}
MARK_PER_S = 40_000.0
"""The prototype's rate, which wrote neither commitments nor evidence."""

OF_BARE_LOOP = 0.5
RATES_PER_S = (1_000, 10_000)
OF_ECHO = 2.0
SWAP_MS = 100.0
_BARE = "bare"
_OTHER_DAYS = (14, 34)
"""Another model than the one in force, as large."""

_UNBOUND = {"TALLYSTICK_COVERAGE_DECISIONS": "10000000", "TALLYSTICK_COVERAGE_AGE_S": "3600"}


@dataclass(slots=True)
class Found:
    """What all runs have shown, by guarantee: throughputs by name, latencies by rate, ours beside the echo's, and swaps."""

    throughputs: dict[str, dict[str, list[Throughput]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    latencies: dict[str, dict[int, list[tuple[Latency, Latency]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    swaps: dict[str, list[Swap]] = field(default_factory=lambda: defaultdict(list))


def transactions_needed(records: int) -> int:
    """Return how many transactions the material must have for `records` and the latencies behind them."""
    return records + sum(map(latency_records, (*RATES_PER_S, SWAP_PER_S)))


def run(material: Material, records: int, runs: int, console: Console, parts: frozenset[str] = PARTS) -> list[Row]:
    """Measure `runs` times, on fresh platforms; where there is no Apache Kafka, on the embedded broker what it can show."""
    reason = unavailable()
    guarantees = [AT_LEAST_ONCE, EXACTLY_ONCE]
    if reason:
        console.print(f"{reason}: scoring is measured on the embedded broker, at least once, without peers and latencies")
        guarantees, parts = [AT_LEAST_ONCE], parts & {"throughput"}
    found = Found()
    other = release(material.data, _OTHER_DAYS, material.data.with_name("other")) if "swap" in parts else None
    for _ in range(runs):
        for guarantee in guarantees:
            with _stage(material, records, guarantee, console, apache=reason is None) as stage:
                _measure(stage, parts, found, console)
                if other is not None:
                    found.swaps[guarantee].append(stage.swap(other, records + sum(map(latency_records, RATES_PER_S))))
    return _rows(found)


def _measure(stage: Stage, parts: frozenset[str], found: Found, console: Console) -> None:
    throughputs = found.throughputs[stage.guarantee]
    throughputs[SCORING].append(stage.score())
    if "throughput" in parts:
        throughputs[_BARE].append(stage.bare_loop())
    if "peers" in parts and stage.guarantee == AT_LEAST_ONCE:  # the guarantee that all of them give unless asked
        expected = stage.margins()
        for peer in PEERS:
            try:
                seen = stage.peer(peer, expected)
            except (UnavailableError, StandstillError, StartError) as error:
                console.print(f"  not measured: {error}")
            else:
                throughputs[peer.slug].append(seen)
    if "latency" in parts:
        try:
            pairs = stage.latencies(RATES_PER_S)
        except LostError as error:
            console.print(f"  not measured: {error}")
        else:
            for per_s, pair in pairs.items():
                found.latencies[stage.guarantee][per_s].append(pair)


@contextmanager
def _stage(material: Material, records: int, guarantee: str, console: Console, *, apache: bool) -> Iterator[Stage]:
    now_ms = time.time_ns() // 1_000_000
    settings = {SCORING: {**_UNBOUND, "TALLYSTICK_PROCESSING_GUARANTEE": guarantee}}
    with platform(material, now_ms, settings, apache=apache) as running:
        yield Stage(_moved(material, now_ms), records, guarantee, running, console)


def _moved(material: Material, now_ms: int) -> Material:
    """Move the transactions by whole weeks to now, as the activation's time was."""
    table, name = material.table, "event_time_ms"
    by_ms = shift_ms(Shift.WHOLE_WEEKS, table[name][-1].as_py(), now_ms)
    return replace(material, table=table.set_column(table.schema.get_field_index(name), name, compute.add(table[name], by_ms)))


def _rows(found: Found) -> list[Row]:
    rows = []
    names = {_BARE: "a bare aiokafka loop, as many bytes", **{peer.slug: peer.name for peer in PEERS}}
    goals = {_BARE: OF_BARE_LOOP, **{peer.slug: peer.goal for peer in PEERS}}
    for guarantee, throughputs in found.throughputs.items():
        called = f"scoring, {guarantee.replace('_', ' ')}"
        per_s = {name: [each.per_s for each in some] for name, some in throughputs.items()}
        ours = per_s.pop(SCORING)
        rows.append(row(called, "decisions/s", ours, "required", [REQUIRED_PER_S[guarantee]], at_least=1))
        if guarantee == AT_LEAST_ONCE:
            rows.append(row(called, "decisions/s", ours, "the mark to beat", [MARK_PER_S], at_least=1))
        rows += [row(called, "decisions/s", ours, names[name], peer, at_least=goals[name]) for name, peer in per_s.items()]
        for name, some in throughputs.items():
            own, broker = ([each.cpu_s_per_million[process] for each in some] for process in (name, BROKER))
            what = called if name == SCORING else f"{names[name]}, {guarantee.replace('_', ' ')}"
            rows.append(row(f"CPU, {what}", "s/million", own, "the broker's meanwhile", broker))
        for rate, pairs in found.latencies[guarantee].items():
            rows += _latency_rows(f"{called}, latency at {rate:,}/s", pairs)
        for beside, limits in (("the limit", [SWAP_MS]), ("just before", [swap.before_ms for swap in found.swaps[guarantee]])):
            if swaps := [swap.longest_ms for swap in found.swaps[guarantee]]:
                goal = 1 if beside == "the limit" else None
                rows.append(row(f"{called}, a swap of models, longest standstill", "ms", swaps, beside, limits, at_most=goal))
    return rows


def _latency_rows(called: str, pairs: Sequence[tuple[Latency, Latency]]) -> list[Row]:
    columns = {"p50": "p50_ms", "p99": "p99_ms", "p99.9": "p999_ms"}
    return [
        row(
            f"{called}, {name}",
            "ms",
            [getattr(ours, column) for ours, _ in pairs],
            "a bare echo",
            [getattr(echo, column) for _, echo in pairs],
            at_most=OF_ECHO if name == "p99" else None,
        )
        for name, column in columns.items()
    ]
