"""The command: read the file, go through the decisions of a time, say what does not agree."""

import asyncio
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tallystick.cli.activate.command import parse_time_ms
from tallystick.cli.audit import AuditUnavailableError, read_token
from tallystick.cli.backtest.reading import EvidenceReader, Period, decisions_of
from tallystick.cli.fsck.check import location_of
from tallystick.cli.fsck.command import Bars
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.reconcile.clearing import ClearingError, read_clearing
from tallystick.cli.reconcile.tally import UNCLEARED, Tally
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.contracts import Outcome
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.policy import TrustPolicy
from tallystick.verifier.inputs import UnreadableError, read_policy
from tallystick.verifier.printing import write_error, write_json

_NAMED = 5
GROUPS = ("identity", "transaction")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="what was cleared: CSV or Parquet with transaction_id, amount_minor, currency"
    )
    parser.add_argument("--from", dest="from_ms", type=parse_time_ms, required=True, metavar="WHEN", help="ISO 8601 or ms")
    parser.add_argument("--to", dest="to_ms", type=parse_time_ms, required=True, metavar="WHEN", help="the end, not included")
    parser.add_argument("--logs", required=True, metavar="URL_OR_DIR", help="where the logs are, as for fsck")
    parser.add_argument("--policy", metavar="PATH", required=True, help="the trust policy's folder")
    parser.add_argument("--audit", required=True, metavar="URL", help="the audit service that opens ids and amounts")
    parser.add_argument("--token-file", required=True, metavar="FILE", help="bearer token for entries and evidence")
    parser.add_argument("--uncleared-ok", action="store_true", help="do not count what was approved and is not in the file")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.epilog = "Exit codes: 0 both agree, 1 they do not (what does not is named), 2 something cannot be read."


def run(args: Namespace) -> int:
    """Compare; return 0 if both agree, 1 if not, 2 if that could not be found out."""
    try:
        token = read_token(args.token_file)
        tally = Tally(read_clearing(args.file))
        with Bars(args.json) as bars:
            asyncio.run(_read(args, read_policy(args.policy), token, tally, bars))
    except BrokenError as error:
        print_refusal("NOT SOUND", f"{error}.")
        return 1
    except (UnreadableError, ClearingError, LogUnavailableError, AuditUnavailableError, OSError, ValueError) as error:
        write_error("reconcile", error)
        return 2
    tally.end()
    if args.uncleared_ok:
        del tally.findings[UNCLEARED]
    if args.json:
        write_json(_as_json(tally))
    else:
        _print(tally)
    return 0 if tally.agrees else 1


async def _read(args: Namespace, policy: TrustPolicy, token: str, tally: Tally, bars: Bars) -> None:
    period = Period(args.from_ms, args.to_ms)
    async with EvidenceReader(args.audit, token) as reader:
        async for found in decisions_of(location_of(args.logs), policy, period, token, bars.advance):
            scored = [decision for decision in found if decision.outcome != Outcome.OUTCOME_REJECTED]
            tally.rejected += len(found) - len(scored)
            tally.add(scored, await reader.read(scored, GROUPS))


def _print(tally: Tally) -> None:
    rows = [
        (
            f"{key[0]} {key[1].lower()}",
            "decided {:,} of {:,} minor units, cleared {:,} of {:,}".format(
                *(counted[key] for counted in (tally.decided, tally.decided_minor, tally.cleared, tally.cleared_minor))
            ),
        )
        for key in _keys(tally)
    ]
    notes = []
    for kind, finding in tally.findings.items():
        if finding.count:
            named = ", ".join(finding.ids[:_NAMED])
            notes.append(("✗", f"{finding.count:,} {kind}: {named}{', …' if finding.count > _NAMED else ''}"))
    if tally.rejected:
        notes.append(("!", f"{tally.rejected:,} records were rejected: what they were nobody logged, they are in dead-letter"))
    if tally.closed:
        notes.append(
            (
                "!",
                f"{tally.closed:,} decisions were not opened (not disclosed, or erased): what they were about is not compared",
            )
        )
    print_rows("RECONCILED" if tally.agrees else "NOT RECONCILED", tally.agrees, rows, notes)


def _keys(tally: Tally) -> list[tuple[str, str]]:
    return sorted(tally.decided.keys() | tally.cleared.keys())


def _as_json(tally: Tally) -> dict[str, Any]:
    return {
        "reconciled": tally.agrees,
        "totals": [
            {
                "currency": currency,
                "outcome": outcome,
                "decided": tally.decided[currency, outcome],
                "decided_minor": tally.decided_minor[currency, outcome],
                "cleared": tally.cleared[currency, outcome],
                "cleared_minor": tally.cleared_minor[currency, outcome],
            }
            for currency, outcome in _keys(tally)
        ],
        "findings": {kind: asdict(finding) for kind, finding in tally.findings.items()},
        "rejected": tally.rejected,
        "not_opened": tally.closed,
    }
