"""The screen at the end of `tallystick demo`."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tallystick.cli.demo.figures import Figures
from tallystick.cli.demo.proof import Verdict
from tallystick.cli.demo.report import Told, show, show_service

FOUND = Figures(
    transactions=1_000_000,
    decisions=1_000_000,
    rejected=0,
    log_size=1_000_000,
    root="f9" * 32,
    roots=["f9" * 32],
    decisions_per_s=12_345.6,
    provable_p50_ms=1_446.0,
    provable_p99_ms=12_446.0,
    average_precision=0.2345,
    stale=3,
    fraud=9_026,
    fraud_declined=2_100,
    fraud_reviewed=3_300,
    genuine_declined=1_200,
    genuine_reviewed=12_200,
)
VERIFIED: dict[str, Any] = {
    "outcome": "DECLINE",
    "margin": -1.5486,
    "governance": {
        "model": {"name": "card", "version": "20261122174736", "publishers": ["ada"]},
        "activation": {"approvers": ["ada", "grace"]},
    },
    "disclosed": {
        "transaction": {"amount_minor": 1_021_787, "currency": "EUR"},
        "features": {"mean_amount_30d": 217.86999, "night": 1.0},
        "explanation": {"night": 0.5, "mean_amount_30d": -5.81},
    },
}
REPLAYED = {"logged": {"margin_bits": "bfc638d9"}, "executions": [{"engine": "own"}, {"engine": "xgboost"}]}


def told(folder: Path, **changes: Any) -> Told:
    """Return a story's outcome, in a folder."""
    outcome = Told(
        figures=FOUND,
        transaction_id="1337030",
        bundle=folder / "bundle.json",
        tampered=folder / "tampered.json",
        policy=folder / "policy",
        model=folder / "model.json",
        verified=Verdict(0, VERIFIED),
        refused=Verdict(1, {"reason": "the decision is not in the log: the proof leads elsewhere"}),
        replayed=Verdict(0, REPLAYED),
        complete=Verdict(0, {"sealers": [{"seals": 1_234}]}),
    )
    return dataclasses.replace(outcome, **changes)


def shown(outcome: Told) -> list[str]:
    """Return the screen's lines in a terminal of 80 columns."""
    out = io.StringIO()
    show(outcome, outcome.bundle.parent.with_name("demo.json"), 92.4, Console(file=out, width=80, highlight=False))
    return out.getvalue().splitlines()


def test_it_fits_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty columns and thirty lines hold it, large numbers too, and nothing wraps: every row begins with a label."""
    monkeypatch.chdir(tmp_path)
    lines = shown(told(tmp_path / "build/demo"))
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80 + len("/.venv/bin/") + len(str(Path.cwd()))  # the program may be far from here
    framed = [line for line in lines if line.startswith("│")]
    assert all(len(line) == 80 for line in framed)
    unlabelled = [line for line in framed[4:] if line.startswith("│" + " " * 18) and line.strip("│ ")]
    assert [line.split() for line in unlabelled] == [
        ["│", "2,100", "declined", "3,300", "to", "review", "3,626", "missed", "│"]
    ]


def test_it_says_who_and_why(tmp_path: Path) -> None:
    """The decision's largest contribution is named, with the model, its publisher and its approvers."""
    text = "\n".join(shown(told(tmp_path)))
    assert "mean_amount_30d = 217.87 added -5.81 to its margin, -1.55" in text
    assert "card 20261122174736, published by ada" in text
    assert "ada and grace" in text
    assert "10,217.87 EUR" in text


@pytest.mark.parametrize(("outcome", "words"), [("REVIEW", "ONE TRANSACTION TO REVIEW"), ("APPROVE", "ONE APPROVED")])
def test_a_run_without_a_decline_says_so(tmp_path: Path, outcome: str, words: str) -> None:
    """Where nothing was declined, the heading says what is shown instead; an approval has no explanation."""
    disclosed = VERIFIED["disclosed"] | {"explanation": {}}
    text = "\n".join(shown(told(tmp_path, verified=Verdict(0, VERIFIED | {"outcome": outcome, "disclosed": disclosed}))))
    assert f"{words}" in text
    assert "nothing was declined" in text
    assert "because" not in text


def test_what_did_not_hold_is_said(tmp_path: Path) -> None:
    """A bundle that does not verify is said with its reason, and the title with it."""
    text = "\n".join(shown(told(tmp_path, verified=Verdict(1, {"reason": "no [such] signature"}))))
    assert "NOT all of it held" in text
    assert "no [such] signature" in text


def test_a_run_without_fraud_has_no_precision(tmp_path: Path) -> None:
    """Average precision is not shown where it is not defined."""
    figures = dataclasses.replace(FOUND, average_precision=None, fraud=0, fraud_declined=0, fraud_reviewed=0)
    assert "average precision" not in "\n".join(shown(told(tmp_path, figures=figures)))


def test_commands_are_whole_lines(tmp_path: Path) -> None:
    """What is to be typed is never broken or framed, however long its paths are."""
    folder = tmp_path / ("long" * 20)
    assert any(line.endswith(f"verify {folder}/bundle.json --policy {folder}/policy") for line in shown(told(folder)))
    out = io.StringIO()
    console = Console(file=out, width=40, highlight=False)
    show_service(told(folder), "http://127.0.0.1:20000", folder / "auditor-token", console)
    lines = out.getvalue().splitlines()
    assert "    http://127.0.0.1:20000/v1/decisions/1337030" in lines
    assert f'curl -H "Authorization: Bearer $(cat {folder}/auditor-token)" \\' in lines
