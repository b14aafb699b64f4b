"""Scoring in one process, from Kafka to Kafka, beside its peers: on the same broker, the same cores, the same records.

The transactions are in Kafka before anybody begins, and nothing else works meanwhile: notary, audit and witnesses stand still,
and scoring may run ahead of the log. Everybody is measured by what the broker has (`arrivals`), and a peer whose margins are
not scoring's, bit for bit, is no peer. Latencies come last, for they add to the topic.
"""

import asyncio
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import published_decisions, wait_until
from tallystick.cli.stream import Shift, StreamSettings, shift_ms, stream_table
from tallystick.cli.stream.columns import compute
from tallystick.embedded.kafka import unavailable
from tallystick.embedded.process import Child
from tallystick.scoring.settings import ScoringSettings

from . import margins
from .arrivals import Throughput, Watch, create_topic, read, throughput
from .contestants import PEERS, ROOT, Peer, Task, UnavailableError, start
from .figures import Row, row
from .latency import MEASURED_S, WARM_S, Latency, open_loop, outgoing
from .material import Material, platform

AT_LEAST_ONCE, EXACTLY_ONCE = "at_least_once", "exactly_once"
REQUIRED_PER_S = {AT_LEAST_ONCE: 30_000.0, EXACTLY_ONCE: 25_000.0}
MARK_PER_S = 40_000.0
"""The prototype's rate, which wrote neither commitments nor evidence."""

OF_BARE_LOOP = 0.5
RATES_PER_S = (1_000, 10_000)
OF_ECHO = 2.0
PEER_LIMIT_S = 20.0
_OWN_LIMIT_S = 120.0
_READY_S = 30.0
_SCORING, _BROKER = "scoring", "broker"
_UNBOUND = {"TALLYSTICK_COVERAGE_DECISIONS": "10000000", "TALLYSTICK_COVERAGE_AGE_S": "3600"}


