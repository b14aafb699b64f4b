"""The table of profiles: what is final, what is stale, and what a paused writer may not undo."""

import numpy as np

from tallystick.contracts import FeatureVector, FraudChange, Outcome, Profile, ProfileWatermark, ReasonCode
from tallystick.scoring.profiles import WATERMARK_KEY, ProfileTable
from tallystick.trust.decisions import check_decision, check_outcome

from ..trust.helpers import trust_policy
from .world import PLACES, Scorer, active, actives, decisions, open_evidence, record

DAY_S = 86_400
NOW_S = 1_700_000_000
SPANS_S = (DAY_S, 7 * DAY_S)
KEY = b"terminal/7"


def profile(*seconds: int, version: int = 5, frauds: tuple[FraudChange, ...] = ()) -> bytes:
    """Return a record with one transaction in each of the seconds."""
    gaps = [after - before for before, after in zip((0, *seconds), seconds, strict=False)]
    return Profile(id=KEY.decode(), second_gaps=gaps, version=version, frauds=frauds).SerializeToString()


def watermark(watermark_s: int, version: int = 5, valid_from_s: int = 0, delay_days: int = 7) -> bytes:
    """Return the record that says how far profiles have come."""
    return ProfileWatermark(
        watermark_s=watermark_s, version=version, valid_from_ms=valid_from_s * 1000, delay_days=delay_days
    ).SerializeToString()


def table(*records: tuple[bytes | None, bytes | None]) -> ProfileTable:
    """Return a table of one partition with these records."""
    made = ProfileTable(1, lambda _: 0)
    for offset, (key, value) in enumerate(records):
        made.take(0, offset, key, value)
    return made


def test_windows_end_the_delay_before_the_event_time() -> None:
    """A transaction counts from its second plus the delay, and no longer from the window's length after that."""
    found = table((KEY, profile(NOW_S)), (WATERMARK_KEY, watermark(NOW_S + 30 * DAY_S)))
    due_s = NOW_S + 7 * DAY_S
    counts = {off: found.look_up(KEY, (due_s + off) * 1000 + 999, 7, SPANS_S).windows[0] for off in (-1, 0, DAY_S - 1, DAY_S)}
    assert counts == {-1: 0, 0: 1, DAY_S - 1: 1, DAY_S: 0}


def test_a_decision_beyond_the_watermark_is_stale() -> None:
    """Up to the watermark an answer is final; beyond it, before what is kept, under another delay, or of nothing, it is not."""
    records = (KEY, profile(NOW_S)), (WATERMARK_KEY, watermark(NOW_S, valid_from_s=NOW_S - DAY_S))
    found = table(*records)
    places = (NOW_S - DAY_S - 1, NOW_S - DAY_S, NOW_S, NOW_S + 1)
    assert [found.look_up(KEY, second_s * 1000, 7, SPANS_S).stale for second_s in places] == [True, False, False, True]
    assert found.look_up(KEY, NOW_S * 1000, 8, SPANS_S).stale
    assert table().look_up(KEY, NOW_S * 1000, 7, SPANS_S).stale
    assert not table().look_up(b"terminal/", NOW_S * 1000, 7, SPANS_S).stale


def test_it_says_which_state_it_used() -> None:
    """The record's offset and version, and the watermark; no offset where there was none."""
    found = table((b"terminal/8", profile(NOW_S)), (KEY, profile(NOW_S, version=4)), (WATERMARK_KEY, watermark(NOW_S + 5)))
    version = found.look_up(KEY, NOW_S * 1000, 7, SPANS_S).version
    assert (version.offset, version.version, version.watermark_s, version.stale) == (1, 4, NOW_S + 5, False)
    assert not found.look_up(b"terminal/9", NOW_S * 1000, 7, SPANS_S).version.HasField("offset")


