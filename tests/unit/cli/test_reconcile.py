"""Decisions beside a clearing file: ids, amounts, outcomes, totals; and files that are none."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tallystick.cli.reconcile.clearing import Cleared, ClearingError, read_clearing
from tallystick.cli.reconcile.tally import AMOUNT, REFUSED, TWICE, UNCLEARED, UNDECIDED, Tally
from tallystick.contracts import Decision, Identity, Outcome, TransactionDetails

APPROVE, REVIEW, DECLINE = Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_DECLINE


def tally(cleared: dict[str, Cleared], *decided: tuple[str, Outcome, int]) -> Tally:
    """Return what comes of these decisions: id, outcome, amount."""
    made = Tally(cleared)
    decisions = [Decision(outcome=outcome) for _, outcome, _ in decided]
    opened = [
        {
            "identity": Identity(transaction_id=name).SerializeToString(),
            "transaction": TransactionDetails(amount_minor=amount, currency="EUR").SerializeToString(),
        }
        for name, _, amount in decided
    ]
    made.add(decisions, opened)
    made.end()
    return made


def found(made: Tally) -> dict[str, list[str]]:
    """Return what does not agree."""
    return {kind: finding.ids for kind, finding in made.findings.items() if finding.count}


def test_what_agrees() -> None:
    """Approved and reviewed payments were cleared, declined ones not: totals say so by currency and outcome."""
    cleared = {"a": Cleared(100, "EUR"), "b": Cleared(50, "EUR")}
    made = tally(cleared, ("a", APPROVE, 100), ("b", REVIEW, 50), ("c", DECLINE, 7), ("d", REVIEW, 8))
    assert made.agrees
    assert made.decided_minor == {("EUR", "APPROVE"): 100, ("EUR", "REVIEW"): 58, ("EUR", "DECLINE"): 7}
    assert made.cleared_minor == {("EUR", "APPROVE"): 100, ("EUR", "REVIEW"): 50}


def test_what_does_not() -> None:
    """Each kind by itself, named by the transaction."""
    cleared = {name: Cleared(100, "EUR") for name in ("refused", "amount", "undecided", "twice")} | {"cur": Cleared(1, "USD")}
    made = tally(
        cleared,
        ("refused", DECLINE, 100),
        ("amount", APPROVE, 99),
        ("cur", APPROVE, 1),
        ("twice", APPROVE, 100),
        ("twice", APPROVE, 100),
        ("uncleared", APPROVE, 5),
    )
    assert not made.agrees
    assert found(made) == {
        REFUSED: ["refused"],
        AMOUNT: ["amount", "cur"],
        TWICE: ["twice"],
        UNCLEARED: ["uncleared"],
        UNDECIDED: ["undecided"],
    }


def test_what_is_not_opened_is_counted() -> None:
    """Erased, or not disclosed: nothing is concluded from it but that its transaction is in the file and unknown."""
    made = Tally({})
    made.add([Decision(outcome=APPROVE), Decision(outcome=Outcome.OUTCOME_REJECTED)], [None, None])
    assert (made.closed, made.rejected, made.agrees) == (1, 1, True)


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    """CSV and Parquet, in any order of columns, with others beside them; ids stay text."""
    (tmp_path / "c.csv").write_text("currency,other,transaction_id,amount_minor\nEUR,x,0017,5\n")
    table = {"amount_minor": pa.array([5], pa.int32()), "transaction_id": ["0017"], "currency": ["EUR"], "other": [1.5]}
    pq.write_table(pa.table(table), tmp_path / "c.parquet")
    assert read_clearing(tmp_path / "c.csv") == read_clearing(tmp_path / "c.parquet") == {"0017": Cleared(5, "EUR")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("transaction_id,amount_minor\n1,2\n", "not CSV or Parquet with transaction_id, amount_minor, currency"),
        ("transaction_id,amount_minor,currency\na,1.5,EUR\n", "not CSV or Parquet with"),
        ("transaction_id,amount_minor,currency\na,,EUR\n", "row 1 has no amount_minor"),
        ("transaction_id,amount_minor,currency\na,1,EUR\na,1,EUR\n", "the transaction a is there twice"),
    ],
)
def test_a_file_that_is_none_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    """Half a file would make a false alarm, or hide a true one."""
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(ClearingError, match=reason):
        read_clearing(tmp_path / "c.csv")
