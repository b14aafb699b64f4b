"""The screenful at the end: the numbers first, then one decision, then what to type."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.align import Align
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tallystick.cli.demo.figures import Figures
from tallystick.cli.demo.platform import QUORUM, WITNESSES
from tallystick.cli.demo.proof import Verdict

WIDTH = 80
_BAR = 40
_TITLES = {
    "DECLINE": "ONE DECLINED TRANSACTION",
    "REVIEW": "ONE TRANSACTION TO REVIEW [dim](nothing was declined)[/]",
    "APPROVE": "ONE APPROVED TRANSACTION [dim](nothing was declined, nor to review)[/]",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Everything the story found out. The paths have short names, because people type them."""

    figures: Figures
    transaction_id: str
    bundle: Path
    tampered: Path
    policy: Path
    model: Path
    verified: Verdict
    refused: Verdict
    replayed: Verdict
    complete: Verdict

    @property
    def held(self) -> bool:
        """True if all of it held."""
        found = self.figures
        complete = found.transactions == found.decisions == found.log_size and found.rejected == 0
        said = (self.verified.code, self.refused.code, self.replayed.code, self.complete.code)
        return complete and said == (0, 1, 0, 0)


def show(told: Told, result: Path, took_s: float, console: Console) -> None:
    """Print the screenful: 80 columns, and what is to be typed without a frame or a break of its own."""
    color = "green" if told.held else "red"
    title = "Tallystick: all of it held" if told.held else "Tallystick: NOT all of it held"
    body = Group(_headline(told.figures), Text(), _fraud(told.figures), Text(), _decision(told))
    heading = f"[bold {color}]{title}[/] [dim]in {took_s:.0f} s[/]"
    console.print(Panel(body, title=heading, border_style=color, box=box.ROUNDED, width=min(console.width, WIDTH)))
    files = f"{short(told.bundle)} --policy {short(told.policy)}"
    lines = [
        "Now you: cut the network, change a byte of the bundle if you like, and",
        f"[cyan]{program()} verify {files}[/]",
        f"[cyan]{program()} replay {short(told.bundle)} \\\\[/]",
        f"[cyan]    --policy {short(told.policy)} --model {short(told.model)}[/]",
        f"Figures: {short(result)}. To ask the services yourself: [cyan]make demo ARGS=--serve[/]",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def show_service(told: Told, address: str, token_file: Path, console: Console) -> None:
    """Print how to ask the audit service, in lines to be copied."""
    decision = f"{address}/v1/decisions/{told.transaction_id}"
    curl = f'[cyan]curl -H "Authorization: Bearer $(cat {short(token_file)})" \\\\[/]'
    lines = [
        "\n[bold]The audit service answers until Ctrl-C stops everything.[/] What it can be asked:",
        f"[cyan]curl {address}/openapi.json[/]",
        "With an auditor's token, which is in that file: a decision, and its evidence:",
        f"{curl}\n[cyan]    {decision}[/]",
        f"{curl}\n[cyan]    '{decision}/bundle?disclose=features,explanation'[/]",
        "\n[bold]The console[/] shows it to people: sign in with the token in that file, and",
        f"give it the trust policy in {short(told.policy)}, to have the proof verified.",
        f"[cyan]    {address}/console/decisions/{told.transaction_id}[/]",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def short(path: Path) -> str:
    """Return a path as a person here would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def program() -> str:
    """Return what to type for `tallystick`."""
    return short(Path(sys.executable).with_name("tallystick"))


def _headline(found: Figures) -> Group:
    table = Table.grid(expand=True)
    numbers = {
        "decisions logged": f"{found.decisions:,}",
        "rejected": f"{found.rejected:,}",
        "a second, to proof": f"{found.decisions_per_s:,.0f}",
        "median to a proof": f"{found.provable_p50_ms:,.0f} ms",
    }
    for _ in numbers:
        table.add_column(justify="center", ratio=1)
    table.add_row(*(f"[bold cyan]{number}[/]" for number in numbers.values()))
    table.add_row(*(f"[dim]{caption}[/]" for caption in numbers))
    rest = f"[dim]99 of 100 have a proof within {found.provable_p99_ms:,.0f} ms; the log's root is {found.root[:16]}…[/]"
    return Group(table, Align.center(rest))


def _fraud(found: Figures) -> Table:
    table = _table("FRAUD")
    missed = found.fraud - found.fraud_declined - found.fraud_reviewed
    shares = [round(_BAR * count / max(found.fraud, 1)) for count in (found.fraud_declined, found.fraud_reviewed)]
    bar = f"[red]{'█' * shares[0]}[/][yellow]{'█' * shares[1]}[/][dim]{'░' * (_BAR - sum(shares))}[/]"
    table.add_row(f"{found.fraud:,} frauds", bar)
    caught = f"[red]{found.fraud_declined:,} declined[/]  [yellow]{found.fraud_reviewed:,} to review[/]"
    table.add_row("", f"{caught}  [dim]{missed:,} missed[/]")
    genuine = found.decisions - found.rejected - found.fraud
    table.add_row(f"{genuine:,} genuine", f"{found.genuine_declined:,} declined  {found.genuine_reviewed:,} to review")
    if found.average_precision is not None:
        table.add_row(
            "ranking", f"average precision {found.average_precision:.3f} [dim]({found.stale:,} with profiles not final)[/]"
        )
    return table


def _decision(told: Told) -> Table:
    said = told.verified.said
    table = _table(_TITLES.get(said.get("outcome", ""), "ONE TRANSACTION"))
    table.add_row("transaction", f"{escape(told.transaction_id)}{_amount(said)}, its proof fetched from audit")
    if told.verified.code == 0:
        for label, line in _reasons(said):
            table.add_row(label, line)
    table.add_row(
        "verified", _mark(told.verified.code == 0, "offline, from the bundle and the trust policy alone", told.verified)
    )
    if cosigned := said.get("log", {}).get("cosigned"):
        table.add_row("witnessed by", f"{escape(', '.join(sorted(cosigned)))}: {QUORUM} of {len(WITNESSES)} must cosign")
    for anchor in said.get("anchors", []):
        kind = {"rfc3161": "an RFC 3161 time stamp", "evm": "a contract on an EVM chain"}[anchor["kind"]]
        table.add_row("anchored by", f"{escape(anchor['by'])}: {kind} [dim]{escape(anchor['time'][11:19])}[/]")
    refusal = str(told.refused.said.get("reason")).partition(":")[0]
    table.add_row("one bit flipped", _mark(told.refused.code == 1, f"refused: {escape(refusal)}", told.refused))
    bits = (told.replayed.said.get("logged") or {}).get("margin_bits", "?")
    engines = " and ".join(_ENGINES.get(run["engine"], run["engine"]) for run in told.replayed.said.get("executions", []))
    table.add_row("replayed", _mark(told.replayed.code == 0, f"to the same bits, {bits}, by {engines}", told.replayed))
    seals = sum(one["seals"] for one in told.complete.said.get("sealers", []))
    line = f"all are on what the sealer read itself, by {seals:,} seals"
    table.add_row("none left out", _mark(told.complete.code == 0, line, told.complete))
    return table


_ENGINES = {"own": "our own code", "xgboost": "XGBoost"}


def _amount(said: dict[str, Any]) -> str:
    transaction = said.get("disclosed", {}).get("transaction")
    return f", {transaction['amount_minor'] / 100:,.2f} {escape(transaction['currency'])}" if transaction else ""


def _reasons(said: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what moved the margin most, and who answers for the model: from the verified bundle."""
    out = []
    disclosed, governance = said.get("disclosed", {}), said["governance"]
    if explanation := disclosed.get("explanation"):
        feature = max(explanation, key=lambda name: abs(explanation[name]))
        value = disclosed.get("features", {}).get(feature)
        known = f" = {value:.6g}" if value is not None else ""
        out.append(
            ("because", f"{escape(feature)}{known} added {explanation[feature]:+.2f} to its margin, {said['margin']:.2f}")
        )
    model, activation = governance["model"], governance["activation"]
    out.append(("model", f"{escape(model['name'])} {escape(model['version'])}, published by {_people(model['publishers'])}"))
    out.append(("approved by", _people(activation["approvers"])))
    return out


def _people(names: list[str]) -> str:
    return escape(" and ".join(names))


def _table(title: str) -> Table:
    table = Table(box=None, show_header=False, title=f"[bold]{title}", title_justify="left", title_style="", expand=True)
    table.add_column(style="dim", width=15, no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    return table


def _mark(held: bool, line: str, verdict: Verdict) -> str:
    if held:
        return f"[green]✓[/] {line}"
    return f"[bold red]✗ code {verdict.code}: {escape(str(verdict.said.get('reason')))}[/]"
