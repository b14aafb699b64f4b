"""The command line of `tallystick policy`."""

import argparse
import hashlib
import sys
from pathlib import Path

from tallystick.cli.approval import add_common, add_log, failures_told, load_governance
from tallystick.cli.policy.publishing import publish
from tallystick.cli.policy.update import updated_files
from tallystick.trust.policy import TrustPolicy

FILES = ("log.policy", "trust.toml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's actions and their arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="say whom a trust policy believes, and its files' digests")
    show.add_argument("--trust", type=Path, required=True, metavar="PATH", help="the trust policy's folder")
    show.set_defaults(act=_show)
    update = actions.add_parser("update", help="write a trust policy that knows the keys that the governance log has changed")
    add_log(update)
    update.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="a new folder for it")
    update.set_defaults(act=_update)
    send = actions.add_parser("publish", help="sign a scoring policy (thresholds, rules, lists) and send it to be logged")
    send.add_argument("file", type=Path, metavar="FILE", help="the policy, TOML; its lists' files beside it")
    add_common(send)
    send.add_argument("--models", type=Path, metavar="DIR", help="where scoring finds models and lists: its lists go there")
    send.add_argument("--keys", type=Path, metavar="DIR", help="write the lists' keys there, for those who may check them")
    send.add_argument("--kafka", metavar="HOST:PORT", help="the brokers (default: TALLYSTICK_KAFKA_BOOTSTRAP)")
    send.set_defaults(act=publish)


@failures_told("policy")
def run(args: argparse.Namespace) -> int:
    """Run the chosen action; 0 done, 1 refused or failed."""
    return int(args.act(args))


def _show(args: argparse.Namespace) -> int:
    sys.stdout.write(summary(args.trust))
    return 0


def _update(args: argparse.Namespace) -> int:
    keys = load_governance(args).log_keys
    log_policy, trust_toml = ((args.trust / name).read_bytes() for name in FILES)
    files = updated_files(log_policy, trust_toml, keys)
    args.out.mkdir(parents=True)
    for name, data in files.items():
        (args.out / name).write_bytes(data)
    sys.stdout.write(summary(args.out))
    return 0


def summary(folder: Path) -> str:
    """Say whom the policy in a folder believes, in lines for people."""
    policy = TrustPolicy.load(folder)
    logs = policy.log_policy
    lines = [f"{name:11} SHA-256 {hashlib.sha256((folder / name).read_bytes()).hexdigest()}" for name in FILES]
    for key, _ in logs.logs:
        retired = f", retired: good up to {logs.retired[key]:,} entries" if key in logs.retired else ""
        lines.append(f"log         {key}{retired}")
    lines += [f"witness     {name} {key}" for name, key in logs.witnesses.items()]
    lines.append(f"quorum      {logs.quorum or 'none'}")
    lines += [f"founder     {signer.name}: {', '.join(sorted(signer.roles))}" for signer in policy.signers]
    return "".join(f"{line}\n" for line in lines)
