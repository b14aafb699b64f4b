"""The command: read the digests, ask for the records, say what does not agree and who was shown what."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import Any

from tallystick.cli.accesses.check import Finding, Person, check, logged_digests
from tallystick.cli.activate.command import parse_time_ms
from tallystick.cli.approval import GovernanceLogError, read_governance_entries
from tallystick.cli.audit import AuditClient, AuditUnavailableError, read_token
from tallystick.cli.fsck.check import location_of
from tallystick.cli.fsck.command import Bars
from tallystick.cli.verify.screen import print_rows
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.policy import log_name
from tallystick.verifier.inputs import UnreadableError, read_policy
from tallystick.verifier.printing import write_error, write_json
from tallystick.verifier.report import utc

UNCHECKED = (
    "what was shown around the service: whoever reads its database and Vault as its operator leaves no record",
    "what was shown since the last digest: it is under the next one, within a minute",
)
_SHOWN = 8


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("logs", metavar="URL_OR_DIR", help="where the logs are, each in a folder named as its origin ends")
    parser.add_argument("--policy", metavar="PATH", required=True, help="the trust policy's folder")
    parser.add_argument("--audit", required=True, metavar="URL", help="the audit service that keeps the records")
    parser.add_argument("--token-file", required=True, metavar="FILE", help="an auditor's or privacy officer's bearer token")
    parser.add_argument(
        "--from", dest="from_ms", type=parse_time_ms, metavar="WHEN", help="digests from then on; ISO 8601 or ms"
    )
    parser.add_argument("--to", dest="to_ms", type=parse_time_ms, metavar="WHEN", help="the end, not included")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.epilog = (
        "Exit codes: 0 every record is as it was digested, 1 not so (the batches are named), 2 something cannot be read,"
        " or the log is not sound."
    )


def run(args: Namespace) -> int:
    """Compare; return 0 if all records are as they were digested, 1 if not, 2 if that could not be found out."""
    try:
        with Bars(args.json) as bars:
            finding = asyncio.run(_check(args, bars))
    except (UnreadableError, LogUnavailableError, GovernanceLogError, AuditUnavailableError, OSError, ValueError) as error:
        write_error("accesses", error)
        return 2
    if args.json:
        write_json(_as_json(finding))
    else:
        _print(finding)
    return 1 if finding.differing else 0


async def _check(args: Namespace, bars: Bars) -> Finding:
    policy, token = read_policy(args.policy), read_token(args.token_file)
    _, entries = await read_governance_entries(f"{location_of(args.logs)}/{log_name(policy.governance_origin)}", policy)
    logged, refused = logged_digests(entries)
    digests = [
        digest
        for digest in logged
        if (args.from_ms is None or digest.until_ms >= args.from_ms) and (args.to_ms is None or digest.until_ms < args.to_ms)
    ]
    async with AuditClient(args.audit, token) as audit:
        finding = await check(digests, audit, bars.advance)
    finding.differing[:0] = refused
    return finding


def _print(finding: Finding) -> None:
    rows = [("records", f"{finding.records:,} in {finding.batches:,} batches")]
    if finding.until_ms is not None:
        rows.append(("digested until", utc(finding.until_ms)))
    rows += [(f"{by} ({scope})" if scope else by, _told(person)) for (by, scope), person in sorted(finding.people.items())]
    notes = [("✗", why) for why in finding.differing[:_SHOWN]]
    if more := finding.differing[_SHOWN:]:
        notes.append(("✗", f"and {len(more):,} more"))
    notes += [("?", f"not checked: {left}") for left in UNCHECKED]
    print_rows("CHANGED" if finding.differing else "UNCHANGED", not finding.differing, rows, notes)


def _told(person: Person) -> str:
    groups = ", ".join(f"{group} {count:,}" for group, count in sorted(person.groups.items()))
    return f"{person.records:,} times, evidence of {person.places:,} decisions ({groups}), {person.first} to {person.last}"


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "unchanged": not finding.differing,
        "reason": finding.differing[0] if finding.differing else None,
        "batches": finding.batches,
        "records": finding.records,
        "until_ms": finding.until_ms,
        "differing": finding.differing,
        "people": [
            {
                "by": by,
                "as": scope,
                "records": person.records,
                "places": person.places,
                "groups": dict(sorted(person.groups.items())),
                "first": person.first,
                "last": person.last,
            }
            for (by, scope), person in sorted(finding.people.items())
        ],
        "unchecked": list(UNCHECKED),
    }
