"""The screenful at the end."""

from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tallystick.cli.demo.figures import Figures
from tallystick.cli.demo.proof import Verdict

_BAR = 40


@dataclass(frozen=True, slots=True)
class Told:
    """Everything the story found out."""

    figures: Figures
    transaction_id: str
    bundle: Path
    tampered: Path
    policy: Path
    model: Path
    verified: Verdict
    refused: Verdict
    replayed: Verdict
    audit_url: str

    @property
    def held(self) -> bool:
        """True if all of it held."""
        found = self.figures
        complete = found.transactions == found.decisions == found.log_size and found.rejected == 0
        return complete and self.verified.code == 0 and self.refused.code == 1 and self.replayed.code == 0


def show(told: Told, result: Path, took_s: float, console: Console) -> None:
    """Print the screenful."""
    color = "green" if told.held else "red"
    title = "Tallystick: all of it held" if told.held else "Tallystick: NOT all of it held"
    body = Group(_run(told.figures), Text(), _fraud(told.figures), Text(), _proof(told), Text(), _next(told, result))
    console.print(Panel(body, title=f"[bold {color}]{title}[/] [dim]in {took_s:.0f} s[/]", border_style=color, box=box.ROUNDED))


def _run(found: Figures) -> Table:
    table = _table("THE RUN")
    table.add_row(
        "decisions", f"[bold]{found.decisions:,}[/] of {found.transactions:,} transactions, {found.rejected} rejected"
    )
    table.add_row("throughput", f"[bold]{found.decisions_per_s:,.0f}[/] a second through the whole chain, to provable")
    table.add_row(
        "provable after", f"p50 [bold]{found.provable_p50_ms:,.0f} ms[/], p99 [bold]{found.provable_p99_ms:,.0f} ms[/]"
    )
    table.add_row("the log", f"{found.log_size:,} entries, root [cyan]{found.root[:32]}…[/]")
    return table


def _fraud(found: Figures) -> Table:
    table = _table("FRAUD")
    missed = found.fraud - found.fraud_declined - found.fraud_reviewed
    shares = [round(_BAR * count / max(found.fraud, 1)) for count in (found.fraud_declined, found.fraud_reviewed)]
    bar = f"[red]{'█' * shares[0]}[/][yellow]{'█' * shares[1]}[/][dim]{'░' * (_BAR - sum(shares))}[/]"
    table.add_row(f"{found.fraud:,} frauds", bar)
    table.add_row(
        "",
        f"[red]{found.fraud_declined} declined[/]  [yellow]{found.fraud_reviewed} to review[/]  [dim]{missed} missed[/]",
    )
    genuine = found.decisions - found.rejected - found.fraud
    table.add_row(
        "genuine ones",
        f"{found.genuine_declined} of {genuine:,} declined, {found.genuine_reviewed} to review",
    )
    table.add_row(
        "average precision", f"{found.average_precision:.3f} [dim](terminal risk, which most frauds need, is not built yet)[/]"
    )
    return table


def _proof(told: Told) -> Table:
    declined = told.verified.said.get("outcome") == "DECLINE"
    table = _table("ONE DECLINED TRANSACTION" if declined else "THE HIGHEST SCORE (nothing was declined)")
    table.add_row("transaction", f"{told.transaction_id}, its proof fetched from the audit service")
    table.add_row(
        "verified offline", _mark(told.verified.code == 0, "sound, from the bundle and the trust policy alone", told.verified)
    )
    table.add_row("one bit flipped", _mark(told.refused.code == 1, f"refused: {told.refused.said.get('reason')}", told.refused))
    bits = (told.replayed.said.get("logged") or {}).get("margin_bits", "?")
    engines = ", ".join(f"{run['engine']} {run['margin_bits']}" for run in told.replayed.said.get("executions", []))
    table.add_row("replayed", _mark(told.replayed.code == 0, f"margin bits {bits} logged; {engines}", told.replayed))
    return table


def _next(told: Told, result: Path) -> Table:
    table = _table("WHERE TO LOOK NEXT")
    table.add_row(
        "verify it yourself", f"[cyan].venv/bin/tallystick verify {_short(told.bundle)} --policy {_short(told.policy)}[/]"
    )
    replay = f"{_short(told.bundle)} --policy {_short(told.policy)} --model {_short(told.model)}"
    table.add_row("replay it", f"[cyan].venv/bin/tallystick replay {replay}[/]")
    table.add_row("browse", "[cyan]make demo ARGS=--serve[/], then the address it prints")
    table.add_row("figures", _short(result))
    return table


def _table(title: str) -> Table:
    table = Table(box=None, show_header=False, title=f"[bold]{title}", title_justify="left", padding=(0, 2, 0, 0), expand=True)
    table.add_column(style="dim", width=18, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _mark(held: bool, line: str, verdict: Verdict) -> str:
    if held:
        return f"[green]✓[/] {line}"
    return f"[bold red]✗ code {verdict.code}: {verdict.said.get('reason')}[/]"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
