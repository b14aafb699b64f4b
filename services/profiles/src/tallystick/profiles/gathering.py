"""Transactions and labels into `profile-updates`, divided by subject: plain aiokafka, for Faust's streams are too slow.

One gatherer at a time: whoever owns partition 0 of the updates. Where it stands is what its last updates say. Two at once, in
the moment of a takeover, do no harm: updates name their records' offsets, and a record that a partition has is not taken again.
"""

import logging
import time
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from tallystick.contracts import ProfileUpdate
from tallystick.profiles.progress import Source, stream_time, watermark
from tallystick.profiles.settings import ProfilesSettings
from tallystick.profiles.telemetry import Telemetry
from tallystick.profiles.topics import DEAD_LETTER, UPDATES, partitioner
from tallystick.profiles.updates import Gathered, resume
from tallystick.runtime.health import Health
from tallystick.runtime.kafka import last_record
from tallystick.trust.profiles.entries import EntryError, read_label, read_transaction

_MOST_ENTRIES = 20_000
_POLL_MS = 200
_log = logging.getLogger(__name__)


class Gatherer:
    """Gathers.

    Args:
        settings: the service's settings.
        consumer: reads transactions and labels; started, of no group.
        producer: started.
        partitions: of the updates.
        telemetry: counts.
        health: told of progress.
    """

    def __init__(
        self,
        settings: ProfilesSettings,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        partitions: int,
        telemetry: Telemetry,
        health: Health,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._producer = producer
        self._partitions = partitions
        self._telemetry = telemetry
        self._health = health
        self._gathered = Gathered(partitions, partitioner(partitions))
        self._newest_s: dict[TopicPartition, int] = {}
        self._tolerance_ms = int(settings.transaction_lateness_s * 1000)
        self._stream_s = self._watermark_s = 0

    async def run(self) -> None:
        """Gather until cancelled. Raises KafkaError."""
        await self._begin()
        flushed_s = time.monotonic()
        while True:
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_MOST_ENTRIES)
            self._health.progress("gathering")
            for where, records in fetched.items():
                await self._take(where, records)
            due = time.monotonic() - flushed_s >= self._settings.gather_s
            if due or self._gathered.entries >= _MOST_ENTRIES:
                await self._flush()
                flushed_s = time.monotonic()

    async def _begin(self) -> None:
        """Go on where the last updates end."""
        consumer, settings = self._consumer, self._settings
        last = []
        for number in range(self._partitions):
            record = await last_record(consumer, TopicPartition(UPDATES, number))
            last.append(None if record is None else ProfileUpdate.FromString(record.value))
            self._health.progress("gathering")
        places = [
            TopicPartition(topic, number)
            for topic in (settings.source_topic, settings.labels_topic)
            for number in sorted(await self._producer.partitions_for(topic))
        ]
        first = await consumer.beginning_offsets(places)
        positions = resume(last, ((where.topic, where.partition) for where in places))
        consumer.assign(places)
        for where in places:
            consumer.seek(where, max(first[where], positions[where.topic, where.partition]))
            self._newest_s[where] = 0
        self._watermark_s = max((update.watermark_s for update in last if update is not None), default=0)
        _log.info("gathering", extra={"positions": sum(positions.values()), "watermark_s": self._watermark_s})

    async def _take(self, where: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        labels = where.topic == self._settings.labels_topic
        newest_s, add = self._newest_s[where], self._gathered.add
        for record in records:
            try:
                if labels:
                    entry = read_label(record.value)
                    seen_s = (entry.labelled_at_ms or 0) // 1000
                else:
                    entry = read_transaction(record.headers, record.value, record.timestamp, self._tolerance_ms)
                    # A clock that is ahead must not take the watermark along.
                    seen_s = min(entry.second_s, record.timestamp // 1000)
            except EntryError as error:
                await self._refuse(record, labels=labels, reason=str(error))
                continue
            newest_s = max(newest_s, seen_s)
            add(where.topic, where.partition, record.offset, entry)
        self._newest_s[where] = newest_s
        self._telemetry.gathered("labels" if labels else "transactions", len(records))

    async def _refuse(self, record: ConsumerRecord, *, labels: bool, reason: str) -> None:
        """Keep a label that is none where all dead letters are; of transactions, scoring does."""
        self._telemetry.refused("labels" if labels else "transactions")
        if not labels:
            return
        headers = [
            ("tallystick-reason", reason.encode()),
            ("tallystick-source", f"{record.topic}/{record.partition}/{record.offset}".encode()),
            ("tallystick-timestamp-ms", str(record.timestamp).encode()),
            ("tallystick-key", record.key or b""),
        ]
        letters = len(await self._producer.partitions_for(DEAD_LETTER))
        await self._producer.send_and_wait(DEAD_LETTER, record.value, partition=record.partition % letters, headers=headers)

    async def _flush(self) -> None:
        """Hand on what came, to every partition, if there is anything new to say."""
        sources = {where: await self._source(where) for where in self._newest_s}
        topics = self._settings.source_topic, self._settings.labels_topic
        transactions, labels = (
            {where.partition: source for where, source in sources.items() if where.topic == topic} for topic in topics
        )
        self._stream_s = max(self._stream_s, stream_time(transactions))
        reached_s = watermark(self._stream_s, labels, self._settings.rule, self._settings.lateness)
        if not self._gathered.entries and reached_s <= self._watermark_s:
            return
        self._watermark_s = max(self._watermark_s, reached_s)
        await self._send(await self._positions())

    async def _source(self, where: TopicPartition) -> Source:
        end = self._consumer.highwater(where)
        return Source(self._newest_s[where], end is not None and await self._consumer.position(where) >= end)

    async def _positions(self) -> dict[tuple[str, int], int]:
        return {(where.topic, where.partition): await self._consumer.position(where) for where in self._newest_s}

    async def _send(self, positions: Mapping[tuple[str, int], int]) -> None:
        updates = self._gathered.take(self._watermark_s, positions)
        sent = [await self._producer.send(UPDATES, value, partition=number) for number, value in enumerate(updates)]
        for acknowledged in sent:
            await acknowledged
