"""The command line of `tallystick incident`."""

import argparse
from pathlib import Path

from tallystick.cli.approval import add_approve, add_common, approve, failures_told, load_governance, propose
from tallystick.cli.incident.statement import next_incident, open_incident_file
from tallystick.contracts import Incident
from tallystick.trust.policy import TrustPolicy

_NUMBERS = {
    "--from-sequence": "the sequence that is next in the log, as the notary's health says",
    "--to-sequence": "the sequence with which the log goes on; the same if no decision is missing",
    "--record-offset": "where in the partition of topic `decisions` that one is looked for",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's two actions and their arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    first = actions.add_parser("propose", help="state and sign where a stopped partition goes on")
    first.add_argument("--topic", default="transactions", metavar="TOPIC", help="the input topic (%(default)s)")
    first.add_argument("--partition", type=int, required=True, metavar="N", help="the partition that has stopped")
    for name, line in _NUMBERS.items():
        first.add_argument(name, type=int, required=True, metavar="N", help=line)
    first.add_argument("--explanation", required=True, metavar="TEXT", help="what happened; it stays in the log for ever")
    add_common(first)
    first.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the record, for the second approver")
    first.set_defaults(act=_propose)
    second = actions.add_parser("approve", help="check, sign and send an incident that somebody else proposed")
    add_approve(second)
    second.set_defaults(act=_approve)


@failures_told("incident")
def run(args: argparse.Namespace) -> int:
    """Run the chosen action; 0 done, 1 refused or failed, 2 wrong settings."""
    return int(args.act(args))


def _propose(args: argparse.Namespace) -> int:
    policy = TrustPolicy.load(args.trust)
    statement = next_incident(
        policy,
        args.topic,
        args.partition,
        from_sequence=args.from_sequence,
        to_sequence=args.to_sequence,
        record_offset=args.record_offset,
        explanation=args.explanation,
    )
    record = Incident(statement=statement.SerializeToString(deterministic=True))
    return propose(args, record, load_governance(args), open_incident_file(policy))


def _approve(args: argparse.Namespace) -> int:
    return approve(args, open_incident_file(TrustPolicy.load(args.trust)))
