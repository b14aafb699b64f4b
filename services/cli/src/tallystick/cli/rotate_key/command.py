"""The command line of `tallystick rotate-key`."""

import argparse
import asyncio
import sys
from base64 import b64encode
from functools import partial
from pathlib import Path

from tallystick.cli.approval import (
    ApprovalError,
    Open,
    add_approve,
    add_common,
    add_log,
    approve,
    failures_told,
    load_governance,
    propose,
)
from tallystick.cli.rotate_key.making import OperatorSettings, make_version
from tallystick.cli.rotate_key.statement import next_log_key, open_log_key_file
from tallystick.contracts import LogKey
from tallystick.merkle.encoding import decode_base64
from tallystick.runtime.log_reader import LogReader, LogUnavailableError
from tallystick.runtime.settings import load
from tallystick.trust.policy import TrustPolicy, log_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's four actions and their arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = actions.add_parser("make", help="have Vault make a key; an operator's TALLYSTICK_VAULT_* settings are needed")
    make.add_argument("origin", metavar="ORIGIN", help="the log that is to have it")
    add_log(make)
    make.set_defaults(act=_make)
    first = actions.add_parser("propose", help="state and sign that a key signs for a log from now on, beside the old one")
    _add_proposal(first)
    first.set_defaults(act=_propose, last_size=None)
    last = actions.add_parser("retire", help="state and sign that a key signs for a log no more")
    _add_proposal(last)
    last.add_argument(
        "--last-size",
        type=int,
        metavar="N",
        help="the size of the last head to believe by it (default: the present one)",
    )
    last.set_defaults(act=_retire)
    second = actions.add_parser("approve", help="check, sign and send what somebody else proposed")
    add_approve(second)
    second.set_defaults(act=_approve)


def _add_proposal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("origin", metavar="ORIGIN", help="the log")
    parser.add_argument("--public-key", type=decode_base64, required=True, metavar="BASE64", help="the key")
    add_common(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the record, for the second approver")


@failures_told("rotate-key")
def run(args: argparse.Namespace) -> int:
    """Run the chosen action; 0 done, 1 refused or failed, 2 wrong settings."""
    return int(args.act(args))


def _make(args: argparse.Namespace) -> int:
    settings, policy = load(OperatorSettings), TrustPolicy.load(args.trust)
    keys = load_governance(args).log_keys.with_added(policy.log_policy).logs
    known = {key.public_key for key, _ in keys if key.name == args.origin}
    if not known:
        raise ApprovalError(f"the trust policy has no log {args.origin!r}")
    made = make_version(settings, f"notary-{log_name(args.origin)}", known)
    sys.stdout.write(f"{b64encode(made).decode()}\n")
    return 0


def _propose(args: argparse.Namespace) -> int:
    governance, policy = load_governance(args), TrustPolicy.load(args.trust)
    statement = next_log_key(governance, policy, args.origin, args.public_key, args.last_size)
    record = LogKey(statement=statement.SerializeToString(deterministic=True))
    return propose(args, record, governance, _opening(policy))


def _retire(args: argparse.Namespace) -> int:
    if args.last_size is None:
        args.last_size = asyncio.run(_present_size(args, TrustPolicy.load(args.trust)))
    return _propose(args)


def _approve(args: argparse.Namespace) -> int:
    return approve(args, _opening(TrustPolicy.load(args.trust)))


def _opening(policy: TrustPolicy) -> Open[LogKey]:
    return partial(open_log_key_file, policy=policy)


async def _present_size(args: argparse.Namespace, policy: TrustPolicy) -> int:
    """Return the size of the log's public checkpoint; the logs lie side by side."""
    url = f"{args.log.rstrip('/').rpartition('/')[0]}/{log_name(args.origin)}"
    try:
        async with LogReader(url) as reader:
            return policy.log_policy.verify_checkpoint(await reader.checkpoint(), args.origin).checkpoint.size
    except (LogUnavailableError, ValueError) as error:
        raise ApprovalError(f"cannot read the present size of {args.origin} at {url}: {error}; give --last-size") from error
