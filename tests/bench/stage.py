"""A platform and a broker for one guarantee, and what is measured on them.

The transactions are in Kafka before anybody begins, and nothing else works meanwhile: notary, audit and witnesses stand still,
and scoring may run ahead of the log. Latencies come last, for they add to the topic.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

from rich.console import Console

from tallystick.cli.approval.flow import send
from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import publish, published_decisions, sign_activation, wait_until
from tallystick.cli.stream import Shift, StreamSettings, stream_table
from tallystick.contracts import Decision
from tallystick.embedded.process import Child

from . import margins
from .arrivals import Throughput, Watch, create_topic, read, throughput
from .contestants import ROOT, Peer, Task, start
from .latency import MEASURED_S, WARM_S, Latency, Outgoing, Times, open_loop, outgoing, standstill_ms, summary
from .material import Material, Release

EXACTLY_ONCE = "exactly_once"
SCORING, BROKER = "scoring", "broker"
PEER_LIMIT_S = 20.0
"""How long a peer may take: the slow ones are seen for as long."""

SWAP_PER_S = 2_000
_ACTIVATED_S, _EFFECTIVE_S = 6.0, 12.0
"""When what people signed is sent, and when it is effective."""

_OWN_LIMIT_S = 120.0
_READY_S = 30.0
_SOURCE, _DECISIONS, _EVIDENCE = "transactions", "decisions", "evidence"
_OUTPUTS = (_DECISIONS, _EVIDENCE)
_WARM_BYTES = 600


def latency_records(per_s: int) -> int:
    """Return how many transactions a latency at this rate takes."""
    return int(per_s * (WARM_S + MEASURED_S))


@dataclass(frozen=True, slots=True)
class Swap:
    """The longest times without a decision: while a model is logged, loaded and takes over, and just before."""

    longest_ms: float
    before_ms: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A platform with a broker.

    Attributes:
        material: its transactions have the times at which they are sent.
        records: how many of them everybody is given; those behind are for latencies.
        guarantee: scoring's.
        running: the platform.
        console: told what goes on.
    """

    material: Material
    records: int
    guarantee: str
    running: Platform
    console: Console

    def score(self) -> Throughput:
        """Warm the broker up, put the transactions into it, and let scoring decide them. Comes first."""
        self._say("the broker warms up")
        self._halt()
        asyncio.run(self._load())
        self._loop("warm", {"warm": _WARM_BYTES}, transactional=False)
        self._say("scoring")
        scoring = self.running.services[SCORING]
        watch = self._watch(_DECISIONS)
        scoring.send(signal.SIGCONT)
        pids = {SCORING: scoring.pid, BROKER: self.running.stack.kafka.pid}
        samples = watch.until(pids, scoring.child, limit_s=_OWN_LIMIT_S, enough=self._enough(self._transactional))
        scoring.send(signal.SIGSTOP)
        decided = sum(map(len, self._read(_DECISIONS)))
        if decided != self.records:
            raise RuntimeError(f"scoring decided {decided:,} of {self.records:,} transactions")
        return self._told(throughput(samples, decided))

    def bare_loop(self) -> Throughput:
        """Let a bare loop read the same and write as many bytes, in the same mode."""
        sizes = {topic: round(fmean(len(value) for part in self._read(topic) for _, value in part)) for topic in _OUTPUTS}
        self._say(f"a bare loop that writes as much, {' and '.join(map(str, sizes.values()))} bytes")
        targets = {f"bare-{topic}": size for topic, size in sizes.items()}
        return self._told(self._loop("bare", targets, transactional=self._transactional))

    def margins(self) -> dict[str, int]:
        """Return the bits of the margins of scoring's decisions, by transaction id."""
        return margins.of_scoring(self._read(_SOURCE), self._read(_DECISIONS))

    def peer(self, peer: Peer, expected: Mapping[str, int]) -> Throughput:
        """Let a peer score the same, and compare its margins.

        Raises:
            UnavailableError: if it cannot be run here.
            MarginsDifferError: if it is no peer.
        """
        self._say(peer.name)
        target = f"scores-{peer.slug}"
        create_topic(self._bootstrap, target, self.running.partitions)
        review_margin, decline_margin = margins.thresholds(self.material.release.folder)
        task = Task(
            bootstrap=self._bootstrap,
            source=_SOURCE,
            target=target,
            partitions=self.running.partitions,
            model=self.material.release.folder / f"{self.material.release.model_digest}.json",
            review_margin=review_margin,
            decline_margin=decline_margin,
            directory=self.running.directory / "peers" / peer.slug,
        )
        watch = self._watch(target)
        child = start(peer, task, os.environ)
        try:
            pids = {peer.slug: child.pid, BROKER: self.running.stack.kafka.pid}
            samples = watch.until(pids, child, limit_s=PEER_LIMIT_S, enough=self.records)
        finally:
            child.stop()
        margins.compare(peer.name, expected, margins.of_peer(self._read(target)))
        return self._told(throughput(samples))

    def latencies(self, rates_per_s: Sequence[int]) -> dict[int, tuple[Latency, Latency]]:
        """Return by rate scoring's latency and a bare echo's."""
        slices, ours = {}, {}
        first = self.records
        for per_s in rates_per_s:
            slices[per_s] = outgoing(self.material.table.slice(first, latency_records(per_s)), self.running.partitions)
            first += len(slices[per_s])
            self._say(f"latency at {per_s:,}/s")
            self._go_on()
            self._halt(but=SCORING)
            ours[per_s] = self._seen(self._open_loop(slices[per_s], per_s, _DECISIONS))
        self._halt()
        found = {}
        for per_s, records in slices.items():
            self._say(f"an echo's latency at {per_s:,}/s")
            echo = f"echo-{per_s}"
            create_topic(self._bootstrap, echo, self.running.partitions)
            with self._process(echo, [echo], self._transactional, "--from-end"):
                bare = self._seen(self._open_loop(records, per_s, echo))
            found[per_s] = ours[per_s], bare
        return found

    def swap(self, release: Release, first: int) -> Swap:
        """Put another release into force in mid-stream, while everything works, and see how long decisions stand still.

        People propose and approve before, since their computers are not the bank's; what they signed is sent in mid-stream.

        Args:
            release: another one than the one in force.
            first: the first of the material's transactions to send; those before may have been sent.
        """
        self._say(f"a swap at {SWAP_PER_S:,}/s")
        self._go_on()
        publish(self.running, release.folder, "ada")
        table = self.material.table.slice(first, latency_records(SWAP_PER_S))
        records = outgoing(table, self.running.partitions)
        effective_ms = records[int(_EFFECTIVE_S * SWAP_PER_S)].timestamp_ms
        signed = sign_activation(self.running, release.model_digest, release.policy_digest, effective_ms, publish=False)

        def swap() -> None:
            time.sleep(_ACTIVATED_S)
            asyncio.run(send(self.running.kafka, b"activation/swap", signed.read_bytes()))

        with ThreadPoolExecutor(1) as pool:
            swapped = pool.submit(swap)
            due, arrivals = self._open_loop(records, SWAP_PER_S, _DECISIONS)
            swapped.result()
        newest = {Decision.FromString(part[-1][1]).model_digest.hex() for part in self._read(_DECISIONS)}
        if newest != {release.model_digest}:
            raise RuntimeError(f"the newest decisions are of {', '.join(newest)}, and {release.model_digest} is in force")
        before_ms = standstill_ms(due, arrivals, WARM_S, _ACTIVATED_S)
        found = Swap(standstill_ms(due, arrivals, _ACTIVATED_S, WARM_S + MEASURED_S), before_ms)
        self.console.print(f"  longest standstill {found.longest_ms:.1f} ms, {found.before_ms:.1f} ms before")
        return found

    @property
    def _bootstrap(self) -> str:
        return self.running.stack.kafka.address

    @property
    def _transactional(self) -> bool:
        return self.guarantee == EXACTLY_ONCE

    def _enough(self, transactional: bool) -> int | None:
        return None if transactional else self.records

    def _say(self, what: str) -> None:
        self.console.print(f"{self.guarantee.replace('_', ' ')}: {what} …")

    def _told(self, found: Throughput) -> Throughput:
        cpu = ", ".join(f"{name} {cpu_s:.1f}" for name, cpu_s in found.cpu_s_per_million.items())
        self.console.print(f"  {found.per_s:,.0f}/s; CPU seconds for a million: {cpu}")
        return found

    def _open_loop(self, records: Sequence[Outgoing], per_s: float, target: str) -> tuple[Times, Times]:
        return open_loop(self._bootstrap, records, per_s, _SOURCE, target, self.running.partitions)

    def _seen(self, times: tuple[Times, Times]) -> Latency:
        found = summary(*times)
        self.console.print(f"  p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms, p99.9 {found.p999_ms:.1f} ms")
        return found

    def _watch(self, topic: str) -> Watch:
        return Watch(self._bootstrap, topic, self.running.partitions)

    def _read(self, topic: str) -> list[list[tuple[int, bytes]]]:
        return read(self._bootstrap, topic, self.running.partitions)

    def _halt(self, *, but: str = "") -> None:
        for name, service in self.running.services.items():
            if name != but:
                service.send(signal.SIGSTOP)

    def _go_on(self) -> None:
        """Let everything go on until it has caught up and the governance log is fresh again."""
        for service in self.running.services.values():
            service.send(signal.SIGCONT)
        wait_until(lambda: bool(self.running.health(SCORING)["ready"]), "scoring to be ready again")
        decided = self.running.health(SCORING)["decisions"]
        wait_until(lambda: published_decisions(self.running.health("notary")) >= decided, "the notary to catch up")

    async def _load(self) -> None:
        settings = StreamSettings(kafka=self.running.kafka, shift=Shift.NONE)
        await stream_table(self.material.table.slice(0, self.records), settings)

    def _loop(self, name: str, targets: Mapping[str, int], *, transactional: bool) -> Throughput:
        for topic in targets:
            create_topic(self._bootstrap, topic, self.running.partitions)
        watch = self._watch(next(iter(targets)))
        with self._process(name, [f"{topic}:{size}" for topic, size in targets.items()], transactional) as child:
            pids = {name: child.pid, BROKER: self.running.stack.kafka.pid}
            enough = self._enough(transactional)
            samples = watch.until(pids, child, limit_s=_OWN_LIMIT_S, enough=enough)
        return throughput(samples, self.records)

    @contextmanager
    def _process(self, name: str, targets: Sequence[str], transactional: bool, *options: str) -> Iterator[Child]:
        log = self.running.logs / f"{name}.log"
        child = Child(name, log)
        transaction = ("--transactional-id", name) if transactional else ()
        command = [sys.executable, "-m", "tests.bench.bare_loop", self._bootstrap, _SOURCE, *targets, *transaction]
        child.spawn([*command, *options], env=os.environ | {"PYTHONPATH": str(ROOT)})
        try:
            child.wait_until(lambda: b"ready" in log.read_bytes(), "been ready", _READY_S)
            yield child
        finally:
            child.stop()
