"""From Kafka to PostgreSQL, each record once: positions live in the database and move with the rows; and, beside it, `digests`.

Any failure drops the consumer and the connection and starts over from the positions: there is no second path for recovery.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from tallystick.audit.ingest.digests import Digester
from tallystick.audit.ingest.rows import Rows, rows_of
from tallystick.audit.ingest.settings import IngestSettings
from tallystick.audit.ingest.store import EvidenceStore
from tallystick.audit.ingest.telemetry import Telemetry
from tallystick.runtime import kafka
from tallystick.runtime.backoff import Backoff, is_transient, retry
from tallystick.runtime.cancellation import no_stray_cancellation
from tallystick.runtime.database import connect_options
from tallystick.runtime.health import Health

DATABASE = "database"
KAFKA = "kafka"
POLL_MS = 500
MAX_FETCH_BYTES = 4 * 2**20
WRITE_TIMEOUT_S = 10.0
END_EVERY_S = 5.0
_log = logging.getLogger(__name__)


class StandbyError(OSError):
    """Another ingest is the writer; this one waits for it to go."""


class TopicMissingError(OSError):
    """The evidence topic does not exist (yet)."""


class TopicReplacedError(Exception):
    """The topic ends before our position: it was made anew, and its offsets no longer mean what they did. A person decides."""


async def ingest(settings: IngestSettings, health: Health) -> None:
    """Copy the evidence topic into the database until cancelled, whatever stops answering meanwhile.

    Raises:
        TopicReplacedError: and whatever else waiting does not repair.
    """
    telemetry = Telemetry(health)
    backoff, failures = Backoff(), 0
    while True:
        try:
            with no_stray_cancellation("copying"):
                async with (
                    _open_store(settings, health) as store,
                    kafka.started(lambda: _consumer(settings), health, KAFKA) as consumer,
                    kafka.started(lambda: kafka.producer(settings), health, KAFKA) as producer,
                ):
                    copier = Copier(settings, store, consumer, telemetry)
                    digester = Digester(store, producer, settings.governance_topic, settings.access_digest_s)
                    await copier.start()
                    watching = asyncio.create_task(kafka.watch(consumer, health, component=KAFKA))
                    try:
                        while True:
                            await copier.copy()
                            await digester.turn()
                            await copier.end()
                            failures = 0
                            health.progress()
                    finally:
                        watching.cancel()
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("starting over from the stored positions: %s", error or type(error).__name__)
        health.progress()
        await asyncio.sleep(backoff.delay_s(failures))
        failures += 1


class Copier:
    """Copies from one consumer into one store; after any error both must be dropped."""

    def __init__(
        self, settings: IngestSettings, store: EvidenceStore, consumer: AIOKafkaConsumer, telemetry: Telemetry
    ) -> None:
        self._topic = settings.evidence_topic
        self._batch_records = settings.batch_records
        self._store = store
        self._consumer = consumer
        self._telemetry = telemetry
        self._retention_s = settings.evidence_retention_s
        self._end_at_s = 0.0
        self._positions: dict[int, int] = {}

    async def start(self) -> None:
        """Take up every partition where the store left it, at its beginning if it is new."""
        numbers = await kafka.partitions_of(self._consumer, self._topic)
        if not numbers:
            raise TopicMissingError(f"there is no topic {self._topic}")
        self._consumer.assign([TopicPartition(self._topic, number) for number in numbers])
        first = await self._first_offsets()
        known = await self._store.positions()
        self._positions = {number: known.get(number, offset) for number, offset in first.items()}
        await self._skip_deleted(first)
        for number, offset in self._positions.items():
            self._consumer.seek(TopicPartition(self._topic, number), offset)
        _log.info("copying evidence", extra={"topic": self._topic, "positions": self._positions})

    async def copy(self) -> None:
        """Copy one batch of all partitions in one transaction, waiting a little for one."""
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=self._batch_records)
        except OffsetOutOfRangeError:
            await self._recover_range()
            return
        self._note_lag()
        if not fetched:
            await self._store.ask()  # nothing to write, and still to be said at once if nothing could be written
            return
        rows = rows_of(record for records in fetched.values() for record in records)
        moved = {partition.partition: records[-1].offset + 1 for partition, records in fetched.items()}
        await self._store.write(rows, moved)
        self._positions |= moved
        self._report(rows)

    async def end(self) -> None:
        """Delete now and then what is past its retention."""
        if time.monotonic() >= self._end_at_s:
            await self._store.end(round((time.time() - self._retention_s) * 1000))
            self._end_at_s = time.monotonic() + END_EVERY_S

    async def _first_offsets(self) -> dict[int, int]:
        first = await self._consumer.beginning_offsets(list(self._consumer.assignment()))
        return {partition.partition: offset for partition, offset in first.items()}

    async def _skip_deleted(self, first: dict[int, int]) -> list[int]:
        """Go past what the broker deleted before it was read, leaving a row that says so; gives the partitions that moved."""
        gaps = [number for number, offset in first.items() if self._positions[number] < offset]
        for number in gaps:
            span = {"partition": number, "from_offset": self._positions[number], "to_offset": first[number]}
            _log.error("evidence was deleted by the broker before it was read", extra=span)
            await self._store.skip(number, self._positions[number], first[number])
            self._telemetry.gaps.inc(first[number] - self._positions[number])
            self._positions[number] = first[number]
        return gaps

    async def _recover_range(self) -> None:
        moved = await self._skip_deleted(await self._first_offsets())
        if not moved:
            raise TopicReplacedError(f"{self._topic} no longer has the offsets {self._positions}: was it made anew?")
        for number in moved:
            self._consumer.seek(TopicPartition(self._topic, number), self._positions[number])

    def _note_lag(self) -> None:
        lag = {}
        for number, position in self._positions.items():
            end = self._consumer.highwater(TopicPartition(self._topic, number))
            if end is not None and end < position:
                raise TopicReplacedError(
                    f"{self._topic}/{number} ends at {end}, before the stored position {position}: was the topic made anew? "
                    "What audit.evidence and audit.positions hold belongs to the old one"
                )
            lag[number] = 0 if end is None else end - position
        self._telemetry.stand(self._positions, lag)

    def _report(self, rows: Rows) -> None:
        self._telemetry.written.inc(len(rows.evidence))
        if rows.malformed:
            self._telemetry.malformed.inc(len(rows.malformed))
            places = [{"partition": row[0], "offset": row[1], "reason": row[2]} for row in rows.malformed[:10]]
            _log.warning(
                "records that are no evidence were kept aside", extra={"count": len(rows.malformed), "first_places": places}
            )


@contextlib.asynccontextmanager
async def _open_store(settings: IngestSettings, health: Health) -> AsyncIterator[EvidenceStore]:
    options = connect_options(settings) | {"command_timeout": WRITE_TIMEOUT_S}

    async def connect() -> tuple[asyncpg.Connection, EvidenceStore]:
        connection = await asyncpg.connect(**options, server_settings={"application_name": "tallystick-audit-ingest"})
        try:
            store = EvidenceStore(connection, settings.evidence_topic)
            if not await store.acquire():
                raise StandbyError("another ingest is the writer; standing by")
        except BaseException:
            connection.terminate()
            raise
        return connection, store

    connection, store = await retry(connect, health=health, component=DATABASE)
    try:
        yield store
    finally:
        connection.terminate()  # does not wait for a server that hangs; an open transaction is rolled back there


def _consumer(settings: IngestSettings) -> AIOKafkaConsumer:
    return kafka.consumer(settings, fetch_max_wait_ms=POLL_MS, max_partition_fetch_bytes=MAX_FETCH_BYTES)
