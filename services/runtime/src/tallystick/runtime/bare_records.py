"""Kafka records as aiokafka's compiled parser makes them, for a consumer that reads tens of thousands a second.

aiokafka wraps each record into a `ConsumerRecord` of eleven fields, in Python, which takes twice as long as parsing it. What
the parser makes has `offset`, `timestamp`, `key`, `value` and `headers` already; only topic and partition are missing, and
`getmany` says those of a whole batch. A consumer asks for it with `value_deserializer=bare`, which is never called.
"""

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.structs import TopicPartition


def bare(value: bytes | None) -> bytes | None:
    """Say, as a consumer's `value_deserializer`, that its records are to be bare."""
    return value


class BareRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types
    """The records of one fetch from one partition."""

    def _consumer_record(self, tp: TopicPartition, record: Any) -> Any:
        return record if self._value_deserializer is bare else super()._consumer_record(tp, record)


def install() -> None:
    """Have aiokafka's consumers make their records through `BareRecords`; done once, by `tallystick.runtime.kafka`."""
    fetcher.PartitionRecords = BareRecords
