"""A bench's rows: medians of several runs, each beside what it is to be judged by."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

_BAR = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        value: the median.
        unit: of both values.
        beside: the limit or the peer.
        beside_value: its value; a peer's is the median of the same run.
        ratio: value / beside_value.
        runs: every run's value.
        goal: what the ratio is to be, such as `>= 0.5`; None where it is only told.
        met: whether it is.
    """

    name: str
    value: float
    unit: str
    beside: str
    beside_value: float
    ratio: float
    runs: list[float]
    goal: str | None = None
    met: bool | None = None


def row(
    name: str,
    unit: str,
    runs: Sequence[float],
    beside: str,
    beside_runs: Sequence[float],
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """Make a row of the runs' medians; `at_least` or `at_most` is the ratio's goal."""
    value, beside_value = median(runs), median(beside_runs)
    ratio = value / beside_value
    goal = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}" if at_most is not None else None
    met = ratio >= at_least if at_least is not None else ratio <= at_most if at_most is not None else None
    rounded = [round(each, 1) for each in runs]
    return Row(name, round(value, 1), unit, beside, round(beside_value, 1), round(ratio, 3), rounded, goal, met)


def write(rows: Sequence[Row], path: Path, console: Console) -> None:
    """Write the rows for machines, and draw them for people."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(each) for each in rows], indent=2) + "\n")
    table = Table(title="medians; the bar is the ratio, full at 1")
    for column in ("figure", "value", "unit", "beside", "its value", "ratio", "goal", ""):
        table.add_column(column, justify="right" if column in ("value", "its value", "ratio") else "left")
    for each in rows:
        colour = "red" if each.met is False else "cyan"
        bar = "█" * round(_BAR * min(each.ratio, 1))
        table.add_row(
            each.name,
            _number(each.value),
            each.unit,
            each.beside,
            _number(each.beside_value),
            f"{each.ratio:.2f}",
            each.goal or "",
            f"[{colour}]{bar}",
        )
    console.print(table)
    console.print(f"written to {path.name}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
