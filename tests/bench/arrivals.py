"""How fast a program puts records out: the topic's end, looked at ten times a second while the program works.

Nothing of the program is trusted or touched: what counts is what the broker has, and CPU time is the kernel's word.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]  # documented as there

from tallystick.embedded.process import Child

EVERY_S = 0.1
WARM_SHARE = 0.25
"""The first quarter of what a program puts out is its warm-up, and counts for nothing."""

_START_S = 60.0
_LEADERS_S = 30.0
_STILL_S = 3.0
_MILLION = 1_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class StandstillError(RuntimeError):
    """A program put nothing out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: the time, the sum of the partitions' ends, and each process's CPU time so far."""

    at_s: float
    end: int
    cpu_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was seen after the warm-up.

    Attributes:
        per_s: records a second.
        cpu_s_per_million: CPU seconds for a million records, by process.
    """

    per_s: float
    cpu_s_per_million: Mapping[str, float]


def client(bootstrap: str) -> dict[str, str | int | float | bool]:
    """Return how a client reaches the brokers, in silence: what goes wrong is raised, or shows in the figures."""
    return {"bootstrap.servers": bootstrap, "log_level": 0}


def ends_of(bootstrap: str, topic: str, partitions: int) -> list[int]:
    """Return a topic's ends by partition, as a reader of committed records sees them."""
    return _ends_of(AdminClient(client(bootstrap)), topic, partitions)


def _ends_of(admin: AdminClient, topic: str, partitions: int) -> list[int]:
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # it has no types
    answers = admin.list_offsets(
        {TopicPartition(topic, number): latest for number in range(partitions)}, isolation_level=IsolationLevel.READ_COMMITTED
    )
    ends = {where.partition: answer.result().offset for where, answer in answers.items()}
    return [ends[number] for number in range(partitions)]


class Watch:
    """Looks at what comes to a topic from now on. To be made before the program starts, for connecting takes a while.

    Not more than a marker in each partition is nothing yet: who takes partitions over exactly once leaves one.

    Args:
        bootstrap: the brokers.
        topic: where the program writes.
        partitions: of the topic.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._admin = AdminClient(client(bootstrap))
        self._topic = topic
        self._partitions = partitions
        self._before = 0
        self._before = self._end()

    def until(self, pids: Mapping[str, int], program: Child, *, limit_s: float, enough: int | None = None) -> list[Sample]:
        """Look until there is enough in the topic, it stands still, or `limit_s` have passed.

        Args:
            pids: processes whose CPU time is of interest, by name.
            program: writes to the topic.
            limit_s: counted from the first record.
            enough: the end at which there is nothing more to come; None where markers take offsets too.

        Raises:
            StandstillError: if nothing comes, or the program ends; with the last lines of its log.
        """
        begun_s = time.monotonic()
        samples: list[Sample] = []
        while True:
            sample = Sample(time.monotonic(), self._end(), {name: cpu_s(pid) for name, pid in pids.items()})
            if not program.is_alive:
                ended = f"{program.name} ended with code {program.exit_code} before {self._topic} was done"
                raise StandstillError(f"{ended}.\n{program.log_tail()}")
            if samples or sample.end > self._partitions:
                samples.append(sample)
            elif sample.at_s - begun_s > _START_S:
                raise StandstillError(f"nothing came to {self._topic} within {_START_S:g} s.\n{program.log_tail()}")
            if samples and (sample.at_s - samples[0].at_s > limit_s or sample.end == enough or _still_s(samples) > _STILL_S):
                return samples
            time.sleep(EVERY_S)

    def _end(self) -> int:
        return sum(_ends_of(self._admin, self._topic, self._partitions)) - self._before


def _still_s(samples: Sequence[Sample]) -> float:
    newest = samples[-1]
    return newest.at_s - next(sample.at_s for sample in samples if sample.end == newest.end)


def throughput(samples: Sequence[Sample], records: int | None = None) -> Throughput:
    """Return the throughput after the warm-up.

    Args:
        samples: of one run.
        records: how many records there are in the end; the rest of the offsets are transactions' markers. None: no markers.

    Raises:
        StandstillError: if there are too few samples to say anything.
    """
    end = samples[-1].end
    share = 1.0 if records is None else records / end
    warm = next(sample for sample in samples if sample.end >= WARM_SHARE * end)
    last = next(sample for sample in samples if sample.end == end)
    counted = (last.end - warm.end) * share
    if counted <= 0 or last.at_s <= warm.at_s:
        raise StandstillError("all of it came at once: give it more records")
    cpu = {name: (last.cpu_s[name] - warm.cpu_s[name]) * _MILLION / counted for name in last.cpu_s}
    return Throughput(counted / (last.at_s - warm.at_s), cpu)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds, user and system, that a process has used (proc(5), stat)."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:  # noqa: PTH123  ten times a second
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    """Create a topic that keeps what it is given, however old its time stamps, and wait for its leaders.

    Raises:
        KafkaException: if the broker refuses.
    """
    admin = AdminClient(client(bootstrap))
    for future in admin.create_topics([NewTopic(name, partitions, 1, config={"retention.ms": "-1"})]).values():
        future.result()
    deadline_s = time.monotonic() + _LEADERS_S
    while True:
        try:
            _ends_of(admin, name, partitions)
        except KafkaException:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(EVERY_S)
        else:
            return


def read(bootstrap: str, topic: str, partitions: int) -> list[list[tuple[int, bytes]]]:
    """Return offset and value of everything committed in a topic, by partition. Raises KafkaException."""
    consumer = Consumer(
        client(bootstrap)
        | {
            "group.id": "bench-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list[list[tuple[int, bytes]]] = [[] for _ in range(partitions)]
    ended = set[int | None]()
    while len(ended) < partitions:
        for message in consumer.consume(10_000, timeout=0.5):
            error = message.error()
            if error is None:
                found[message.partition() or 0].append((message.offset() or 0, message.value() or b""))
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise KafkaException(error)
    consumer.close()
    return found
