"""What a run left behind, read from the servers themselves and checked against each other: the raw input is the measure."""

import asyncio
import base64
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import httpx
from aiokafka import ConsumerRecord, TopicPartition

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.contracts import Decision, EntryKind, LogEntry, Outcome, ReasonCode, Transaction
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import Note
from tallystick.runtime.kafka import consumer, high_watermark, read_to_end
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.chain import CHAIN_START, KEY_SPAN, next_chain, record_digest
from tallystick.trust.decisions import check_decision
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.transactions import decode

TOPICS = ("transactions", "decisions", "evidence", "dead-letter")
Place = tuple[int, int]
"""Partition and offset of an input record."""


@dataclass(repr=False)
class Run:
    """Everything that is on the servers, read under one verified checkpoint a log.

    Attributes:
        checkpoints: of the decisions' logs, by name.
        logs: their entries, in order, by name.
        records: every Kafka record, by topic and partition.
    """

    checkpoints: dict[str, Checkpoint]
    logs: dict[str, list[LogEntry]]
    records: dict[str, dict[int, list[ConsumerRecord]]]

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of the decisions' one log."""
        (checkpoint,) = self.checkpoints.values()
        return checkpoint

    @cached_property
    def entries(self) -> list[LogEntry]:
        """All entries, log by log."""
        return [entry for entries in self.logs.values() for entry in entries]

    @cached_property
    def decisions(self) -> dict[Place, Decision]:
        """The logged decisions, by the place of their input record, log by log in their order."""
        return {place: item for place, (_, item) in self._placed.items()}

    @cached_property
    def index(self) -> dict[Place, int]:
        """Where in its log a decision is."""
        return {place: index for place, (index, _) in self._placed.items()}

    @cached_property
    def _placed(self) -> dict[Place, tuple[int, Decision]]:
        placed = {}
        for entries in self.logs.values():
            for index, entry in enumerate(entries):
                if entry.kind == EntryKind.ENTRY_KIND_DECISION:
                    item = Decision.FromString(entry.value)
                    placed[item.source_partition, item.source_offset] = index, item
        return placed

    @cached_property
    def _by_offset(self) -> dict[tuple[str, int, int], ConsumerRecord]:
        return {
            (topic, partition, record.offset): record
            for topic, partitions in self.records.items()
            for partition, records in partitions.items()
            for record in records
        }

    def record(self, topic: str, partition: int, offset: int) -> ConsumerRecord:
        """Return a record by its offset: between those that are committed there may be others."""
        return self._by_offset[topic, partition, offset]

    def input(self, place: Place) -> ConsumerRecord:
        """Return the input record at a place."""
        return self.record("transactions", *place)

    def key(self, place: Place) -> bytes:
        """Return the key of the input record at a place: in these tests, the table's name comes first in it."""
        return self.input(place).key or b""

    def transaction(self, place: Place) -> Transaction:
        """Return the input record at a place, decoded."""
        record = self.input(place)
        return decode(record.headers, record.value)

    def of(self, name: str) -> dict[str, Decision]:
        """Return the scored decisions of one table of transactions, by what follows its name in the transaction's id."""
        found = {}
        for place, decision in self.decisions.items():
            if decision.outcome != Outcome.OUTCOME_REJECTED:
                transaction_id = self.transaction(place).transaction_id
                if transaction_id.startswith(f"{name}-"):
                    found[transaction_id.removeprefix(f"{name}-")] = decision
        return found

    def margins(self, name: str) -> dict[str, int]:
        """Return the margins' bits of one table of transactions."""
        return {row: decision.margin_bits for row, decision in self.of(name).items()}

    def reason(self, place: Place) -> str:
        """Return in a word why the record at a place was rejected."""
        (reason,) = self.decisions[place].reasons
        return ReasonCode.Name(reason).removeprefix("REASON_CODE_")


def read_run(platform: Platform) -> Run:
    """Wait until every transaction has a decision in the published log; read it all, and check it as `check` says."""
    run = asyncio.run(_read(platform))
    total = sum(map(len, run.records["transactions"].values()))
    if len(run.entries) < total:
        wait_until(lambda: logged(platform) >= total, f"{total:,} decisions in the log")
        run = asyncio.run(_read(platform))
    check(run, platform)
    return run


def read(platform: Platform) -> Run:
    """Read everything as it is now, every log under its verified checkpoint."""
    return asyncio.run(_read(platform))


def published(platform: Platform, log: str = "decisions") -> Checkpoint:
    """Return the published checkpoint of a log, not verified."""
    return Checkpoint.parse(Note.parse((platform.log_dir / log / "checkpoint").read_bytes()).text)


def logged(platform: Platform) -> int:
    """Return how many entries the published decisions logs have."""
    policy = TrustPolicy.load(platform.policy)
    return sum(published(platform, log_name(origin)).size for origin in policy.decisions_origins)