@dataclass(slots=True)
class Found:
    """What all runs have shown, by guarantee: throughputs by name, latencies by rate, ours beside the echo's."""

    throughputs: dict[str, dict[str, list[Throughput]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    latencies: dict[str, dict[int, list[tuple[Latency, Latency]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )


def transactions_needed(records: int) -> int:
    """Return how many transactions the material must have for `records` and the latencies behind them."""
    return records + sum(_latency_records(per_s) for per_s in RATES_PER_S)


def _latency_records(per_s: int) -> int:
    return int(per_s * (WARM_S + MEASURED_S))


def run(material: Material, records: int, runs: int, console: Console, peers: Sequence[Peer] = PEERS) -> list[Row]:
    """Measure everything `runs` times, on fresh platforms."""
    reason = unavailable()
    if reason:
        console.print(f"{reason}: scoring is measured on the embedded broker, at least once, without peers")
    guarantees = [AT_LEAST_ONCE] if reason or "processing_guarantee" not in ScoringSettings.model_fields else [*REQUIRED_PER_S]
    found = Found()
    for _ in range(runs):
        for guarantee in guarantees:
            with _stage(material, records, guarantee, console, apache=reason is None) as stage:
                stage.measure(found, peers if guarantee == AT_LEAST_ONCE and not reason else (), latency=reason is None)
    return _rows(found)


@contextmanager
def _stage(material: Material, records: int, guarantee: str, console: Console, *, apache: bool) -> Iterator["_Stage"]:
    now_ms = time.time_ns() // 1_000_000
    settings = dict(_UNBOUND)
    if "processing_guarantee" in ScoringSettings.model_fields:
        settings["TALLYSTICK_PROCESSING_GUARANTEE"] = guarantee
    with platform(material, now_ms, {_SCORING: settings}, apache=apache) as running:
        yield _Stage(_moved(material, now_ms), records, guarantee, running, console)


def _moved(material: Material, now_ms: int) -> Material:
    """Move the transactions by whole weeks to now, as the activation's time was."""
    table, name = material.table, "event_time_ms"
    by_ms = shift_ms(Shift.WHOLE_WEEKS, table[name][-1].as_py(), now_ms)
    return replace(material, table=table.set_column(table.schema.get_field_index(name), name, compute.add(table[name], by_ms)))


@dataclass(slots=True)
class _Stage:
    """A platform with a broker, and what is measured on it."""

    material: Material
    records: int
    guarantee: str
    running: Platform
    console: Console
    topics: int = 0

    @property
    def bootstrap(self) -> str:
        return self.running.stack.kafka.address

    @property
    def partitions(self) -> int:
        return self.running.partitions

    def measure(self, found: Found, peers: Sequence[Peer], *, latency: bool) -> None:
        throughputs = found.throughputs[self.guarantee]
        self._say("the broker warms up")
        self._halt()
        asyncio.run(self._load())
        self._bare_loop("warm", {"warm": 600}, transactional=False)
        self._say("scoring")
        throughputs[_SCORING].append(self._score())
        decisions = read(self.bootstrap, "decisions", self.partitions)
        sizes = {topic: _mean_size(read(self.bootstrap, topic, self.partitions)) for topic in ("decisions", "evidence")}
        self._say(f"a bare loop that writes as much: {' and '.join(f'{size} bytes' for size in sizes.values())}")
        bare = self._bare_loop("bare", {f"bare-{topic}": size for topic, size in sizes.items()}, self._transactional)
        throughputs["bare"].append(bare)
        expected = margins.of_scoring(read(self.bootstrap, "transactions", self.partitions), decisions) if peers else {}
        for peer in peers:
            self._say(peer.name)
            try:
                throughputs[peer.slug].append(self._peer(peer, expected))
            except UnavailableError as error:
                self._say(f"skipped: {error}")
        if latency:
            self._latencies(found)

    @property
    def _transactional(self) -> bool:
        return self.guarantee == EXACTLY_ONCE

    @property
    def _end(self) -> int | None:
        return None if self._transactional else self.records

    def _say(self, what: str) -> None:
        self.console.print(f"{self.guarantee.replace('_', ' ')}: {what} …")

    def _halt(self, *, but: str = "") -> None:
        for name, service in self.running.services.items():
            if name != but:
                service.send(signal.SIGSTOP)

    def _go_on(self) -> None:
        """Let everything go on until it has caught up and the governance log is fresh again."""
        for service in self.running.services.values():
            service.send(signal.SIGCONT)
        wait_until(lambda: bool(self.running.health(_SCORING)["ready"]), "scoring to be ready again")
        decided = self.running.health(_SCORING)["decisions"]
        wait_until(lambda: published_decisions(self.running.health("notary")) >= decided, "the notary to catch up")

    async def _load(self) -> None:
        settings = StreamSettings(kafka=self.running.kafka, shift=Shift.NONE)
        await stream_table(self.material.table.slice(0, self.records), settings)

    def _score(self) -> Throughput:
        scoring = self.running.services[_SCORING]
        pids = {_SCORING: scoring.pid, _BROKER: self.running.stack.kafka.pid}
        watch = Watch(self.bootstrap, "decisions", self.partitions)
        scoring.send(signal.SIGCONT)
        samples = watch.until(pids, lambda: scoring.is_alive, limit_s=_OWN_LIMIT_S, enough=self._end)
        scoring.send(signal.SIGSTOP)
        decided = sum(map(len, read(self.bootstrap, "decisions", self.partitions)))
        if decided != self.records:
            raise RuntimeError(f"scoring decided {decided:,} of {self.records:,} transactions")
        return throughput(samples, decided)

    def _bare_loop(self, name: str, targets: dict[str, int], transactional: bool) -> Throughput:
        for topic in targets:
            create_topic(self.bootstrap, topic, self.partitions)
        watch, enough = Watch(self.bootstrap, next(iter(targets)), self.partitions), None if transactional else self.records
        with self._bare_process(name, [f"{topic}:{size}" for topic, size in targets.items()], transactional) as child:
            pids = {name: child.pid, _BROKER: self.running.stack.kafka.pid}
            samples = watch.until(pids, lambda: child.is_alive, limit_s=_OWN_LIMIT_S, enough=enough)
        return throughput(samples, self.records)

    @contextmanager
    def _bare_process(self, name: str, targets: Sequence[str], transactional: bool, *options: str) -> Iterator[Child]:
        log = self.running.logs / f"{name}.log"
        child = Child(name, log)
        transaction = ("--transactional-id", name) if transactional else ()
        command = [sys.executable, "-m", "tests.bench.bare_loop", self.bootstrap, "transactions", *targets, *transaction]
        child.spawn([*command, *options], env=os.environ | {"PYTHONPATH": str(ROOT)})
        try:
            child.wait_until(lambda: b"ready" in log.read_bytes(), "been ready", _READY_S)
            yield child
        finally:
            child.stop()

    def _peer(self, peer: Peer, expected: dict[str, int]) -> Throughput:
        target = f"scores-{peer.slug}"
        create_topic(self.bootstrap, target, self.partitions)
        review_margin, decline_margin = margins.thresholds(self.material.release)
        model = self.material.release / f"{self.material.model_digest}.json"
        task = Task(
            bootstrap=self.bootstrap,
            source="transactions",
            target=target,
            partitions=self.partitions,
            model=model,
            review_margin=review_margin,
            decline_margin=decline_margin,
            directory=self.running.directory / "peers" / peer.slug,
        )
        watch = Watch(self.bootstrap, target, self.partitions)
        child = start(peer, task, os.environ)
        try:
            pids = {peer.slug: child.pid, _BROKER: self.running.stack.kafka.pid}
            samples = watch.until(pids, lambda: child.is_alive, limit_s=PEER_LIMIT_S, enough=self.records)
        except Exception:
            self.console.print(child.log_tail())
            raise
        finally:
            child.stop()
        margins.compare(peer.name, expected, margins.of_peer(read(self.bootstrap, target, self.partitions)))
        return throughput(samples)

    def _latencies(self, found: Found) -> None:
        first, ours = self.records, dict[int, Latency]()
        slices = {}
        for per_s in RATES_PER_S:
            slices[per_s] = outgoing(self.material.table.slice(first, _latency_records(per_s)), self.partitions)
            first += len(slices[per_s])
            self._say(f"latency at {per_s:,}/s")
            self._go_on()
            self._halt(but=_SCORING)
            ours[per_s] = open_loop(self.bootstrap, slices[per_s], per_s, "transactions", "decisions", self.partitions)
        self._halt()
        for per_s, records in slices.items():
            self._say(f"an echo's latency at {per_s:,}/s")
            echo = f"echo-{per_s}"
            create_topic(self.bootstrap, echo, self.partitions)
            with self._bare_process(echo, [echo], self._transactional, "--from-end"):
                bare = open_loop(self.bootstrap, records, per_s, "transactions", echo, self.partitions)
            found.latencies[self.guarantee][per_s].append((ours[per_s], bare))


def _mean_size(partitions: Sequence[Sequence[tuple[int, bytes]]]) -> int:
    values = [len(value) for partition in partitions for _, value in partition]
    return round(sum(values) / len(values))


def _rows(found: Found) -> list[Row]:
    rows = []
    names = {"bare": "bare aiokafka loop, as many bytes", **{peer.slug: peer.name for peer in PEERS}}
    goals = {"bare": OF_BARE_LOOP, **{peer.slug: peer.goal for peer in PEERS}}
    for guarantee, throughputs in found.throughputs.items():
        called = f"scoring, {guarantee.replace('_', ' ')}"
        per_s = {name: [each.per_s for each in some] for name, some in throughputs.items()}
        ours = per_s.pop(_SCORING)
        rows.append(row(called, "decisions/s", ours, "required", [REQUIRED_PER_S[guarantee]], at_least=1))
        if guarantee == AT_LEAST_ONCE:
            rows.append(row(called, "decisions/s", ours, "the mark to beat", [MARK_PER_S], at_least=1))
        rows += [row(called, "decisions/s", ours, names[name], peer, at_least=goals[name]) for name, peer in per_s.items()]
        for name, some in throughputs.items():
            own, broker = ([each.cpu_s_per_million[process] for each in some] for process in (name, _BROKER))
            what = called if name == _SCORING else names[name]
            rows.append(row(f"CPU, {what}", "s/million", own, "the broker's meanwhile", broker))
        for rate, pairs in found.latencies[guarantee].items():
            rows += _latency_rows(f"{called}, latency at {rate:,}/s", pairs)
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
