"""Challengers: asked beside the champion, recorded in the evidence, deciding nothing, whatever happens to them."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tallystick.contracts import Explanation, Outcome
from tallystick.scoring.activations import Actives
from tallystick.scoring.challengers import FOREVER_MS, MAX_CHALLENGERS, Challenger, Challengers, Term, terms
from tallystick.scoring.model import Model
from tallystick.trust.governance import VerifiedActivation

from .world import NOW_MS, Scorer, active, decisions, open_evidence, record

CHAMPION = active()
RECORDS = [record(place, transaction_id=f"tx-{place}", amount_minor=place * 900) for place in range(40)]


def challenger(
    index: int = 50, number: int = 7, from_ms: int = 0, to_ms: int = FOREVER_MS, model: Model | None = None
) -> Challenger:
    """Return a challenger with a model of its own."""
    other = active(number)
    return Challenger(index, "challenger/x", from_ms, to_ms, model or other.model, other.vectoriser.schema.digest)


def recorded(scorer: Scorer) -> list[list[tuple[int, int]]]:
    """Return what the evidence says of challengers."""
    found = []
    for item in scorer.score(RECORDS):
        assert item.evidence is not None
        content = open_evidence(item.evidence, "customer-1").disclosures[3].content
        found.append([(one.activation_index, one.margin_bits) for one in Explanation.FromString(content).challengers])
    return found


def test_every_margin_is_recorded_and_no_decision_changes() -> None:
    """Of two challengers, on every transaction, approved ones too; decisions differ in nothing but what commits to it."""
    with_them = Scorer(Actives((CHAMPION,), Challengers((challenger(50), challenger(60, 8)))))
    alone = Scorer(Actives((CHAMPION,)))
    mine, theirs = decisions(with_them.score(RECORDS)), decisions(alone.score(RECORDS))
    for one, other in zip(mine, theirs, strict=True):
        for varying in (one, other):
            varying.ClearField("evidence_digest")
            varying.ClearField("commitments")
        assert one == other
    assert {one.outcome for one in mine} >= {Outcome.OUTCOME_APPROVE}
    rows = recorded(Scorer(Actives((CHAMPION,), Challengers((challenger(50), challenger(60, 8))))))
    assert all([index for index, _ in row] == [50, 60] for row in rows)
    assert len({bits for row in rows for _, bits in row}) > 2


def test_a_challenger_is_asked_in_its_time_only() -> None:
    """By the record's Kafka time stamp, and of the rows of a batch only those that are in it."""
    records = [replace(item, timestamp=NOW_MS + place) for place, item in enumerate(RECORDS)]
    scorer = Scorer(Actives((CHAMPION,), Challengers((challenger(from_ms=NOW_MS + 10, to_ms=NOW_MS + 20),))))
    asked = []
    for item in scorer.score(records):
        assert item.evidence is not None
        content = open_evidence(item.evidence, "customer-1").disclosures[3].content
        asked.append(bool(Explanation.FromString(content).challengers))
    assert asked == [10 <= place < 20 for place in range(40)]


class Broken:
    """A model that fails as it is told."""

    def __init__(self, margins: object) -> None:
        self._margins = margins
        self.asked = 0

    def margins(self, matrix: object) -> object:
        """Fail."""
        self.asked += 1
        if isinstance(self._margins, Exception):
            raise self._margins
        return self._margins


@pytest.mark.parametrize(
    "margins",
    [RuntimeError("out of order"), np.full(40, np.nan, np.float32), np.zeros(3, np.float32)],
    ids=["raises", "nan", "short"],
)
def test_a_broken_challenger_is_left_out_for_good(margins: object) -> None:
    """It is not asked again, it is said why, and the others and the decisions go on."""
    broken = Broken(margins)
    some = Challengers((challenger(50, model=cast("Model", broken)), challenger(60, 8)))
    scorer = Scorer(Actives((CHAMPION,), some))
    assert all([index for index, _ in row] == [60] for row in recorded(scorer))
    assert list(some.broken) == [50]
    scorer.score([record(99, transaction_id="later")])
    assert broken.asked == 1


def test_a_challenger_of_other_features_is_not_asked() -> None:
    """The champion's matrix is none that it knows."""
    other = replace(challenger(), schema_digest=bytes(32))
    assert all(not row for row in recorded(Scorer(Actives((CHAMPION,), Challengers((other,))))))


def term(index: int, slot: str, effective_at_ms: int, until_ms: int | None = None) -> VerifiedActivation:
    """Return as much of an activation as counts here."""
    stub = SimpleNamespace(index=index, slot=slot, effective_at_ms=effective_at_ms, until_ms=until_ms)
    return cast("VerifiedActivation", stub)


def spans(found: list[Term]) -> list[tuple[int, int, int]]:
    """Return indexes and times."""
    return [(one.activation.index, one.from_ms, one.to_ms) for one in found]


def test_a_slots_next_activation_ends_the_one_before() -> None:
    """And its own end does; one that never begins is none."""
    a1, a2, b = term(1, "challenger/a", 100), term(4, "challenger/a", 300, 400), term(3, "challenger/b", 50, 60)
    assert spans(terms([a1, b, a2])) == [(1, 100, 300), (3, 50, 60), (4, 300, 400)]
    assert spans(terms([a1, term(2, "challenger/a", 100, 100)])) == []
    assert spans(terms([a1, term(2, "challenger/a", 20), term(9, "challenger/a", 500)])) == [(2, 20, 500), (9, 500, FOREVER_MS)]


def test_so_many_are_loaded_and_no_more() -> None:
    """The newest: memory and time are bounded whatever is activated."""
    some = [term(index, f"challenger/{index}", 0) for index in range(MAX_CHALLENGERS + 3)]
    assert [one.activation.index for one in terms(some)] == list(range(3, MAX_CHALLENGERS + 3))
