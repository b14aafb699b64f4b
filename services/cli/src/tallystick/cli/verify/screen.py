"""Printing for people: framed and coloured on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Rows = Iterable[tuple[str, str]]


def visible(text: str) -> str:
    """Return the text with every character that does not print escaped: a bundle must not steer the reader's terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def print_rows(verdict: str, good: bool, rows: Rows, notes: Rows = ()) -> None:
    """Print a verdict, what it is about, and then notes: (mark, sentence)."""
    console = Console(highlight=False, markup=False, emoji=False)
    shown = [(visible(label), visible(value)) for label, value in rows]
    said = [(mark, visible(sentence)) for mark, sentence in notes]
    if not console.is_terminal:
        sys.stdout.write("".join(f"{line}\n" for line in (verdict, *map(": ".join, shown), *map(" ".join, said))))
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in shown:
        table.add_row(Text(label), Text(value))
    style = "green" if good else "red"
    console.print(
        Panel(table, title=Text(verdict, style=f"bold {style}"), title_align="left", border_style=style, expand=False)
    )
    marks = Table.grid(padding=(0, 1))
    for mark, sentence in said:
        marks.add_row(Text(mark, style="green" if mark == "✓" else "yellow"), Text(sentence))
    console.print(marks)


def print_refusal(verdict: str, reason: str) -> None:
    """Print why something is not so."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        console.print(Text(verdict, style="bold red"), Text(visible(reason)), sep=": ")
    else:
        sys.stdout.write(f"{verdict}: {visible(reason)}\n")
