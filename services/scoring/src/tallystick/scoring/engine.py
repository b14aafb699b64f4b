"""The core of scoring: a partition's records in order in, decisions and their evidence out.

Pure but for the customers' ciphers, which the shell fills in between `admit` and `decide`. No wall clock is read; randomness
comes through the sealer.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, cast

import numpy as np

from tallystick.contracts import Decision, Outcome, ReasonCode, Transaction
from tallystick.rules.columns import Batch
from tallystick.scoring.activations import Active, Actives
from tallystick.scoring.challengers import Challengers, Recorded
from tallystick.scoring.customers import Customers
from tallystick.scoring.decision_form import DecisionForm
from tallystick.scoring.disclosures import challengers_content, explanation_content, feature_contents
from tallystick.scoring.profiles import NO_PROFILES, ProfileTable
from tallystick.scoring.records import Limits, parse_transaction
from tallystick.scoring.sealing import Sealer
from tallystick.scoring.vectors import Matrix
from tallystick.scoring.windows import DAY_MS, Customer, digest_of
from tallystick.trust.chain import CHAIN_START, KEY_SPAN, Record, record_digest
from tallystick.trust.keyed_hash import keyed_hash
from tallystick.trust.rulings import marked_stale
from tallystick.trust.transactions import Payment, RejectionError, decode

TOP_CONTRIBUTIONS = 5
APPROVE = int(Outcome.OUTCOME_APPROVE)  # looked up once: protobuf looks a name up in Python, 0.5 microseconds each time
_NO_EXPLANATION = explanation_content(())
# Before any activation nothing is scored, but what can be said of a record's form is said by these.
_WIDEST = Limits(max_value_bytes=60_000, event_time_tolerance_ms=DAY_MS)
_ANY_TIME = Limits(max_value_bytes=60_000, event_time_tolerance_ms=2**62)


@dataclass(slots=True)
class Row:
    """A record on its way to a decision."""

    record: Record
    sequence: int
    chain: bytes
    active: Active | None
    reason: ReasonCode | None = None  # why it is rejected
    payment: Payment | None = None
    customer: Customer | None = None
    windows: list[int] | None = None
    attributes: list[float] | None = None


class Decided(NamedTuple):
    """What is emitted for one record. `rejected` is the record itself, for the dead letters."""

    decision: bytes
    evidence: bytes | None
    rejected: Record | None
    reason: ReasonCode | None
    outcome: int


class Partition:
    """Where one input partition stands: a function of its records so far and of the governance log.

    `active` decides since the record of `active_from_sequence`; None if that was before the partition was taken over.

    Args:
        topic: the input topic.
        number: the partition.
        partition_of: gives the partition that a key belongs on.
    """

    def __init__(self, topic: str, number: int, partition_of: Callable[[bytes], int]) -> None:
        self.topic = topic
        self.number = number
        self.next_offset = 0
        self.next_sequence = 0
        self.chain = CHAIN_START
        self.active: Active | None = None
        self.active_from_sequence: int | None = None
        self._partition_of = partition_of
        self.customers = Customers()

    def admit(self, records: Sequence[Record], actives: Actives, chain_keys: Mapping[int, bytes]) -> list[Row]:
        """Take records in: number and chain them, parse them, move the windows.

        Args:
            records: the partition's next records, in order.
            actives: what the governance log allows.
            chain_keys: the partition's chain keys by sequence // KEY_SPAN.
        """
        rows = []
        active = self.active
        switch_ms = actives.next_switch_ms(active)
        chain, sequence, span_end = self.chain, self.next_sequence, 0
        for record in records:
            if sequence >= span_end:
                span = sequence // KEY_SPAN
                chained, span_end = keyed_hash(chain_keys[span]), (span + 1) * KEY_SPAN
            timestamp = record.timestamp
            if timestamp >= switch_ms:
                switched = actives.at(active, timestamp)
                switch_ms = actives.next_switch_ms(switched)
                if switched is not active:
                    active, self.active_from_sequence = switched, sequence
            chain = chained(chain + record_digest(record.offset, timestamp, record.key, record.headers, record.value))
            row = Row(record, sequence, chain, active)
            try:
                self._observe(row)
            except RejectionError as rejection:
                row.reason = rejection.reason
            rows.append(row)
            sequence += 1
        if records:
            self.next_offset = records[-1].offset + 1
        self.active, self.chain, self.next_sequence = active, chain, sequence
        return rows

    def replay(self, record: Record) -> None:
        """Move the windows by a record that was decided before, and not rejected."""
        self._replay(record, decode(record.headers, record.value or b""))

    def replay_if_sound(self, record: Record) -> None:
        """Move the windows by a record that nobody knows the decision on, unless any policy would have rejected it."""
        with suppress(RejectionError):
            payment = parse_transaction(record.headers, record.value, record.timestamp, _ANY_TIME)
            customer = self._customer(record.key, payment.customer_id)
            if customer is None or not customer.is_repeat(digest_of(payment.transaction_id), payment.event_time_ms):
                self._replay(record, payment)

    def _replay(self, record: Record, transaction: Transaction | Payment) -> None:
        name, time_ms = transaction.customer_id, transaction.event_time_ms
        customer = self._customer(record.key, name) or self.customers.create(name)
        digest = digest_of(transaction.transaction_id)
        self.customers.observe(customer, digest, transaction.currency, time_ms, transaction.amount_minor, ())

    def _observe(self, row: Row) -> None:
        record, active = row.record, row.active
        limits = _WIDEST if active is None else active.limits
        payment = parse_transaction(record.headers, record.value, record.timestamp, limits)
        transaction_id, name, amount_minor, currency, time_ms = payment[:5]
        customer, digest = self._customer(record.key, name), digest_of(transaction_id)
        if customer is not None and customer.is_repeat(digest, time_ms):
            raise RejectionError(ReasonCode.REASON_CODE_TRANSACTION_REPEATED)
        if active is None:
            raise RejectionError(ReasonCode.REASON_CODE_NO_ACTIVE_MODEL)
        vectoriser = active.vectoriser
        row.attributes = vectoriser.attribute_values(payment.attributes)
        if customer is None:  # only now: what is rejected leaves no trace
            customer = self.customers.create(name)
        row.windows = self.customers.observe(customer, digest, currency, time_ms, amount_minor, vectoriser.spans_ms)
        row.payment, row.customer = payment, customer

    def _customer(self, key: bytes | None, name: str) -> Customer | None:
        """Return whose transaction it is, None if the customer is not known. Raises RejectionError if the key is another's."""
        if key is None or key != name.encode():
            raise RejectionError(ReasonCode.REASON_CODE_KEY_MISMATCH)
        customer = self.customers.get(name)
        if customer is None and self._partition_of(key) != self.number:
            raise RejectionError(ReasonCode.REASON_CODE_PARTITION_MISMATCH)
        return customer


