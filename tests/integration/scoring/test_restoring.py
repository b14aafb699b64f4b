"""Starting from the newest snapshot that is whole and that `decisions` agree with, and past all others."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from tallystick.contracts import Decision, Outcome, Transaction
from tallystick.runtime import kafka
from tallystick.runtime.health import Health
from tallystick.scoring import restoring
from tallystick.scoring.customers import dump
from tallystick.scoring.engine import Partition
from tallystick.scoring.logs import FollowedLogs
from tallystick.scoring.position import History, Logged, Positions, rebuild
from tallystick.scoring.restoring import Restorer, find_decision
from tallystick.scoring.snapshot_stores import DirectoryStore
from tallystick.scoring.snapshots import LAYOUT, Header, encode
from tallystick.scoring.snapshotting import COMPONENT, Schedule, Snapshotter

from ..stack import ProvisionedStack

_NOW_MS = 1_700_000_000_000
_DECIDED = 40
_REJECTED = (12, 33)


class _Keys:
    async def new_wrapped_key(self) -> tuple[bytes, str]:
        return bytes(32), "wrapped"

    async def unwrapped_key(self, wrapped: str) -> bytes:
        return bytes(32) if wrapped == "wrapped" else bytes(31)


def _transaction(number: int) -> bytes:
    if number in _REJECTED:
        return b"\xff broken"
    return Transaction(
        transaction_id=f"tx-{number}",
        customer_id=("ann", "bob", "eve")[number % 3],
        amount_minor=100 + number,
        currency="EUR",
        event_time_ms=_NOW_MS + number,
    ).SerializeToString()


def _chain(sequence: int) -> bytes:
    return sha256(b"%d" % sequence).digest()


def _decision(number: int) -> Decision:
    outcome = Outcome.OUTCOME_REJECTED if number in _REJECTED else Outcome.OUTCOME_APPROVE
    return Decision(
        source_topic="transactions",
        source_offset=number,
        sequence=number,
        outcome=outcome,
        chain=_chain(number),
        activation_index=5,
    )


@pytest.fixture
async def reader(fresh_stack: ProvisionedStack) -> AsyncIterator[AIOKafkaConsumer]:
    """Fill a partition, and start a consumer without an assignment."""
    async with kafka.producer(fresh_stack.kafka_settings()) as producer:
        for number in range(_DECIDED + 5):
            key = ("ann", "bob", "eve")[number % 3].encode()
            await producer.send("transactions", _transaction(number), key=key, partition=0)
        await producer.send("decisions", b"\xff nobody's", partition=0)
        for number in (*range(20), *range(17, _DECIDED)):  # three of them twice
            await producer.send("decisions", _decision(number).SerializeToString(), partition=0)
        await producer.flush()
    async with kafka.consumer(fresh_stack.kafka_settings(), fetch_max_wait_ms=20) as started:
        yield started


def _partition() -> Partition:
    return Partition("transactions", 0, lambda _: 0)


class _Active:
    index = 5


async def _snapshot(store: DirectoryStore, next_sequence: int) -> str:
    """Take a snapshot as it is after so many decisions, and return its name."""
    partition = _partition()
    for number in range(next_sequence):
        if number not in _REJECTED:
            key = ("ann", "bob", "eve")[number % 3].encode()
            partition.replay(_Record(number, key, _transaction(number)))
    partition.next_offset = partition.next_sequence = next_sequence
    partition.chain, partition.active = _chain(next_sequence - 1), _Active()  # type: ignore[assignment]  # its index is read
    snapshotter = Snapshotter(store, _Keys(), Schedule(1, 1, 10**10), Health("test"))
    return (await snapshotter.take(partition, lambda work: work())).name


class _Record:
    timestamp = _NOW_MS
    headers = ()

    def __init__(self, offset: int, key: bytes, value: bytes) -> None:
        self.offset, self.key, self.value = offset, key, value


async def _history(reader: AIOKafkaConsumer, since: int | None, logged: int) -> History:
    positions = Positions(None, "", FollowedLogs({}), "transactions")  # type: ignore[arg-type]  # no notary is asked
    decision = _decision(logged)
    return await positions.history(reader, 0, Logged(decision, b"", 1 + logged), lambda: None, since)


def _contents(partition: Partition) -> dict[str, bytes]:
    return {name: dump(customer) for name, customer in partition.customers._known.items()}


async def test_a_partition_starts_from_the_newest_good_snapshot(
    fresh_stack: ProvisionedStack, reader: AIOKafkaConsumer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past broken, truncated, foreign, disagreeing and too new ones; and what comes of it is what a full rebuild comes to."""
    monkeypatch.setattr("tallystick.scoring.snapshotting.KEPT", 100)
    store, health = DirectoryStore(tmp_path), Health("test", [COMPONENT])
    whole = _partition()
    monkeypatch.setattr("tallystick.scoring.position.decision_leaf", lambda *_: b"")
    await rebuild(reader, whole, await _history(reader, None, 38), lambda: None)

    names = [await _snapshot(store, at) for at in (5, 15, 30, 36)]
    await _snapshot(store, _DECIDED + 2)  # of decisions that never came to be
    as_if = Header("transactions", 0, 39, 39, _chain(38).hex(), 5, 1, LAYOUT, "wrapped")
    shutil.copyfile(tmp_path / names[0], tmp_path / as_if.name)
    for place, header in enumerate(
        (
            replace(as_if, chain="00" * 32),
            replace(as_if, activation_index=4),
            replace(as_if, next_offset=38),
            replace(as_if, partition=1),
            replace(as_if, topic="others"),
        )
    ):
        store.write(replace(as_if, made_ms=place + 2).name, encode(replace(header, made_ms=place + 2), bytes(32), [b""]))

    async def restored() -> tuple[int | None, Partition]:
        partition = _partition()
        return await Restorer(store, _Keys(), health).restore(partition, reader, lambda: None), partition

    for name, damage in (
        (names[3], slice(-40, -39)),
        (names[2], slice(-1, None)),
        (names[1], slice(0, 0)),
    ):
        since, partition = await restored()
        sequence = int(name.rpartition("/")[2][:20])
        assert (partition.next_sequence, partition.next_offset) == (sequence, sequence)
        history = await _history(reader, since, 38)
        assert history.rejected == {number for number in _REJECTED if number >= sequence}
        await rebuild(reader, partition, history, lambda: None)
        assert (partition.next_offset, partition.next_sequence, partition.chain) == (40, 40, _chain(39))
        assert _contents(partition) == _contents(whole)
        assert len((await _history(reader, since, 3)).unlogged) == _DECIDED - 4  # what coverage waits for is read all the same
        data = bytearray((tmp_path / name).read_bytes())
        del data[damage]
        (tmp_path / name).write_bytes(data)
    (tmp_path / names[1]).unlink()
    (tmp_path / names[0]).unlink()
    assert (await restored())[0] is None
    nowhere = Restorer(DirectoryStore(tmp_path / names[2]), _Keys(), health)
    assert await nowhere.restore(_partition(), reader, lambda: None) is None
    assert "not answering" in health.state(COMPONENT)

    for near in (2, 1_000):
        monkeypatch.setattr(restoring, "_NEAR", near)
        for sequence in (0, 16, 39):
            found = await find_decision(reader, _partition(), sequence)
            assert found is not None
            assert found.decision == _decision(sequence)
        assert await find_decision(reader, _partition(), _DECIDED) is None
    assert await find_decision(reader, Partition("transactions", 1, lambda _: 1), 0) is None
