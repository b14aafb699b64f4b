"""The command line of `tallystick enrol`."""

import argparse
from functools import partial
from pathlib import Path

from tallystick.cli.approval import add_approve, add_common, approve, failures_told, load_governance, propose
from tallystick.cli.enrol.enrolment import next_enrolment, open_enrolment_file
from tallystick.contracts import Enrolment
from tallystick.merkle.encoding import decode_base64
from tallystick.trust.statements import ROLES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's two actions and their arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    first = actions.add_parser("propose", help="state and sign a person's roles, all of them")
    first.add_argument("name", metavar="NAME", help="the person; as they will sign")
    first.add_argument(
        "--public-key", type=decode_base64, metavar="BASE64", help="as `tallystick activate keygen` prints it; for somebody new"
    )
    first.add_argument("--role", action="append", required=True, choices=sorted(ROLES), dest="roles", help="repeat for several")
    add_proposal(first)
    first.set_defaults(act=_propose)
    second = actions.add_parser("approve", help="check, sign and send an enrolment that somebody else proposed")
    add_approve(second)
    second.set_defaults(act=partial(approve, open_record=open_enrolment_file))


def add_proposal(parser: argparse.ArgumentParser) -> None:
    """Add what proposing takes beside the person."""
    add_common(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the record, for the second approver")


@failures_told("enrol")
def run(args: argparse.Namespace) -> int:
    """Run the chosen action; 0 done, 1 refused or failed, 2 wrong settings."""
    return int(args.act(args))


def _propose(args: argparse.Namespace) -> int:
    governance = load_governance(args)
    statement = next_enrolment(governance, args.name, args.public_key, set(args.roles))
    record = Enrolment(statement=statement.SerializeToString(deterministic=True))
    return propose(args, record, governance, open_enrolment_file)
