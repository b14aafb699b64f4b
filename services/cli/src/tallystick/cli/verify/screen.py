"""Printing for people: framed and coloured on a terminal, plain lines elsewhere."""

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tallystick.verifier.printing import PLAIN, Rows, Screen, visible

__all__ = ["SCREEN", "print_refusal", "print_rows", "visible"]


def print_rows(verdict: str, good: bool, rows: Rows, notes: Rows = ()) -> None:
    """Print a verdict, what it is about, and then notes: (mark, sentence)."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        PLAIN.rows(verdict, good, rows, notes)
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(Text(visible(label)), Text(visible(value)))
    style = "green" if good else "red"
    console.print(
        Panel(table, title=Text(verdict, style=f"bold {style}"), title_align="left", border_style=style, expand=False)
    )
    marks = Table.grid(padding=(0, 1))
    for mark, sentence in notes:
        marks.add_row(Text(mark, style="green" if mark == "✓" else "yellow"), Text(visible(sentence)))
    console.print(marks)


def print_refusal(verdict: str, reason: str) -> None:
    """Print why something is not so."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        console.print(Text(verdict, style="bold red"), Text(visible(reason)), sep=": ")
    else:
        PLAIN.refusal(verdict, reason)


SCREEN = Screen(print_rows, print_refusal)