def emitted(platform: Platform) -> int:
    """Return how many records `decisions` holds: what scoring has let out."""

    async def count() -> int:
        async with consumer(platform.kafka, fetch_max_wait_ms=10) as reader:
            return sum([await high_watermark(reader, TopicPartition("decisions", p), 0) for p in range(platform.partitions)])

    return asyncio.run(count())


async def _read(platform: Platform) -> Run:
    policy = TrustPolicy.load(platform.policy)
    read = {log_name(origin): await _read_log(platform, policy, origin) for origin in policy.decisions_origins}
    async with consumer(platform.kafka, fetch_max_wait_ms=10) as reader:
        places = [TopicPartition(topic, number) for topic in TOPICS for number in range(platform.partitions)]
        firsts = await reader.beginning_offsets(places)
        records: dict[str, dict[int, list[ConsumerRecord]]] = {topic: {} for topic in TOPICS}
        for place in places:
            records[place.topic][place.partition] = await read_to_end(reader, place, firsts[place])
    checkpoints = {name: checkpoint for name, (checkpoint, _) in read.items()}
    return Run(checkpoints, {name: entries for name, (_, entries) in read.items()}, records)


async def _read_log(platform: Platform, policy: TrustPolicy, origin: str) -> tuple[Checkpoint, list[LogEntry]]:
    async with LogReader(f"{platform.log_url}/{log_name(origin)}") as log:
        checkpoint = policy.log_policy.verify_checkpoint(await log.checkpoint(), origin).checkpoint
        entries = await log.entries(0, checkpoint.size)
    frontier = Frontier()
    frontier.append(leaf_hash(entry) for entry in entries)
    assert frontier.root() == checkpoint.root, "the entries do not give the signed root"
    return checkpoint, [LogEntry.FromString(entry) for entry in entries]


def check(run: Run, platform: Platform) -> None:
    """Check that each input record has exactly one decision in the log, in order, chained to it, and as it was emitted."""
    policy = TrustPolicy.load(platform.policy)
    assert {entry.kind for entry in run.entries} <= {EntryKind.ENTRY_KIND_DECISION}
    assert len(run.decisions) == len(run.entries), "a record was decided twice"
    by_partition: dict[int, list[Decision]] = {number: [] for number in range(platform.partitions)}
    for name, entries in run.logs.items():
        places = {(topic, partition) for topic in policy.topics for partition in {entry.partition for entry in entries}}
        assert {log_name(policy.decisions_origin(*place)) for place in places} <= {name}, "a partition is in another's log"
    for entry, decision in zip(run.entries, run.decisions.values(), strict=True):
        assert (entry.topic, entry.partition) == ("decisions", decision.source_partition)
        record = run.record("decisions", entry.partition, entry.offset)
        assert (record.value, record.timestamp) == (entry.value, entry.timestamp_ms), "the log is not what was emitted"
        check_decision(decision, policy)
        by_partition[decision.source_partition].append(decision)
    for number, decisions in by_partition.items():
        _check_partition(decisions, run, number, platform)


def _check_partition(decisions: list[Decision], run: Run, number: int, platform: Platform) -> None:
    records = run.records["transactions"][number]
    assert [decision.source_offset for decision in decisions] == [record.offset for record in records]
    assert [decision.sequence for decision in decisions] == list(range(len(records)))
    assert [decision.decided_at_ms for decision in decisions] == [record.timestamp for record in records]
    indexes = [decision.activation_index for decision in decisions if decision.HasField("activation_index")]
    assert indexes == sorted(indexes), "an activation that was superseded decided again"
    chain = CHAIN_START
    keys: dict[int, bytes] = {}
    for decision, record in zip(decisions, records, strict=True):
        epoch = decision.sequence // KEY_SPAN
        if epoch not in keys:
            keys[epoch] = _chain_key(platform, number, epoch)
        digest = record_digest(record.offset, record.timestamp, record.key, record.headers, record.value)
        chain = next_chain(keys[epoch], chain, digest)
        assert decision.chain == chain, f"the chain breaks at {number}/{record.offset}"
    evidence = {sha256(record.value).digest() for record in run.records["evidence"][number]}
    named = {decision.evidence_digest for decision in decisions if decision.outcome != Outcome.OUTCOME_REJECTED}
    assert named <= evidence, "a decision names evidence that is nowhere"


def _chain_key(platform: Platform, partition: int, epoch: int) -> bytes:
    vault = platform.stack.vault
    url = f"{vault.address}/v1/secret/data/chain/transactions/{partition}/{epoch}"
    answer = httpx.get(url, headers={"X-Vault-Token": vault.root_token})
    return base64.b64decode(answer.json()["data"]["data"]["key"])
