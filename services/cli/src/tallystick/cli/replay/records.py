"""Raw transactions to compute features from: those that Kafka retains, or a file of what was sent."""

import asyncio
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from tallystick.cli.replay.raw import Accepted, Finder
from tallystick.cli.stream.encoding import encode_transactions
from tallystick.cli.stream.reading import read_transactions
from tallystick.runtime.kafka import consumer, read_to_end
from tallystick.runtime.settings import KafkaSettings
from tallystick.trust.transactions import Payment, RejectionError, check_fields, decode
from tallystick.verifier.inputs import UnreadableError


class KafkaRecords:
    """A topic's records as far as they are retained; a decision's is at its offset. A partition is held in memory at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    async def of(self, topic: str, partition: int) -> Finder:
        """Return what finds a partition's transactions. Raises UnreadableError."""
        place, found = TopicPartition(topic, partition), dict[int, Payment]()
        reader = consumer(self._settings)
        try:
            await reader.start()
            first = (await reader.beginning_offsets([place]))[place]
            for record in await read_to_end(reader, place, first):
                try:
                    found[record.offset] = check_fields(decode(record.headers, record.value or b""))
                except RejectionError:  # it has no features
                    continue
        except KafkaError as error:
            raise UnreadableError(f"{topic} cannot be read at {self._settings.kafka_bootstrap}: {error}") from error
        finally:
            await reader.stop()
        return lambda decision: found.get(decision.offset)


class FileRecords:
    """A file that `tallystick stream --no-shift` reads; a decision's transaction is the customer's next of its id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[tuple[str, str], list[Payment]] | None = None

    async def of(self, topic: str, partition: int) -> Finder:
        """Return what finds transactions. Raises OSError, ValueError."""
        if self._found is None:
            self._found = _by_name((await asyncio.to_thread(read_transactions, self._path)).table)
        found = self._found

        def find(decision: Accepted) -> Payment | None:
            waiting = found.get(decision.name or ("", ""))
            return waiting.pop(0) if waiting else None

        return find


def _by_name(table: pa.Table) -> dict[tuple[str, str], list[Payment]]:
    found: dict[tuple[str, str], list[Payment]] = defaultdict(list)
    for value in encode_transactions(table):
        try:
            payment = check_fields(decode((), value))
        except RejectionError:
            continue
        found[payment.customer_id, payment.transaction_id].append(payment)
    return found
