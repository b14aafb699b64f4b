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
    """

    name: str
    value: float
    unit: str
    beside: str
    beside_value: float
    ratio: float
    runs: list[float]


def row(name: str, unit: str, runs: Sequence[float], beside: str, beside_runs: Sequence[float]) -> Row:
    """Make a row of the runs' medians."""
    value, beside_value = median(runs), median(beside_runs)
    return Row(
        name, round(value, 1), unit, beside, round(beside_value, 1), round(value / beside_value, 3), [round(x, 1) for x in runs]
    )


def write(rows: Sequence[Row], path: Path, console: Console) -> None:
    """Write the rows for machines, and draw them for people."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(each) for each in rows], indent=2) + "\n")
    table = Table(title="medians; the bar is the ratio, full at 1")
    for column in ("figure", "value", "unit", "beside", "its value", "ratio", ""):
        table.add_column(column, justify="right" if column in ("value", "its value", "ratio") else "left")
    for each in rows:
        bar = "█" * round(_BAR * min(each.ratio, 1))
        table.add_row(
            each.name,
            f"{each.value:,.0f}",
            each.unit,
            each.beside,
            f"{each.beside_value:,.0f}",
            f"{each.ratio:.2f}",
            f"[cyan]{bar}",
        )
    console.print(table)
    console.print(f"written to {path.name}")