def decide(
    topic: str,
    partition: int,
    rows: Sequence[Row],
    sealer: Sealer,
    challengers: Challengers | None = None,
    profiles: ProfileTable = NO_PROFILES,
) -> list[Decided]:
    """Score a partition's admitted rows; every accepted row's customer has its cipher.

    Rows under different activations are scored apart, in order, so no batch mixes models.
    """
    decided: list[Decided] = []
    for active, run in groupby(rows, key=lambda row: row.active):
        decided += _decide_run(topic, partition, list(run), active, sealer, challengers, profiles)
    return decided


def _decide_run(
    topic: str,
    partition: int,
    rows: list[Row],
    active: Active | None,
    sealer: Sealer,
    challengers: Challengers | None,
    profiles: ProfileTable,
) -> list[Decided]:
    accepted = [row for row in rows if row.reason is None]
    scored = iter(_score(topic, partition, accepted, active, sealer, challengers, profiles) if active and accepted else ())
    return [next(scored) if row.reason is None else _reject(topic, partition, row) for row in rows]


def _score(
    topic: str,
    partition: int,
    rows: list[Row],
    active: Active,
    sealer: Sealer,
    challengers: Challengers | None,
    profiles: ProfileTable,
) -> list[Decided]:
    payments = cast("list[Payment]", [row.payment for row in rows])
    sequences = [row.sequence for row in rows]
    times_ms = [row.record.timestamp for row in rows]
    vectoriser = active.vectoriser
    profiled = vectoriser.profiled(profiles, payments) if vectoriser.asks_profiles else None
    matrix = vectoriser.matrix(
        [payment.event_time_ms for payment in payments],
        [payment.amount_minor for payment in payments],
        cast("list[list[int]]", [row.windows for row in rows]),
        cast("list[list[float]]", [row.attributes for row in rows]),
        () if profiled is None else profiled.windows,
    )
    margins = active.model.margins(matrix)
    rulings = active.policy.rule(Batch(margins, matrix, payments, times_ms))
    found = [ruling.outcome for ruling in rulings]
    schema_digest = vectoriser.schema.digest
    recorded = challengers.ask(schema_digest, matrix, times_ms) if challengers else None
    vectors = matrix.astype("<f4", copy=False)
    features = feature_contents(schema_digest, vectors.tobytes(), vectors[0].nbytes)
    if profiled is not None:
        features = [vector + versions for vector, versions in zip(features, profiled.contents, strict=True)]
        rulings = [marked_stale(ruling) if stale else ruling for ruling, stale in zip(rulings, profiled.stale, strict=True)]
    sealed = sealer.seal(
        partition,
        sequences,
        payments,
        cast("list[Customer]", [row.customer for row in rows]),
        features,
        _explanations(active, matrix, found, recorded),
        active.policy.attributes,
    )
    values = DecisionForm(topic, partition, active).filled(
        [row.record.offset for row in rows],
        sequences,
        [row.chain for row in rows],
        times_ms,
        rulings,
        margins,
        sealed.digests,
        sealed.commitments,
    )
    return [
        Decided(value, evidence, None, None, outcome)
        for value, evidence, outcome in zip(values, sealed.values, found, strict=True)
    ]


