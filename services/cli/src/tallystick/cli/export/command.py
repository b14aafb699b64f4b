"""The command: choose, gather, write, and verify what was written as whoever gets it will."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import replace
from pathlib import Path

from tallystick.cli.activate.command import parse_time_ms
from tallystick.cli.approval import GovernanceLogError, read_governance_entries
from tallystick.cli.audit import AuditClient, read_token
from tallystick.cli.export.gathering import Gathered, NothingFoundError, gather
from tallystick.cli.export.sealing import seals_over
from tallystick.cli.export.selecting import Chosen, TooManyError, parse_places, places_of_a_time
from tallystick.cli.export.writing import is_list, package, wanted_lists
from tallystick.cli.fsck.check import location_of
from tallystick.cli.replay.decided import UnsoundError
from tallystick.cli.replay.evidence_api import EvidenceApi
from tallystick.cli.replay.opened import EvidenceUnavailableError
from tallystick.cli.replay.reading import BrokenLogError
from tallystick.cli.verify.ruling import MAX_LIST_BYTES
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.decisions import GROUPS
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import replay
from tallystick.trust.packages.contents import Case
from tallystick.trust.packages.verifying import VerifiedPackage, verify_package
from tallystick.trust.policy import log_name
from tallystick.verifier import package_report
from tallystick.verifier.inputs import UnreadableError, read_file, read_policy
from tallystick.verifier.printing import write_error, write_json


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--case", required=True, metavar="NAME", help="what the case is called")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the package to write, a zip")
    parser.add_argument("--audit", required=True, metavar="URL", help="the audit service")
    parser.add_argument("--policy", required=True, metavar="PATH", help="your trust policy's folder; the package holds another")
    parser.add_argument("--token-file", metavar="FILE", help="bearer token: without it, only what everybody may see")
    chosen = parser.add_argument_group("which decisions (all of these together)")
    chosen.add_argument("--transaction", action="append", default=[], metavar="ID", help="the newest on it; may repeat")
    chosen.add_argument("--place", action="append", default=[], type=parse_places, metavar="P/S[-S]", help="may repeat")
    chosen.add_argument("--from", dest="from_ms", type=parse_time_ms, metavar="WHEN", help="those of a time; ISO 8601 or ms")
    chosen.add_argument("--to", dest="to_ms", type=parse_time_ms, metavar="WHEN", help="its end, not included")
    chosen.add_argument("--customer", metavar="ID", help="of that time, only this customer's")
    parser.add_argument("--logs", metavar="URL_OR_DIR", help="where the logs are (default: the audit service)")
    parser.add_argument(
        "--disclose", type=_groups, default=(), metavar="GROUPS", help=f"evidence to open, with commas: {', '.join(GROUPS)}"
    )
    parser.add_argument("--lists", type=Path, metavar="DIR", help="the policies' lists, <SHA-256>.list, to put in")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.set_defaults(refuse=parser.error)
    parser.epilog = (
        "Exit codes: 0 written and sound, 1 what was gathered is not sound, 2 nothing was found, or cannot be read or written."
    )


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(text.split(",")))
    if unknown := [group for group in groups if group not in GROUPS]:
        raise ArgumentTypeError(f"{unknown[0]!r} is no group of evidence; there are {', '.join(GROUPS)}")
    return groups


def run(args: Namespace) -> int:
    """Export; return 0 if a package is written, 1 if what was gathered is not sound, 2 if nothing is there or can be tried."""
    if not (args.transaction or args.place or args.from_ms is not None):
        args.refuse("say which decisions: --transaction, --place, or --from and --to")
    if (args.from_ms is None) != (args.to_ms is None) or (args.customer is not None and args.from_ms is None):
        args.refuse("a time is --from and --to, and --customer is of a time")
    try:
        data, verified = asyncio.run(_export(args))
        _write(args.output, data)
    except (BrokenLogError, UnsoundError, TrustError) as error:
        print_refusal("NOT SOUND", f"{error}; nothing was written.")
        return 1
    except (
        *(UnreadableError, GovernanceLogError, LogUnavailableError, EvidenceUnavailableError),
        *(NothingFoundError, TooManyError, OSError, ValueError),
    ) as error:
        write_error("export", error)
        return 2
    if args.json:
        write_json({"written": str(args.output), "size_bytes": len(data), **package_report.summary(verified)})
    else:
        rows = [("written", f"{args.output}, {len(data):,} bytes"), *package_report.rows(verified)]
        print_rows("WRITTEN", True, rows, [("✓", check) for check in verified.checks])
    return 0


async def _export(args: Namespace) -> tuple[bytes, VerifiedPackage]:
    token = read_token(args.token_file) if args.token_file else None
    policy, location = read_policy(args.policy), location_of(args.logs or args.audit)
    governance_url = f"{location}/{log_name(policy.governance_origin)}"
    async with AuditClient(args.audit, token) as audit:
        chosen = Chosen()
        if args.from_ms is not None:
            _, entries = await read_governance_entries(governance_url, policy)
            period = range(args.from_ms, args.to_ms)
            source = EvidenceApi(audit)
            chosen = await places_of_a_time(location, policy, replay(entries, policy), period, token, args.customer, source)
        places = sorted({*chosen.places, *(place for some in args.place for place in some)})
        gathered = await gather(audit, dict.fromkeys(args.transaction), places, args.disclose, policy)
        if chosen.unknown:
            gathered.left_out.append(
                f"{chosen.unknown:,} decisions of the time whose customer cannot be told: rejected, erased, or not at hand"
            )
        if not gathered.bundles:
            raise NothingFoundError(_missing(args, gathered))
        # After the bundles, so that it covers whatever they name.
        signed, entries = await read_governance_entries(governance_url, policy)
        policy_files = await audit.trust_policy()
    governing = replay(entries, policy)
    current = replace(policy, log_policy=governing.log_keys.with_retired(policy.log_policy))
    decisions = [bundle.decision for bundle in gathered.verified]
    seals = await seals_over(location, current, decisions, token, gathered.left_out)
    lists = _lists(args.lists, gathered)
    case = Case(args.case, _asked(args), args.disclose, sorted(gathered.bundles), sorted(gathered.left_out))
    bundles = {place: gathered.bundles[place] for place in case.decisions}
    governance = signed, entries, governing
    data = package(case, bundles, governance, gathered.models, lists, seals, policy_files, args.output.name)
    return data, verify_package(data, policy)


def _lists(folder: Path | None, gathered: Gathered) -> dict[bytes, bytes]:
    lists = {}
    for digest, name in sorted(wanted_lists(gathered.verified).items()):
        if folder is None:
            gathered.left_out.append(f"the list {name}: its file was not at hand")
            continue
        lists[digest] = read_file(str(folder / f"{digest.hex()}.list"), MAX_LIST_BYTES)
        if not is_list(lists[digest], digest):
            raise UnreadableError(f"{folder}/{digest.hex()}.list is not the list {name}")
    return lists


def _asked(args: Namespace) -> list[str]:
    asked = [f"the transaction {name}" for name in dict.fromkeys(args.transaction)]
    asked += [
        f"partition {some[0][0]}, sequence {some[0][1]:,}" + (f" to {some[-1][1]:,}" if len(some) > 1 else "")
        for some in args.place
    ]
    if args.from_ms is not None:
        whose = "" if args.customer is None else f" of the customer {args.customer}"
        asked.append(f"everything{whose} from {args.from_ms} to {args.to_ms}, in milliseconds since 1970")
    return asked


def _missing(args: Namespace, gathered: Gathered) -> str:
    """Return why there is nothing to write: a sentence for each thing that was asked for."""
    said = list(gathered.left_out)
    if args.from_ms is not None:
        said.insert(0, f"{_asked(args)[-1]}: no decision")
    more = f"; and {len(said) - package_report.TOLD:,} more" if len(said) > package_report.TOLD else ""
    return f"nothing that was asked for is there, so nothing was written: {'; '.join(said[: package_report.TOLD])}{more}"


def _write(path: Path, data: bytes) -> None:
    """Write the file whole or not at all, for its owner alone: it may hold personal data."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_bytes(data)
    temporary.replace(path)
