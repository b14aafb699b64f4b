"""What part of a decision's time goes where: scoring's core from Kafka's bytes to Kafka's bytes, without a broker.

CPU time of the threads that work, so that what else the machine does counts little. What scoring does row by row is measured
once more by itself, over the same batches, and taken off the step that it is part of.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from hashlib import sha256
from importlib.resources import files
from os import urandom
from random import Random
from statistics import median
from time import thread_time
from typing import Any

import numpy as np
import xgboost
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import RecordMetadata, TopicPartition
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import PolicyStatement, Transaction
from tallystick.rules.policies import Policy
from tallystick.runtime.bare_records import BareRecords, bare
from tallystick.runtime.lenient_records import LenientRecords
from tallystick.runtime.memory import collect_rarely
from tallystick.scoring import sealing
from tallystick.scoring.activations import Active, Actives
from tallystick.scoring.decision_form import DecisionForm
from tallystick.scoring.emission import leaves, pack
from tallystick.scoring.engine import Partition, Row, decide
from tallystick.scoring.model import Model
from tallystick.scoring.records import Limits, parse_transaction
from tallystick.scoring.sealing import Sealer
from tallystick.scoring.vectors import Vectoriser
from tallystick.scoring.windows import DAY_MS
from tallystick.trust.chain import CHAIN_START, Record, record_digest
from tallystick.trust.features import FeatureSchema
from tallystick.trust.keyed_hash import keyed_hash

from . import figures

CUSTOMERS, PER_DAY, HISTORY_DAYS = 5_000, 9_585, 14
BATCH, BATCHES = 2_000, 30
NOT_APPROVED = 0.0076  # of the card stream, by the model and policy that are trained on it
_TOPIC, _KEY, _START_MS = TopicPartition("transactions", 0), bytes(32), 1_700_000_000_000
_LIMITS = Limits(max_value_bytes=60_000, event_time_tolerance_ms=3_600_000)
_ADMITTING, _CHAIN, _PARSING = "windows, and the rest of admitting", "the input chain", "parsing and checking"
_SEALING, _ASIDE = "evidence: encrypting, and the rest", "TreeSHAP of what is not approved (in a thread aside)"


class Stopwatch:
    """CPU microseconds a row by stage; what is measured within another stage is not counted there.

    Attributes:
        batches: one each, by stage.
    """

    def __init__(self) -> None:
        self.batches: list[dict[str, float]] = [{}]
        self._inside = [0.0]

    def measure(self, stage: str, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Return what `work` does, its time added to the batch that is under way."""
        self._inside.append(0.0)
        started = thread_time()
        done = work(*args, **named)
        spent = thread_time() - started
        self._add(stage, spent - self._inside.pop())
        self._inside[-1] += spent
        return done

    def aside(self, stage: str, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Do the same in a thread of its own, for which another waits."""
        started = thread_time()
        done = work(*args, **named)
        self._add(stage, thread_time() - started)
        return done

    @contextmanager
    def watching(self, measure: Callable[..., Any], owner: Any, name: str, stage: str) -> Iterator[None]:
        """Measure a function of the module or class `owner`."""
        work = getattr(owner, name)
        setattr(owner, name, wraps(work)(lambda *args, **named: measure(stage, work, *args, **named)))
        try:
            yield
        finally:
            setattr(owner, name, work)

    def _add(self, stage: str, seconds: float) -> None:
        self.batches[-1][stage] = self.batches[-1].get(stage, 0.0) + seconds * 1e6 / BATCH


def run() -> list[figures.Row]:
    """Measure a batch after the other, and return each stage beside the whole."""
    stopwatch, sealer = Stopwatch(), Sealer(_KEY, urandom)
    stream = _stream(HISTORY_DAYS * PER_DAY // BATCH + BATCHES)
    partition = Partition(_TOPIC.topic, _TOPIC.partition, lambda _: _TOPIC.partition)
    active = _activation()
    for fetched in stream[:-BATCHES]:
        rows = partition.admit(_records(fetched), Actives((active,)), {0: _KEY})
        for customer in (row.customer for row in rows if row.customer is not None and row.customer.cipher is None):
            customer.key_id, customer.cipher = urandom(16), AESGCM(urandom(32))
    actives = Actives((active, replace(active, number=1, policy=_policy(active, rows))))
    collect_rarely()
    with ExitStack() as stack:
        for owner, name, stage in (
            (Vectoriser, "matrix", "the vectors' matrix"),
            (Model, "margins", "XGBoost's margins"),
            (Policy, "rule", "the policy"),
            (Sealer, "seal", _SEALING),
            (sealing, "sha256_each", "evidence: commitments and digest"),
            (DecisionForm, "filled", "the decision's bytes"),
        ):
            stack.enter_context(stopwatch.watching(stopwatch.measure, owner, name, stage))
        stack.enter_context(stopwatch.watching(stopwatch.aside, Model, "contributions", _ASIDE))
        for fetched in stream[-BATCHES:]:
            _batch(stopwatch, fetched, partition, actives, sealer)
            stopwatch.batches.append({})
    return _rows(stopwatch.batches[:-1])


def _batch(stopwatch: Stopwatch, fetched: bytes, partition: Partition, actives: Actives, sealer: Sealer) -> None:
    measure = stopwatch.measure
    records = measure("Kafka batches in", _records, fetched)
    rows = measure(_ADMITTING, partition.admit, records, actives, {0: _KEY})
    measure(_CHAIN, _chained, records)
    measure(_PARSING, lambda: [parse_transaction(each.headers, each.value, each.timestamp, _LIMITS) for each in records])
    decided = measure("the rest of deciding", decide, _TOPIC.topic, _TOPIC.partition, rows, sealer)
    parcel = measure("Kafka batches out", pack, _TOPIC.topic, _TOPIC.partition, decided, _START_MS, transactional=False)
    measure("Kafka batches out", lambda: [batch._build() for some in parcel.batches.values() for batch in some])
    written = [RecordMetadata(*_TOPIC, _TOPIC, 0, -1, 0, 0)] * len(parcel.decisions)
    measure("leaf hashes", leaves, parcel, written)
    spent = stopwatch.batches[-1]
    spent[_ADMITTING] -= spent[_CHAIN] + spent[_PARSING]


def _rows(batches: Sequence[dict[str, float]]) -> list[figures.Row]:
    whole = [sum(batch.values()) for batch in batches]
    stages = {stage: [batch.get(stage, 0.0) for batch in batches] for batch in batches for stage in batch}
    ordered = sorted(stages.items(), key=lambda one: -median(one[1]))
    return [figures.row(f"of a decision: {stage}", "µs CPU", spent, "the whole core", whole) for stage, spent in ordered]


def _records(fetched: bytes) -> list[Record]:
    return list(BareRecords(_TOPIC, LenientRecords(fetched), [], 0, None, bare, True, READ_COMMITTED))


def _chained(records: Sequence[Record]) -> bytes:
    keyed, chain = keyed_hash(_KEY), CHAIN_START
    for each in records:
        chain = keyed(chain + record_digest(each.offset, each.timestamp, each.key, each.headers, each.value))
    return chain


def _stream(batches: int) -> list[bytes]:
    """Return Kafka batches of card payments: one stream in time, each customer twice a day."""
    random, stream = Random(0), []
    for first in range(0, batches * BATCH, BATCH):
        builder = DefaultRecordBatchBuilder(
            2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=1 << 30
        )
        for place in range(BATCH):
            customer, number = str(random.randrange(CUSTOMERS)), first + place
            paid = Transaction(
                transaction_id=str(number),
                customer_id=customer,
                amount_minor=random.randrange(30_000),
                currency="EUR",
                event_time_ms=_START_MS + number * DAY_MS // PER_DAY,
                terminal_id=str(random.randrange(10_000)),
            )
            builder.append(place, paid.event_time_ms, customer.encode(), paid.SerializeToString(), [])
        stream.append(bytes(builder.build()))
    return stream


def _activation() -> Active:
    """Return an activation of the card schema, of a model of 100 trees of depth 6."""
    vectoriser = Vectoriser(FeatureSchema.parse((files("tallystick.contracts") / "features/card-1.json").read_bytes()))
    names, rng = vectoriser.schema.names, np.random.default_rng(0)
    rows = (rng.random((6_000, len(names))) * np.geomspace(300, 3, len(names))).astype(np.float32)
    labels = (rows[:, 0] + 60 * rng.normal(size=len(rows)) > 200).astype(int)
    parameters = {"max_depth": 6, "objective": "binary:logistic", "base_score": 0.5, "nthread": 1, "seed": 0}
    file = bytes(xgboost.train(parameters, xgboost.DMatrix(rows, labels), 100).save_raw("json"))
    digest = sha256(file).digest()
    policy = Policy(PolicyStatement(), names)
    return Active(2, 0, 0, Model(file, digest, len(names)), digest, vectoriser, policy, bytes(32), _LIMITS)


def _policy(active: Active, rows: Sequence[Row]) -> Policy:
    """Return a policy that does not approve as many as usual of such rows."""
    matrix = active.vectoriser.matrix(
        [each.payment.event_time_ms for each in rows if each.payment],
        [each.payment.amount_minor for each in rows if each.payment],
        [each.windows or [] for each in rows],
        [each.attributes or [] for each in rows],
    )
    review, decline = np.quantile(active.model.margins(matrix), (1 - NOT_APPROVED, 1 - NOT_APPROVED / 4))
    return Policy(PolicyStatement(review_margin=review, decline_margin=decline), active.vectoriser.schema.names)