def test_an_older_record_behind_a_newer_one_is_passed_over() -> None:
    """A process that wakes after its partition moved undoes neither profiles nor watermark."""
    newer = (KEY, profile(NOW_S, NOW_S + 1, version=9)), (WATERMARK_KEY, watermark(NOW_S + 30 * DAY_S, version=9))
    found = table(*newer, (KEY, profile(NOW_S, version=8)), (WATERMARK_KEY, watermark(NOW_S, version=8)))
    answer = found.look_up(KEY, (NOW_S + 7 * DAY_S + 5) * 1000, 7, SPANS_S)
    assert (answer.windows, answer.stale) == ([2, 0, 2, 0], False)


def test_a_fraud_counts_from_when_it_says_and_never_beyond_the_transactions() -> None:
    """A verdict that came late changes nothing before; one on a transaction that never came makes no share above 1."""
    late_s = NOW_S + 8 * DAY_S
    frauds = FraudChange(second_s=NOW_S, from_s=late_s, sign=1), FraudChange(second_s=NOW_S + 1, from_s=0, sign=1)
    found = table((KEY, profile(NOW_S, frauds=frauds)), (WATERMARK_KEY, watermark(NOW_S + 30 * DAY_S)))
    week = [
        found.look_up(KEY, second_s * 1000, 7, (7 * DAY_S,)).windows for second_s in (NOW_S + 7 * DAY_S, late_s - 1, late_s)
    ]
    assert week == [[1, 0], [1, 1], [1, 1]]


def test_what_is_no_profile_is_counted_and_left_out() -> None:
    """Bytes that are none change nothing; a record without a value forgets the terminal."""
    found = table((KEY, profile(NOW_S)), (KEY, b"\xff"), (WATERMARK_KEY, b"\xff"), (None, b""))
    assert (found.malformed, len(found)) == (2, 1)
    found.take(0, 9, KEY, None)
    assert len(found) == 0


def test_evidence_says_which_profiles_were_used_and_a_decision_if_they_may_change() -> None:
    """Final: the features and their versions, no mark. Beyond the watermark: the same and PROFILE_STALE, a sound decision."""
    due_s = NOW_S + 7 * DAY_S
    fraud = FraudChange(second_s=NOW_S, from_s=due_s, sign=1)
    known = table((KEY, profile(NOW_S, NOW_S + 1, frauds=(fraud,))), (WATERMARK_KEY, watermark(due_s + 1)))
    model = active(schema=PLACES)
    scorer = Scorer(actives(model), profiles=known)
    paid = [
        record(place, transaction_id=f"tx-{place}", event_time_ms=(due_s + place) * 1000, terminal_id="7") for place in (1, 2)
    ]
    decided = scorer.score(paid)
    final, stale = decisions(decided)
    assert ReasonCode.REASON_CODE_PROFILE_STALE not in final.reasons
    assert stale.reasons[-1] == ReasonCode.REASON_CODE_PROFILE_STALE
    for decision in (final, stale):
        check_decision(decision, trust_policy())
        check_outcome(decision, model.policy.statement)
    vectors = [
        FeatureVector.FromString(open_evidence(item.evidence or b"", "customer-1").disclosures[2].content) for item in decided
    ]
    assert [np.frombuffer(vector.values, "<f4")[9:].tolist() for vector in vectors] == [[2, 0.5, 2, 0.5, 2, 0.5]] * 2
    used = [(one.offset, one.version, one.watermark_s, one.stale) for vector in vectors for one in vector.profiles]
    assert used == [(0, 5, due_s + 1, False), (0, 5, due_s + 1, True)]


def test_a_transaction_without_a_terminal_is_never_stale() -> None:
    """Nothing is known of no terminal, and nothing ever will be: no version, no mark."""
    scorer = Scorer(actives(active(schema=PLACES, review_margin=-100, decline_margin=100)))
    (decision,) = decisions(scorer.score([record(0, terminal_id=None)]))
    assert (decision.outcome, list(decision.reasons)) == (Outcome.OUTCOME_REVIEW, [ReasonCode.REASON_CODE_MARGIN_REVIEW])
