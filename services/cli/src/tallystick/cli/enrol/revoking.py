"""The command line of `tallystick revoke`."""

import argparse
from functools import partial

from tallystick.cli.approval import add_approve, approve, failures_told, load_governance, propose
from tallystick.cli.enrol.command import add_proposal
from tallystick.cli.enrol.enrolment import next_revocation, open_enrolment_file
from tallystick.contracts import Enrolment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's two actions and their arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    first = actions.add_parser("propose", help="state and sign that a person may sign nothing from now on")
    first.add_argument("name", metavar="NAME", help="the person")
    add_proposal(first)
    first.set_defaults(act=_propose)
    second = actions.add_parser("approve", help="check, sign and send a revocation that somebody else proposed")
    add_approve(second)
    second.set_defaults(act=partial(approve, open_record=open_enrolment_file))


@failures_told("revoke")
def run(args: argparse.Namespace) -> int:
    """Run the chosen action; 0 done, 1 refused or failed, 2 wrong settings."""
    return int(args.act(args))


def _propose(args: argparse.Namespace) -> int:
    governance = load_governance(args)
    record = Enrolment(statement=next_revocation(governance, args.name).SerializeToString(deterministic=True))
    return propose(args, record, governance, open_enrolment_file)
