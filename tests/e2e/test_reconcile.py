"""`tallystick reconcile` on a running chain: a clearing file beside what was decided, opened by the audit service."""

import asyncio
import csv
import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.cli.main import main
from tallystick.contracts import Outcome

from .bank import stream, transactions
from .reading import read_run

ROWS = 300


def reconcile(platform: Platform, file: Path) -> tuple[int, dict[str, Any]]:
    """Return the exit code and what is said; others decide on this platform, too, and what of theirs was cleared is theirs."""
    period = ["--from", "2001-01-01T00:00:00Z", "--to", "2199-01-01T00:00:00Z", "--uncleared-ok"]
    where = ["--logs", platform.log_url, "--policy", str(platform.policy), "--audit", platform.url("audit")]
    with redirect_stdout(StringIO()) as out:
        code = main(["reconcile", str(file), *period, *where, "--token-file", str(platform.auditor_token_file), "--json"])
    return code, json.loads(out.getvalue())


def write(file: Path, rows: list[tuple[str, int, str]]) -> None:
    """Write a clearing file."""
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([("transaction_id", "amount_minor", "currency"), *rows])


def test_what_was_cleared_is_what_was_approved(platform: Platform, tmp_path: Path) -> None:
    """All that was approved, and nothing else: it agrees. A declined one, one of nobody's, another amount: each is named."""
    table = transactions(ROWS, "cleared")
    asyncio.run(stream(platform.kafka, table))
    made = read_run(platform).of("cleared")
    paid = {row["transaction_id"]: (row["amount_minor"], row["currency"]) for row in table.to_pylist()}
    by_outcome: dict[Any, list[str]] = {}
    for row, decision in made.items():
        by_outcome.setdefault(decision.outcome, []).append(f"cleared-{row}")
    approved, declined = by_outcome[Outcome.OUTCOME_APPROVE], by_outcome[Outcome.OUTCOME_DECLINE]
    file = tmp_path / "cleared.csv"
    write(file, [(name, *paid[name]) for name in approved])
    wait_until(lambda: reconcile(platform, file)[0] == 0, "the evidence to be taken in")
    (totals,) = (one for one in reconcile(platform, file)[1]["totals"] if one["outcome"] == "APPROVE")
    assert totals["cleared"] == len(approved)
    assert totals["cleared_minor"] == sum(paid[name][0] for name in approved)
    other = (approved[0], paid[approved[0]][0] + 1, "EUR")
    write(file, [other, ("cleared-by-nobody", 5, "EUR"), *((name, *paid[name]) for name in (approved[1], declined[0]))])
    code, said = reconcile(platform, file)
    assert code == 1
    assert {kind: found["ids"] for kind, found in said["findings"].items() if found["count"]} == {
        "cleared and not decided": ["cleared-by-nobody"],
        "cleared though refused": [declined[0]],
        "other amount": [approved[0]],
    }
    with pytest.raises(SystemExit):
        main(["reconcile", str(file)])
