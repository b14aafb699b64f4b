"""The command: compare, with a progress bar, and say what came of it."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tallystick.cli.activate.command import parse_time_ms
from tallystick.cli.approval import GovernanceLogError
from tallystick.cli.audit import read_token
from tallystick.cli.completeness.answering import Given
from tallystick.cli.completeness.check import Check, Finding, Wanted
from tallystick.cli.completeness.telling import answer_remarks, answer_rows, answers_as_json, never_decided
from tallystick.cli.fsck.check import location_of, told
from tallystick.cli.fsck.command import Bars
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.completeness import Stretch
from tallystick.trust.policy import TrustPolicy
from tallystick.verifier.inputs import UnreadableError, read_policy
from tallystick.verifier.printing import write_error, write_json
from tallystick.verifier.report import utc

_SHOWN = 8
UNCHECKED = (
    "what never reached the input topic: an upstream system's own numbers would show it, where it numbers its transactions",
    "the sealers: that they are nobody's but their own, and read the brokers that count",
    "the decisions: that they are right (fsck, replay)",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("logs", metavar="URL_OR_DIR", help="where the logs are, each in a folder named as its origin ends")
    parser.add_argument("--policy", metavar="PATH", required=True, help="the trust policy's folder; it names the sealers")
    parser.add_argument("--from", dest="from_ms", type=parse_time_ms, metavar="WHEN", help="seals from then on; ISO 8601 or ms")
    parser.add_argument("--to", dest="to_ms", type=parse_time_ms, metavar="WHEN", help="the end, not included")
    parser.add_argument("--topic", metavar="TOPIC", help="the input topic, if the trust policy names several")
    parser.add_argument(
        "--sealer",
        action="append",
        default=[],
        type=_served,
        metavar="NAME=URL",
        help="take this sealer's seals from itself, and hold those in the log to them; repeat",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long after its seal a record may be without a decision (%(default)g)",
    )
    parser.add_argument("--token-file", metavar="FILE", help="bearer token for entries that are not served to everybody")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.epilog = (
        "Exit codes: 0 every sealed record has its one decision, in order; 1 not so (the first sequence that differs is named),"
        " or a log is not sound; 2 something cannot be read."
    )


def run(args: Namespace) -> int:
    """Compare; return 0 if it is complete, 1 if not, 2 if that could not be found out."""
    try:
        token = read_token(args.token_file) if args.token_file else None
        policy = read_policy(args.policy)
        topic, served = _topic(policy, args.topic), dict(args.sealer)
        known = {sealer.name for sealer in policy.sealers}
        if not known or served.keys() - known:
            names = ", ".join(sorted(known)) or "none"
            raise UnreadableError(f"the sealers that the trust policy names are: {names}; nobody else's word counts")
        wanted = Wanted(args.from_ms, args.to_ms, int(args.patience * 1000), served)
        with Bars(args.json) as bars:
            check = Check(location_of(args.logs), policy, topic, wanted, bars.advance, token)
            findings = asyncio.run(check.run())
    except BrokenError as error:
        if args.json:
            write_json({"complete": False, "reason": str(error)})
        else:
            print_refusal("NOT SOUND", f"{error}.")
        return 1
    except (UnreadableError, LogUnavailableError, GovernanceLogError, OSError, ValueError) as error:
        write_error("completeness", error)
        return 2
    given = check.given or Given()
    complete = all(finding.complete for finding in findings) and not given.answers.never
    if args.json:
        reason = next(iter([*(one for finding in findings for one in _reasons(finding)), *never_decided(given)]), None)
        said = {"complete": complete, "reason": reason, "sealers": [_as_json(one) for one in findings]}
        write_json({**said, "fallbacks": None if check.given is None else answers_as_json(given)})
    else:
        _print(complete, topic, findings, given)
    return 0 if complete else 1


def _served(text: str) -> tuple[str, str]:
    name, separator, url = text.partition("=")
    if not separator or not url.startswith(("http://", "https://")):
        raise ArgumentTypeError(f"{text!r} is not NAME=URL")
    return name, url


def _topic(policy: TrustPolicy, wanted: str | None) -> str:
    if wanted is None and len(policy.topics) == 1:
        return next(iter(policy.topics))
    if wanted not in policy.topics:
        raise UnreadableError(f"give --topic, one of: {', '.join(sorted(policy.topics))}")
    return str(wanted)


def _reasons(finding: Finding) -> list[str]:
    reasons = [f"the statements of the sealer {finding.sealer} are not sound: {finding.broken}"] if finding.broken else []
    if not finding.seals and not finding.broken:
        known = "never did" if finding.known_ms is None else "did from {} to {}".format(*map(utc, finding.known_ms))
        reasons.append(f"the sealer {finding.sealer} has sealed nothing in this time; it {known}")
    for one in finding.differences:
        at = "" if one.offset is None else f" (offset {one.offset:,})"
        reasons.append(f"by {finding.sealer}: partition {one.partition}, sequence {one.sequence:,}{at}: {one.reason}")
    return reasons


def _print(complete: bool, topic: str, findings: Sequence[Finding], given: Given) -> None:
    rows: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    for finding in findings:
        rows.append((finding.sealer, f"{finding.seals:,} seals on {topic}, {finding.compared:,} decisions compared"))
        if finding.seals:
            rows.append(("", f"sealed from {utc(finding.first_ms)} to {utc(finding.last_ms)}"))
        notes += [("✗", reason) for reason in _reasons(finding)]
        notes += [("!", f"by {finding.sealer}: {line}") for line in _remarks(finding)]
    rows += answer_rows(given)
    notes += [*(("✗", reason) for reason in never_decided(given)), *(("!", line) for line in answer_remarks(given))]
    if complete:
        but = ", but for the newest, which are named below" if any(finding.undecided for finding in findings) else ""
        notes.insert(0, ("✓", f"every record that was sealed has one decision{but}, in its order; none was put in or altered"))
    print_rows(
        "COMPLETE" if complete else "NOT COMPLETE",
        complete,
        rows,
        [*notes, *(("?", f"not checked: {left}") for left in UNCHECKED)],
    )


def _remarks(finding: Finding) -> list[str]:
    """Return what is worth knowing though it breaks nothing."""
    lines = [told(incident) for incident in finding.incidents]
    if finding.unlogged > 0:
        lines.append(f"{finding.unlogged:,} of its newest seals are not in the log yet")
    if finding.undecided:
        lines.append(f"sealed, and not decided yet: {_places(finding.undecided)}")
    if finding.unsealed:
        lines.append(f"the tail, decided and not sealed yet: {_places(finding.unsealed)}")
    lines += [
        f"{source.missing:,} numbers of the upstream system {source.source!r} never came, of {source.next_sequence:,}"
        for source in finding.sources
        if source.missing
    ]
    return lines


def _places(stretches: Sequence[Stretch]) -> str:
    count = sum(one.end - one.first for one in stretches)
    places = ", ".join(f"partition {one.partition} from sequence {one.first:,}" for one in stretches[:_SHOWN])
    return f"{count:,} ({places}{', …' if stretches[_SHOWN:] else ''})"


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "sealer": finding.sealer,
        "complete": finding.complete,
        "reasons": _reasons(finding),
        "seals": finding.seals,
        "sealed_from_ms": finding.first_ms,
        "sealed_to_ms": finding.last_ms,
        "compared": finding.compared,
        "differences": [asdict(one) for one in finding.differences],
        "undecided": [asdict(one) for one in finding.undecided],
        "unsealed": [asdict(one) for one in finding.unsealed],
        "unlogged_seals": finding.unlogged,
        "incidents": [incident.index for incident in finding.incidents],
        "sources": [
            {"source": one.source, "next_sequence": one.next_sequence, "missing": one.missing} for one in finding.sources
        ],
    }
