"""The order of effects: read, sign, keep, and only then publish and serve.

There is one way in: from the last seal that was kept, by reading its last records again. Whatever goes wrong ends the session,
and the next one begins there; what was read and not sealed is read again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import Counter, Gauge

from tallystick.contracts import Seal, SealStatement
from tallystick.runtime import kafka
from tallystick.runtime.backoff import Backoff, is_transient
from tallystick.runtime.cancellation import in_own_task
from tallystick.runtime.health import Health
from tallystick.runtime.service import causes
from tallystick.runtime.vault import Vault
from tallystick.trust.chain import Record
from tallystick.witness.sealer.partition import PartitionChain
from tallystick.witness.sealer.reading import ChainKeys, Reader, TopicError, count_partitions, opened
from tallystick.witness.sealer.sealing import MAX_PARTITIONS, make_seal, room
from tallystick.witness.sealer.settings import SealerSettings
from tallystick.witness.sealer.sources import Sources
from tallystick.witness.sealer.store import SealStore
from tallystick.witness.store import StateUnavailableError

SEALS, SEALING = "seals", "sealing"
KAFKA, VAULT, STATE, PUBLISHING = "kafka", "vault", "state", "publishing"
_AT_ONCE = 64
_DAY_MS = 86_400_000
_log = logging.getLogger(__name__)
T = TypeVar("T")


class InputSealer:
    """The sealer.

    Args:
        settings: the service's settings.
        key: signs.
        store: opened.
        vault: where the chain keys are.
        health: its components are `kafka`, `vault`, `state` and `publishing`.
    """

    def __init__(
        self, settings: SealerSettings, key: Ed25519PrivateKey, store: SealStore, vault: Vault, health: Health
    ) -> None:
        self._settings, self._key, self._store, self._vault, self._health = settings, key, store, vault, health
        self._worker = ThreadPoolExecutor(1, "state")
        self._last: Seal | None = None
        self._partitions: list[PartitionChain] = []
        self._sources = Sources()
        self._cluster_id = ""
        self._published = 0
        self._sealed = asyncio.Event()
        self._gaps = Counter("tallystick_sealer_gaps", "Gaps that were sealed", registry=health.registry)
        self._records = Counter("tallystick_sealer_records", "Input records read", registry=health.registry)
        self._number = Gauge("tallystick_sealer_seals", "Seals signed", registry=health.registry)
        health.detail("seals", self._detail)

    async def run(self) -> None:
        """Seal until cancelled. Raises what waiting does not repair."""
        self._published = (await self._kept(self._store.last)).published
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self._session, SEALING), name=SEALING)
            tasks.create_task(self._again_and_again(self._publish, PUBLISHING), name=PUBLISHING)

    async def seals(self, first: int, count: int) -> list[bytes]:
        """Return up to `count` seals from a number on. Raises StateUnavailableError."""
        return await self._kept(lambda: self._store.seals(first, count))

    async def _again_and_again(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        backoff, failures = Backoff(cap_s=3.0), 0
        while True:
            before = self._last
            try:
                await in_own_task(work(), name)
            except* Exception as group:
                errors = causes(group)
                if not all(is_transient(error) or isinstance(error, StateUnavailableError) for error in errors):
                    raise
                failures = 0 if self._last is not before else failures + 1
                _log.warning("%s starts afresh: %s", name, errors[0] or type(errors[0]).__name__)
                self._health.failing(_component(errors[0], name), str(errors[0]) or type(errors[0]).__name__)
            if name == SEALING:
                self._health.progress()
            await asyncio.sleep(backoff.delay_s(failures))

    async def _session(self) -> None:
        settings = self._settings
        async with AsyncExitStack() as stack:
            await self._vault.ping()
            self._health.ok(VAULT)
            consumer, count, self._cluster_id = await opened(stack, settings, settings.source_topic)
            await self._restore(count)
            keys = ChainKeys(self._vault, settings.source_topic)
            retention_ms = settings.retention_days * _DAY_MS
            reader = Reader(consumer, settings.source_topic, self._partitions, keys, retention_ms, self._took)
            reader.start()
            self._health.ok(KAFKA)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(kafka.watch(consumer, self._health))
                tasks.create_task(self._seal_what_is_read(reader, consumer))

    async def _restore(self, count: int) -> None:
        """Stand where the last seal says; what is another topic than it says is sealed as a gap."""
        kept = await self._kept(self._store.last)
        self._health.ok(STATE)
        self._last = kept.seal
        self._sources = Sources(kept.state.get("sources"))
        if count > MAX_PARTITIONS:
            raise ValueError(f"a sealer seals up to {MAX_PARTITIONS} partitions, and the topic has {count}")
        sealed = SealStatement.FromString(kept.seal.statement).partitions if kept.seal else []
        states = kept.state.get("partitions", [])
        restored = [PartitionChain.restored(one, state) for one, state in zip(sealed, states, strict=True)]
        self._partitions = restored[:count] + [PartitionChain(number) for number in range(len(restored), count)]
        if restored and len(restored) != count:
            for partition in self._partitions:
                partition.add_gap(f"the topic had {len(restored)} partitions and has {count}")

    def _took(self, records: Sequence[Record]) -> None:
        self._records.inc(len(records))
        self._sources.read(records, _now_ms())

    async def _seal_what_is_read(self, reader: Reader, consumer: AIOKafkaConsumer) -> None:
        due = time.monotonic()
        recheck_due = due + self._settings.recheck_every_s
        while True:
            if time.monotonic() >= recheck_due:
                await self._recheck(reader, consumer)
                recheck_due = time.monotonic() + self._settings.recheck_every_s
            while (left := due - time.monotonic()) > 0 and (most := room(self._partitions)) > 0:
                await reader.read(min(left, 1.0), most)
                self._health.progress()
            due = max(due + self._settings.seal_every_s, time.monotonic()) if left <= 0 else due
            await self._seal()

    async def _seal(self) -> None:
        settings, now_ms = self._settings, _now_ms()
        seal = make_seal(
            settings.name,
            self._key,
            topic=settings.source_topic,
            cluster_id=self._cluster_id,
            partitions=self._partitions,
            sources=self._sources.settle(now_ms, int(settings.source_grace_s * 1000)),
            now_ms=now_ms,
            last=self._last,
        )
        state = {"partitions": [one.to_json() for one in self._partitions], "sources": self._sources.to_json()}
        await self._kept(lambda: self._store.append(seal, state, self._published))
        self._last = seal
        self._number.set(SealStatement.FromString(seal.statement).number + 1)
        for partition in self._partitions:
            if partition.gap:
                self._gaps.inc()
                _log.error("gap in %s/%d: %s", settings.source_topic, partition.partition, partition.gap)
            partition.was_sealed()
        self._sources.were_sealed()
        self._health.ok(STATE)
        self._sealed.set()

    async def _recheck(self, reader: Reader, consumer: AIOKafkaConsumer) -> None:
        topic, expected = self._settings.source_topic, len(self._partitions)
        if await count_partitions(consumer, topic) != expected:
            raise TopicError(f"the topic {topic} no longer has {expected} partitions")
        reader.recheck()

    async def _publish(self) -> None:
        """Publish every seal in its order; one whose answer was lost is published twice, which readers see."""
        producer = kafka.producer(self._settings, linger_ms=0)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(producer.stop)
            await producer.start()
            while True:
                self._sealed.clear()
                while values := await self.seals(self._published, _AT_ONCE):
                    for value in values:
                        await producer.send_and_wait(SEALS, value, key=f"seal/{self._settings.name}".encode(), partition=0)
                        self._published += 1
                self._health.ok(PUBLISHING)
                await self._sealed.wait()

    async def _kept(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _detail(self) -> object:
        if self._last is None:
            return {"signed": 0, "published": self._published}
        said = SealStatement.FromString(self._last.statement)
        read = sum(one.next_sequence for one in said.partitions)
        return {"signed": said.number + 1, "published": self._published, "sealed_at_ms": said.sealed_at_ms, "records": read}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _component(error: BaseException, name: str) -> str:
    if isinstance(error, StateUnavailableError):
        return STATE
    if name == PUBLISHING:
        return PUBLISHING
    return VAULT if "Vault" in type(error).__name__ else KAFKA
