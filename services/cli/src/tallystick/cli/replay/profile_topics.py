"""What profiles were made of, from the brokers: `profile-updates` for the order, the input and the labels for what it was."""

from collections.abc import Callable, Collection

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from google.protobuf.message import DecodeError

from tallystick.cli.replay.places import NEVER_S, Gathered
from tallystick.cli.replay.profiled import History, Updates
from tallystick.contracts import ProfileUpdate
from tallystick.runtime.kafka import batches_to_end, consumer, partitions_of
from tallystick.runtime.settings import KafkaSettings
from tallystick.trust.profiles.entries import Entry, EntryError, read_label, read_transaction
from tallystick.trust.profiles.subject import DAY_S, Rule
from tallystick.verifier.inputs import UnreadableError

UPDATES = "profile-updates"


class ProfileTopics:
    """The topics, as far as they are retained; all of the input's and the labels' entries are held in memory.

    Args:
        settings: how to reach Kafka.
        labels: the labels' topic.
        lead_s: what the service's TALLYSTICK_LABEL_LEAD_S is.
        lateness_s: what its TALLYSTICK_TRANSACTION_LATENESS_S is.
    """

    def __init__(self, settings: KafkaSettings, labels: str, lead_s: int, lateness_s: int) -> None:
        self._settings = settings
        self._labels = labels
        self._lead_s = lead_s
        self._lateness_s = lateness_s

    async def read(self, inputs: Collection[str]) -> History:
        """Return everything, of these input topics. Raises UnreadableError."""
        reader = consumer(self._settings)
        try:
            await reader.start()
            updates = [await _updates(reader, place) for place in await _partitions(reader, UPDATES)]  # what they name is there
            gathered = Gathered(len(updates), _partitioner(len(updates)))
            for topic in sorted(inputs):
                for place in await _partitions(reader, topic):
                    await self._gather(reader, place, gathered, self._transaction, self._lateness_s)
            for place in await _partitions(reader, self._labels):
                await self._gather(reader, place, gathered, lambda record: read_label(record.value), 0)
        except KafkaError as error:
            raise UnreadableError(
                f"what profiles are made of cannot be read at {self._settings.kafka_bootstrap}: {error}"
            ) from error
        finally:
            await reader.stop()
        return History(gathered, updates, lambda days: Rule(days * DAY_S, self._lead_s, 0))

    def _transaction(self, record: ConsumerRecord) -> Entry:
        return read_transaction(record.headers, record.value, record.timestamp, self._lateness_s * 1000)

    async def _gather(
        self,
        reader: AIOKafkaConsumer,
        place: TopicPartition,
        gathered: Gathered,
        read: Callable[[ConsumerRecord], Entry],
        ahead_s: int,
    ) -> None:
        """Take a partition in; if it has lost its beginning, what it lost is from before its first record, or as far ahead."""
        source, lost_to_s = (place.topic, place.partition), 0
        first = (await reader.beginning_offsets([place]))[place]
        if first > 0:
            lost_to_s = NEVER_S
        async for records in batches_to_end(reader, place, first):
            if lost_to_s == NEVER_S and records:
                lost_to_s = records[0].timestamp // 1000 + ahead_s + 1
            for record in records:
                try:
                    gathered.add(source, record.offset, read(record))
                except EntryError:  # the service takes it for none, too
                    continue
        gathered.has(source, lost_to_s)


async def _partitions(reader: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = await partitions_of(reader, topic)
    if not numbers:
        raise UnreadableError(f"there is no topic {topic} at these brokers: what comes from profiles cannot be computed")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def _updates(reader: AIOKafkaConsumer, place: TopicPartition) -> Updates:
    first, found = (await reader.beginning_offsets([place]))[place], []
    async for records in batches_to_end(reader, place, first):
        for record in records:
            try:
                found.append((record.offset, ProfileUpdate.FromString(record.value or b"")))
            except DecodeError:  # the service goes on without it
                found.append((record.offset, ProfileUpdate()))
    return found


def _partitioner(partitions: int) -> Callable[[bytes], int]:
    return lambda key: (murmur2(key) & 0x7FFFFFFF) % partitions
