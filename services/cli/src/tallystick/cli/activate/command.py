"""The command line of `tallystick activate`."""

import argparse
import re
import sys
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from tallystick.cli.activate.activation import next_activation, open_activation
from tallystick.cli.approval import (
    ApprovalError,
    add_approve,
    add_common,
    approve,
    failures_told,
    generate_key,
    load_governance,
    propose,
    public_key_of,
    write_key,
)
from tallystick.contracts import Activation
from tallystick.trust.governance import Governance
from tallystick.trust.records import CHALLENGER, CHAMPION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's three actions and their arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_propose(actions.add_parser("propose", help="state and sign the next activation"))
    second = actions.add_parser("approve", help="check, sign and send an activation that somebody else proposed")
    add_approve(second)
    second.set_defaults(act=partial(approve, open_record=open_activation))
    keygen = actions.add_parser("keygen", help="make a person's signing key")
    keygen.add_argument("name", metavar="NAME", help="the person's name for the trust policy")
    keygen.add_argument("--out", type=Path, required=True, metavar="FILE", help="the new key file")
    keygen.set_defaults(act=_keygen)


def _add_propose(parser: argparse.ArgumentParser) -> None:
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", type=_digest, metavar="DIGEST", help="the model by SHA-256 (default: the slot's present one)")
    model.add_argument("--model-index", type=int, metavar="N", help="the model by its index in the governance log")
    parser.add_argument("--policy", type=_digest, metavar="DIGEST", help="the policy by SHA-256 (default: the present one)")
    parser.add_argument(
        "--slot",
        default=CHAMPION,
        help=f"the place that it takes: {CHAMPION} (default), or {CHALLENGER}NAME, in the shadow",
    )
    parser.add_argument(
        "--effective-at", type=parse_time_ms, required=True, metavar="WHEN", help="now, ISO 8601 or milliseconds"
    )
    parser.add_argument("--until", type=parse_time_ms, metavar="WHEN", help="when a challenger ends")
    add_common(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the activation, for the second approver")
    parser.set_defaults(act=_propose)


@failures_told("activate")
def run(args: argparse.Namespace) -> int:
    """Run the chosen action; 0 done, 1 refused or failed, 2 wrong settings."""
    return int(args.act(args))


def _keygen(args: argparse.Namespace) -> int:
    key = generate_key()
    write_key(key, args.out)
    name = args.name.replace("\\", "\\\\").replace('"', '\\"')
    sys.stdout.write(f'[[signers]]\nname = "{name}"\npublic_key = "{public_key_of(key)}"\nroles = ["approver"]\n')
    return 0


def _propose(args: argparse.Namespace) -> int:
    governance = load_governance(args)
    model_digest = args.model if args.model_index is None else _digest_at(governance, args.model_index)
    statement = next_activation(governance, model_digest, args.policy, args.effective_at, args.slot, args.until)
    record = Activation(statement=statement.SerializeToString(deterministic=True))
    return propose(args, record, governance, open_activation)


def _digest_at(governance: Governance, index: int) -> bytes:
    for digest, (place, _) in governance.models.items():
        if place == index:
            return digest
    raise ApprovalError(f"the governance log has no accepted model at index {index}")


def parse_time_ms(text: str) -> int:
    """Read a time: "now", milliseconds since 1970-01-01T00:00:00Z, or ISO 8601 with its offset from UTC.

    Raises:
        argparse.ArgumentTypeError: it is none of these.
    """
    if text == "now":
        return time.time_ns() // 1_000_000
    if re.fullmatch(r"[0-9]{1,15}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not now, milliseconds, or ISO 8601 with an offset (…Z)")
    return round(moment.timestamp() * 1000)


def _digest(text: str) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) != 32:
        raise ValueError(text)
    return digest
