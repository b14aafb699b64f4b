"""The core as a whole: numbers, chain, bytes; the same ones however the records come in batches."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from struct import pack

import pytest

from tallystick.contracts import Outcome, ReasonCode
from tallystick.scoring.engine import Decided, Partition, decide
from tallystick.scoring.windows import DAY_MS
from tallystick.trust.chain import KEY_SPAN
from tallystick.trust.decisions import check_decision, check_outcome
from tallystick.trust.features import FeatureSchema

from ..trust.helpers import trust_policy
from . import reference
from .world import (
    CARD,
    CHAIN_KEYS,
    COMPONENTS,
    NOW_MS,
    PARTITION,
    TOPIC,
    FakeRecord,
    Scorer,
    active,
    actives,
    decisions,
    fill,
    record,
    stream,
)

RECORDS = stream(300)
# The second one switches in the middle of most batches, to another model under another policy.
SWITCHING = actives(active(), active(1, NOW_MS + 150 * DAY_MS // 12, review_margin=-0.5))


def outputs(decided: Sequence[Decided]) -> list[tuple[bytes, bytes | None]]:
    """Return what is emitted."""
    return [(item.decision, item.evidence) for item in decided]


@pytest.fixture(scope="module")
def expected() -> list[tuple[bytes, bytes | None]]:
    """Decide the stream row by row with plain messages."""
    rows = Partition(TOPIC, PARTITION, lambda _: PARTITION).admit(RECORDS, SWITCHING, CHAIN_KEYS)
    return reference.decide(rows, Random(0).randbytes)


@pytest.mark.parametrize("size", [1, 7, 64, len(RECORDS)])
def test_output_is_that_of_the_reference_whatever_the_batches(size: int, expected: list[tuple[bytes, bytes | None]]) -> None:
    """Decisions and evidence equal, to the byte, those made row by row under the same randomness."""
    assert outputs(Scorer(SWITCHING).score_by(size, RECORDS)) == expected


def test_no_records_make_no_decisions() -> None:
    """An empty batch moves nothing."""
    scorer = Scorer()
    assert scorer.score([]) == []
    assert (scorer.partition.next_offset, scorer.partition.next_sequence) == (0, 0)


def test_the_stream_holds_every_outcome() -> None:
    """The tests over the stream see approvals, reviews, declines and rejections for several reasons."""
    decided = Scorer(SWITCHING).score(RECORDS)
    assert {item.outcome for item in decided} == {1, 2, 3, 4}
    assert len({item.reason for item in decided}) >= 4


def test_every_record_has_one_decision_in_order() -> None:
    """Sequences count from 0 without gaps, offsets and times are the records' own, though offsets have gaps."""
    records = [replace(made, offset=7 + 3 * made.offset) for made in RECORDS]
    scorer = Scorer(SWITCHING)
    found = decisions(scorer.score_by(64, records))
    assert [decision.sequence for decision in found] == list(range(len(records)))
    assert [decision.source_offset for decision in found] == [made.offset for made in records]
    assert [decision.decided_at_ms for decision in found] == [made.timestamp for made in records]
    assert scorer.partition.next_sequence == len(records)
    assert scorer.partition.next_offset == records[-1].offset + 1
    assert scorer.partition.chain == found[-1].chain


def test_chain_can_be_recomputed_from_the_records() -> None:
    """By HMAC and SHA-256 alone, over a length-prefixed form written out here; null and empty differ."""
    records = [
        *RECORDS[:20],
        FakeRecord(20, -1, None, None),
        FakeRecord(21, 0, b"", b""),
        FakeRecord(22, 0, b"k", b"v", (("a", None), ("a", b""), ("ä", b"x"))),
    ]
    chain = bytes(32)
    for made, decision in zip(records, decisions(Scorer().score_by(7, records)), strict=True):
        encoded = pack(">qq", made.offset, made.timestamp) + prefixed(made.key) + pack(">I", len(made.headers))
        for name, value in made.headers:
            encoded += prefixed(name.encode()) + prefixed(value)
        encoded += prefixed(made.value)
        chain = hmac.new(CHAIN_KEYS[0], chain + hashlib.sha256(encoded).digest(), hashlib.sha256).digest()
        assert decision.chain == chain


def prefixed(field: bytes | None) -> bytes:
    """Return a field with its length before it; null has a length of its own."""
    return b"\xff\xff\xff\xff" if field is None else pack(">I", len(field)) + field


def test_chain_key_changes_with_its_span() -> None:
    """The key of a sequence is that of its span, in the middle of a batch too."""
    scorer = Scorer()
    scorer.partition.next_sequence = KEY_SPAN - 1
    keys = {0: b"a" * 32, 1: b"b" * 32}
    rows = scorer.partition.admit(RECORDS[:2], scorer.actives, keys)
    fill(rows)
    before, after = decisions(decide(TOPIC, PARTITION, rows, scorer.sealer))
    digest = hashlib.sha256(_encoded(RECORDS[1])).digest()
    assert after.sequence == KEY_SPAN
    assert after.chain == hmac.new(keys[1], before.chain + digest, hashlib.sha256).digest()


def _encoded(made: FakeRecord) -> bytes:
    return pack(">qq", made.offset, made.timestamp) + prefixed(made.key) + bytes(4) + prefixed(made.value)


def test_margins_are_the_same_bits_in_a_fresh_partition() -> None:
    """Scored again from the first record on, under other randomness: all but salts, nonces and what they enter is the same."""
    first, again = (decisions(Scorer(SWITCHING, seed=seed).score_by(size, RECORDS)) for seed, size in ((0, 64), (1, 7)))
    assert [one.evidence_digest for one in first] != [one.evidence_digest for one in again]
    for one in (*first, *again):
        one.ClearField("evidence_digest")
        one.ClearField("commitments")
    assert first == again


