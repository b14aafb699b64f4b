"""The loop: acquire the partitions, then read, score and emit until anything changes; then acquire afresh.

There is one way in (`acquisition`) and no way to carry on after an error: whatever goes wrong ends the session, its producer
and its state, and the next one finds out from `decisions` and the log where it stands.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import NoReturn, TypeVar

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from tallystick.merkle.proofs import ProofError
from tallystick.runtime import kafka
from tallystick.runtime.backoff import Backoff, is_transient
from tallystick.runtime.cancellation import in_own_task, no_stray_cancellation
from tallystick.runtime.health import Health
from tallystick.runtime.service import causes
from tallystick.runtime.transactions import FencedError
from tallystick.scoring.acquisition import FETCH_WAIT_MS, Acquisition, Session
from tallystick.scoring.coverage import CoverageError, Limit
from tallystick.scoring.custody import Custody, forget_keys
from tallystick.scoring.emission import Parcel, TopicError, pack
from tallystick.scoring.engine import Partition, Row, decide
from tallystick.scoring.gate import Gate, GateError
from tallystick.scoring.ownership import Ownership
from tallystick.scoring.position import PositionError
from tallystick.scoring.profile_reader import ProfileReader
from tallystick.scoring.restoring import Restorer
from tallystick.scoring.settings import ScoringSettings
from tallystick.scoring.snapshot_stores import SnapshotStore
from tallystick.scoring.snapshotting import Schedule, Snapshotter
from tallystick.scoring.telemetry import Telemetry
from tallystick.trust.chain import KEY_SPAN
from tallystick.trust.policy import TrustPolicy

_log = logging.getLogger(__name__)
_HELD_S = 0.05
_ERASURES_S = 0.5  # what is sealed for a customer in so long after an erasure, nobody can open
_RETRY_CAP_S = 3.0  # what is waited beyond an outage's end, nobody is paid or refused
_FENCED_PAUSE_S = 5.0  # more than a heartbeat of the group's: by then a process knows whether its partitions are another's
_STOPS = (GateError, CoverageError, PositionError, ProofError, TopicError, FencedError)

T = TypeVar("T")


class OwnershipChangedError(Exception):
    """The group has divided the partitions anew, or one that was left out may go on."""


class Scorer:
    """The scoring service.

    Args:
        settings: the service's settings.
        policy: the trust policy.
        gate: what the governance log allows.
        custody: keys.
        ownership: which partitions are scored.
        health: where the service says how it is; its components are `kafka`, `governance`, `log` and `scoring`.
        snapshots: where snapshots of the customers' histories go, if anywhere.
    """

    def __init__(
        self,
        settings: ScoringSettings,
        policy: TrustPolicy,
        gate: Gate,
        custody: Custody,
        ownership: Ownership,
        health: Health,
        snapshots: SnapshotStore | None = None,
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._custody = custody
        restorer = None if snapshots is None else Restorer(snapshots, custody, health)
        schedule = Schedule(settings.snapshot_every_records, settings.snapshot_every_s, settings.snapshot_max_age_s)
        self._snapshotter = None if snapshots is None else Snapshotter(snapshots, custody, schedule, health)
        self._acquisition = Acquisition(settings, policy, gate, custody, health, restorer)
        self._ownership = ownership
        self._health = health
        self._telemetry = Telemetry(health.registry)
        self._limit = Limit(settings.coverage_decisions, settings.coverage_age_s)
        self._session: Session | None = None
        self._profiles = ProfileReader(settings, settings.profiles_wait_s, health)
        # Scoring a batch keeps a processor busy for as long as several of the broker's answers to the last one take.
        self._worker = ThreadPoolExecutor(1, "scoring")
        health.detail("decisions", lambda: self._telemetry.total)
        health.detail("partitions", self._partitions_detail)
        health.detail("coverage", self._coverage_detail)
        health.detail("governance", self._governance_detail)
        health.detail("profiles", self._profiles_detail)

    async def run(self) -> None:
        """Score until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_governance(), name="governance")
            tasks.create_task(self._watch_erasures(), name="erasures")
            tasks.create_task(self._profiles.run(), name="profiles")
            tasks.create_task(self._sessions(), name="scoring")

    async def _watch_governance(self) -> None:
        while True:
            try:
                await self._gate.refresh()
            except (GateError, OSError) as error:
                self._health.failing("governance", str(error), "refused" if isinstance(error, GateError) else "not answering")
            else:
                closed = self._gate.closed()
                self._health.failing("governance", closed, "closed") if closed else self._health.ok("governance")
            self._health.progress("governance")
            await asyncio.sleep(self._settings.poll_governance_s)

    async def _watch_erasures(self) -> None:
        """Learn which customers' keys are gone: from the database at once, from the log where a backup brought them back."""
        while True:
            try:
                await self._custody.learn()
                await self._custody.destroy(self._gate.erased)
            except Exception as error:
                if not is_transient(error):
                    raise
                _log.debug("erasures are asked for again: %s", error or type(error).__name__)  # health says that it is away
            await asyncio.sleep(_ERASURES_S)

    async def _sessions(self) -> None:
        backoff, failures = Backoff(cap_s=_RETRY_CAP_S), 0
        while True:
            before = self._telemetry.total
            try:
                await in_own_task(self._run_session(), "the session")
            except* OwnershipChangedError:
                failures = 0
            except* Exception as group:
                errors = causes(group)
                if not all(isinstance(error, _STOPS) or is_transient(error) for error in errors):
                    raise
                error = errors[0]
                reason = str(error) or type(error).__name__
                _log.warning("scoring stopped and starts afresh: %s", reason)
                self._health.failing("scoring", reason, "stopped")
                if isinstance(error, KafkaError):  # no session, nobody else who asks the brokers
                    self._health.failing("kafka", reason)
                failures = 0 if self._telemetry.total > before else failures + 1
                if any(isinstance(error, FencedError) for error in errors):
                    await self._hold_back()
            finally:
                self._session = None
                self._ownership.released()
            self._health.progress()
            await asyncio.sleep(backoff.delay_s(failures))

    async def _run_session(self) -> None:
        while (closed := self._gate.closed()) is not None:
            self._health.failing("scoring", closed, "waiting")
            self._health.progress()
            await asyncio.sleep(_HELD_S)
        owned = await self._ownership.owned()
        await self._custody.destroy(self._gate.erased)  # before anything is sealed with what a backup brought back
        async with asyncio.TaskGroup() as watching:
            watching.create_task(self._until_ownership_changes())
            async with self._acquisition.acquired(owned) as session:
                self._session = session
                self._health.ok("scoring")
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._until_partitions_may_go_on(session))
                    tasks.create_task(kafka.watch(session.consumer, self._health))
                    tasks.create_task(self._follow_log(session))
                    tasks.create_task(self._score(session, tasks))
                    if self._snapshotter is not None:
                        tasks.create_task(self._snapshotter.run(session.partitions, self._between_batches))

    async def _hold_back(self) -> None:
        """Give the group time to say that what another process has taken over is no longer this one's.

        To acquire it again at once would fence the other in its turn.
        """
        self._session = None
        self._ownership.released()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FENCED_PAUSE_S):
                await self._ownership.changed.wait()

    async def _until_ownership_changes(self) -> None:
        await self._ownership.changed.wait()
        raise OwnershipChangedError

    async def _until_partitions_may_go_on(self, session: Session) -> None:
        """Begin afresh when a new incident may let a partition go on that was left out."""
        while True:
            if session.left_out and self._gate.incidents != session.incidents:
                raise OwnershipChangedError
            await asyncio.sleep(self._settings.poll_governance_s)

    async def _follow_log(self, session: Session) -> None:
        while True:
            try:
                ages_s = await session.logs.follow()
            except OSError as error:
                self._health.failing("log", str(error))
            else:
                self._telemetry.covered(ages_s, session.logs.pending)
                self._health.ok("log")
            await asyncio.sleep(self._settings.poll_log_s)

    async def _score(self, session: Session, tasks: asyncio.TaskGroup) -> None:
        with no_stray_cancellation("scoring"):
            await self._score_batches(session, tasks)

    async def _score_batches(self, session: Session, tasks: asyncio.TaskGroup) -> NoReturn:
        emission: asyncio.Task[None] | None = None
        emitting = 0
        while True:
            self._health.progress()
            await self._forget_erased(session)
            room = self._room(session, 0 if emission is None or emission.done() else emitting)
            if room <= 0:
                await asyncio.sleep(_HELD_S)
                continue
            most = min(room, self._settings.batch_records)
            fetched = await session.consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=most)
            if not fetched:
                continue
            parcels = await self._decide(session, fetched)
            if emission is not None:
                await emission  # decisions leave in order: one batch at a time
            next_offsets = {where.partition: records[-1].offset + 1 for where, records in fetched.items()}
            emission = tasks.create_task(self._emit(session, parcels, next_offsets))
            emitting = sum(map(len, fetched.values()))
            # More waits: the next batch is scored meanwhile. If not, what comes next is not to be behind two batches.
            if emitting < most / 2:
                await emission

    async def _forget_erased(self, session: Session) -> None:
        doomed = self._custody.doomed
        if doomed:
            self._custody.doomed = set()
            everybody = chain.from_iterable(one.customers for one in session.partitions.values())
            await self._work(lambda: forget_keys(everybody, doomed))

    def _room(self, session: Session, emitting: int) -> int:
        """Return how many records may be decided now, and say in health why none, if it is so."""
        if (closed := self._gate.closed()) is not None:
            self._health.failing("scoring", closed, "stopped")
            return 0
        now_s = time.monotonic()
        logs, limit = session.logs, self._limit
        room = limit.decisions - logs.pending - emitting
        exceeded = logs.exceeds(limit, now_s)
        if exceeded is None and logs.pending >= limit.decisions:
            exceeded = f"{logs.pending} decisions are not in the log, no more are allowed"
        if exceeded is None:
            self._health.ok("scoring")
            return room
        self._health.failing("scoring", exceeded, "stopped")
        if min(logs.age_s(now_s), now_s - session.since_s) > 2 * limit.age_s:
            raise CoverageError(exceeded)  # start afresh: perhaps the log has another decision for that record
        return 0

    async def _decide(self, session: Session, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> list[Parcel]:
        topic, actives = self._settings.source_topic, self._gate.actives
        await self._profiles.ready(actives.activations)
        batches = [(session.partitions[where.partition], records) for where, records in fetched.items()]
        keys = {one.number: await self._chain_keys(session, one, len(records)) for one, records in batches}

        def admit() -> list[tuple[int, list[Row]]]:
            return [(one.number, one.admit(records, actives, keys[one.number])) for one, records in batches]

        admitted = await self._work(admit)
        await self._custody.fill(row.customer for _, rows in admitted for row in rows if row.customer is not None)
        if any(active.vectoriser.asks_profiles for active in actives.activations):
            await self._wait_for_profiles(admitted)
        table = self._profiles.table
        now_ms, transactional = int(time.time() * 1000), session.emitter.transactional

        def decided() -> list[Parcel]:
            return [
                pack(
                    topic,
                    number,
                    decide(topic, number, rows, session.sealer, actives.challengers, table),
                    now_ms,
                    transactional=transactional,
                )
                for number, rows in admitted
            ]

        return await self._work(decided)

    async def _wait_for_profiles(self, admitted: Sequence[tuple[int, Sequence[Row]]]) -> None:
        """Wait, within bounds, until profiles are final for what asks for them; no clock that is ahead is waited for."""
        times_ms = [
            min(row.payment.event_time_ms, row.record.timestamp)
            for _, rows in admitted
            for row in rows
            if row.payment is not None and row.active is not None and row.active.vectoriser.asks_profiles
        ]
        if times_ms:
            await self._profiles.until(max(times_ms) // 1000)

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _between_batches(self, work: Callable[[], T]) -> T:
        return self._worker.submit(work).result()

    async def _chain_keys(self, session: Session, partition: Partition, records: int) -> dict[int, bytes]:
        keys = session.chain_keys[partition.number]
        last = partition.next_sequence + records - 1
        if last // KEY_SPAN not in keys:
            keys |= [await self._custody.chain_key(partition.topic, partition.number, last)]
        return keys

    async def _emit(self, session: Session, parcels: list[Parcel], next_offsets: dict[int, int]) -> None:
        session.logs.emitting()
        leaves = await session.emitter.emit(parcels, lambda: self._check_still_allowed(session))
        session.logs.emitted(leaves, time.monotonic())
        self._ownership.decided(next_offsets)
        self._telemetry.emitted(item for parcel in parcels for item in parcel.decided)

    def _check_still_allowed(self, session: Session) -> None:
        """Raise if time has passed since the batch was fetched and nothing may be decided any more: the process was paused."""
        if (closed := self._gate.closed()) is not None:
            raise GateError(closed)
        if (exceeded := session.logs.exceeds(self._limit, time.monotonic())) is not None:
            raise CoverageError(exceeded)

    def _partitions_detail(self) -> object:
        partitions = self._session.partitions if self._session else {}
        return {
            str(number): {
                "next_sequence": partition.next_sequence,
                "next_offset": partition.next_offset,
                "activation_index": None if partition.active is None else partition.active.index,
                "activation_from_sequence": partition.active_from_sequence,
            }
            for number, partition in partitions.items()
        }

    def _coverage_detail(self) -> object:
        if self._session is None:
            return None
        logs = self._session.logs
        sizes = {origin: head.size for origin, head in logs.heads().items()}
        return {"log_sizes": sizes, "pending": logs.pending, "oldest_s": round(logs.age_s(time.monotonic()), 3)}

    def _profiles_detail(self) -> object:
        table = self._profiles.table
        return {"subjects": len(table), "watermark_s": table.watermark_s, "malformed": table.malformed}

    def _governance_detail(self) -> object:
        actives = self._gate.actives
        challengers = actives.challengers
        return {
            "log_size": self._gate.size,
            "activations": [active.index for active in actives.activations],
            "challengers": [one.index for one in challengers.known if one.index not in challengers.broken],
            "broken_challengers": {str(index): reason for index, reason in challengers.broken.items()},
        }