def _explanations(
    active: Active, matrix: Matrix, found: Sequence[int], recorded: Sequence[Recorded] | None
) -> Callable[[], list[bytes]]:
    """Begin with the `explanation` group of each row; TreeSHAP is slow, so an approval's has only its challengers."""
    unapproved = [place for place, outcome in enumerate(found) if outcome != APPROVE]
    contributions = active.model.contributions_meanwhile(matrix[unapproved]) if unapproved else list

    def explanations() -> list[bytes]:
        explained = [_NO_EXPLANATION] * len(found)
        names = active.vectoriser.schema.names
        for place, shares in zip(unapproved, contributions(), strict=True):
            top = np.argsort(-np.abs(shares), kind="stable")[:TOP_CONTRIBUTIONS]
            explained[place] = explanation_content([(names[column], float(shares[column])) for column in top])
        if recorded is not None:
            explained = [said + challengers_content(one) for said, one in zip(explained, recorded, strict=True)]
        return explained

    return explanations


def _reject(topic: str, partition: int, row: Row) -> Decided:
    active, reason = row.active, cast("ReasonCode", row.reason)
    decision = Decision(
        source_topic=topic,
        source_partition=partition,
        source_offset=row.record.offset,
        sequence=row.sequence,
        chain=row.chain,
        decided_at_ms=row.record.timestamp,
        outcome=Outcome.OUTCOME_REJECTED,
        reasons=[reason],
        policy_digest=b"" if active is None else active.policy_digest,
        activation_index=None if active is None else active.index,
    )
    return Decided(decision.SerializeToString(), None, row.record, reason, Outcome.OUTCOME_REJECTED)