@pytest.mark.parametrize("cut", [1, 63, 150, 160, 299])
def test_a_rebuilt_partition_goes_on_as_the_old_one(cut: int) -> None:
    """Windows rebuilt from the transactions that were not rejected, and position from the last decision: the same decisions."""
    whole = Scorer(SWITCHING).score(RECORDS)
    before = Scorer(SWITCHING)
    decided = before.score(RECORDS[:cut])
    rebuilt = Scorer(SWITCHING)
    partition, newest = rebuilt.partition, decisions(decided)[-1]
    partition.next_offset, partition.next_sequence = newest.source_offset + 1, newest.sequence + 1
    partition.chain, partition.active = newest.chain, SWITCHING.by_index(newest.activation_index)
    for made, item in zip(RECORDS, decided, strict=False):
        if item.outcome != Outcome.OUTCOME_REJECTED:
            partition.replay(made)
    rebuilt.sealer = before.sealer  # its randomness goes on where it was
    assert outputs(rebuilt.score(RECORDS[cut:])) == outputs(whole[cut:])


def test_a_switch_in_mid_batch_scores_apart() -> None:
    """Rows before it have the old model's margins and its policy's outcomes, rows from it on the new one's."""
    old, new = SWITCHING.activations
    both = decisions(Scorer(SWITCHING).score(RECORDS))
    alone = {one.index: decisions(Scorer(actives(replace(one, effective_at_ms=0))).score(RECORDS)) for one in (old, new)}
    switched = [made.timestamp >= new.effective_at_ms for made in RECORDS]
    assert 0 < switched.index(True) < len(RECORDS) - 1
    for place, after in enumerate(switched):
        expected = (new if after else old).index
        assert both[place].activation_index == expected
        assert both[place].margin_bits == alone[expected][place].margin_bits
        assert both[place].outcome == alone[expected][place].outcome
        assert both[place].model_digest == alone[expected][place].model_digest
    assert any(one.margin_bits != two.margin_bits for one, two in zip(alone[old.index], alone[new.index], strict=True))


def test_a_switch_to_another_schema_in_mid_batch() -> None:
    """Models with other features follow each other; each row has its own schema's."""
    values = {"V1": 1.0, "V2": 2.0}
    records = [
        record(place, transaction_id=f"tx-{place}", event_time_ms=NOW_MS + place, attributes=values if place != 4 else None)
        for place in range(6)
    ]
    found = decisions(Scorer(actives(active(), active(1, NOW_MS + 3, schema=COMPONENTS))).score(records))
    card, components = FeatureSchema.parse(CARD).digest, FeatureSchema.parse(COMPONENTS).digest
    assert [one.feature_schema_digest for one in found] == [card] * 3 + [components, b"", components]
    assert found[4].reasons == [ReasonCode.REASON_CODE_ATTRIBUTE_MISSING]


def test_a_record_back_in_time_does_not_switch_back() -> None:
    """Time stamps may go back; activations never do."""
    times_ms = [NOW_MS, NOW_MS + 10, NOW_MS + 5, NOW_MS + 10]
    records = [record(place, transaction_id=f"tx-{place}", event_time_ms=time_ms) for place, time_ms in enumerate(times_ms)]
    found = decisions(Scorer(actives(active(), active(1, NOW_MS + 10))).score_by(1, records))
    assert [one.activation_index for one in found] == [2, 12, 12, 12]


def test_even_a_rejected_record_switches() -> None:
    """The first record that reaches the time switches, though it is refused itself."""
    bad = FakeRecord(0, NOW_MS + 10, b"customer-1", None)
    first, second = decisions(Scorer(actives(active(), active(1, NOW_MS + 10))).score_by(1, [bad, record(1)]))
    assert (first.activation_index, second.activation_index) == (12, 12)
    assert first.policy_digest == active(1, NOW_MS + 10).policy_digest


def test_decisions_are_sound_to_an_auditor() -> None:
    """Every decision, rejected ones too, passes the checks that a verifier makes of a decision by itself."""
    trust = trust_policy()
    policies = {one.index: one.policy.statement for one in SWITCHING.activations}
    for decision in decisions(Scorer(SWITCHING).score(RECORDS)):
        check_decision(decision, trust)
        if decision.outcome != Outcome.OUTCOME_REJECTED:
            check_outcome(decision, policies[decision.activation_index])


def test_a_rejected_record_leaves_no_customer_behind() -> None:
    """Nobody fills the memory with names that never paid, and a replay without the rejected comes to the same customers."""
    scorer = Scorer()
    broken = [record(place, customer_id=f"nobody-{place}", currency="XXX!") for place in range(5)]
    scorer.score([*broken, record(5, customer_id="somebody"), replace(record(6), key=b"another")])
    assert len(scorer.partition.customers) == 1
    assert scorer.partition.customers.get("somebody") is not None


def test_what_nobody_knows_the_decision_on_moves_the_windows_if_it_is_sound() -> None:
    """Behind an incident: broken records and repeated ids are left out, whatever their time everything else counts."""
    partition = Scorer().partition
    sound, broken = record(0, transaction_id="one"), FakeRecord(1, value=b"\xff")
    for made in (sound, broken, replace(sound, offset=2), replace(record(3, transaction_id="two"), timestamp=0)):
        partition.replay_if_sound(made)
    customer = partition.customers.get("customer-1")
    assert customer is not None
    assert customer.observe(bytes(8), "EUR", NOW_MS, 1, (DAY_MS,)) == [3, 2_501]
