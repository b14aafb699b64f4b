"""What a backtest found, for people."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table

from tallystick.cli.backtest.tally import OUTCOMES, Tally, word
from tallystick.cli.verify.screen import visible


def show(title: str, tally: Tally, names: Iterable[str], notes: Sequence[str], console: Console) -> None:
    """Print a tally: outcomes against outcomes, what applied, what is known of fraud, what was left out."""
    console.print(
        f"{visible(title)}: {tally.changed:,} of {tally.total:,} decisions would have been otherwise", highlight=False
    )
    console.print(_outcomes(tally))
    if rows := [(name, tally.applied[name], tally.applied_alone[name], tally.applied_to_fraud[name]) for name in names]:
        table = Table("rule or list", *(_right(title) for title in ("applies", "alone", "to known fraud")), box=None)
        for name, *counts in rows:
            table.add_row(visible(name), *(f"{count:,}" for count in counts))
        console.print(table)
    for sort, verb in (("fraud", "caught"), ("genuine", "stopped")):
        known, were, would = tally.stopped(fraud=sort == "fraud")
        if known:
            console.print(f"of {known:,} known to be {sort}, {were:,} were {verb}, {would:,} would have been", highlight=False)
    for reason, count in sorted(tally.left_out.items()):
        if count:
            console.print(f"? left out: {count:,} {reason}", highlight=False)
    for note in notes:
        console.print(f"? {visible(note)}", highlight=False)


def _outcomes(tally: Tally) -> Table:
    table = Table("was", *(_right(f"would be {word(outcome)}") for outcome in OUTCOMES), box=None)
    for was in OUTCOMES:
        cells = []
        for would_be in OUTCOMES:
            money = ", ".join(f"{amount / 100:,.2f} {currency}" for currency, amount in tally.amounts(was, would_be).items())
            cells.append(f"{tally.decisions[was, would_be]:,}" + (f" ({money})" if money and was != would_be else ""))
        table.add_row(word(was), *cells)
    return table


def _right(title: str) -> Column:
    return Column(title, justify="right")
