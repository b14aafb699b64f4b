"""The command line of `tallystick activate`."""

import argparse
import asyncio
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from aiokafka.errors import KafkaError
from pydantic import ValidationError

from tallystick.cli.activate.activation import (
    ActivationError,
    Proposal,
    approve,
    next_activation,
    open_activation_file,
    propose,
)
from tallystick.cli.activate.governance_log import GovernanceLogError, read_governance
from tallystick.cli.activate.keys import SigningKeyError, generate_key, public_key_of, read_key, write_key
from tallystick.cli.activate.publishing import send_activation
from tallystick.contracts import Activation
from tallystick.runtime.settings import KafkaSettings, describe
from tallystick.trust.governance import Governance
from tallystick.trust.policy import TrustPolicy, TrustPolicyError
from tallystick.trust.records import CHAMPION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's three actions and their arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_propose(actions.add_parser("propose", help="state and sign the next activation"))
    _add_approve(actions.add_parser("approve", help="check, sign and send an activation that somebody else proposed"))
    keygen = actions.add_parser("keygen", help="make a person's signing key")
    keygen.add_argument("name", metavar="NAME", help="the person's name for the trust policy")
    keygen.add_argument("--out", type=Path, required=True, metavar="FILE", help="the new key file")
    keygen.set_defaults(act=_keygen)


def _add_propose(parser: argparse.ArgumentParser) -> None:
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", type=_digest, metavar="DIGEST", help="the model by SHA-256")
    model.add_argument("--model-index", type=int, metavar="N", help="the model by its index in the governance log")
    parser.add_argument("--policy", type=_digest, required=True, metavar="DIGEST", help="the policy by SHA-256")
    parser.add_argument("--slot", default=CHAMPION, help=f"the place that the model takes (default: {CHAMPION})")
    parser.add_argument(
        "--effective-at", type=parse_time_ms, required=True, metavar="WHEN", help="now, ISO 8601 or milliseconds"
    )
    _add_common(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the activation, for the second approver")
    parser.set_defaults(act=_propose)


def _add_approve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what `propose` wrote")
    _add_common(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--publish", action="store_true", help="send it to the governance log")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="the brokers (default: TALLYSTICK_KAFKA_BOOTSTRAP)")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="where to write it (default: over FILE)")
    parser.set_defaults(act=_approve)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", required=True, metavar="URL", help="the governance log, file:///… or https://…")
    parser.add_argument("--trust", type=Path, required=True, metavar="PATH", help="the trust policy's folder")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="your Ed25519 key, PEM")
    parser.add_argument("--signer", required=True, metavar="NAME", help="your name in the trust policy")


def run(args: argparse.Namespace) -> int:
    """Run the chosen action; 0 done, 1 refused or failed, 2 wrong settings."""
    try:
        return int(args.act(args))
    except ValidationError as error:
        sys.stderr.write("".join(f"tallystick activate: {problem}\n" for problem in describe(error)))
        return 2
    except (ActivationError, GovernanceLogError, SigningKeyError, TrustPolicyError, KafkaError, OSError) as error:
        sys.stderr.write(f"tallystick activate: {error}\n")
        return 1


def _keygen(args: argparse.Namespace) -> int:
    key = generate_key()
    write_key(key, args.out)
    name = args.name.replace("\\", "\\\\").replace('"', '\\"')
    sys.stdout.write(f'[[signers]]\nname = "{name}"\npublic_key = "{public_key_of(key)}"\nroles = ["approver"]\n')
    return 0


def _propose(args: argparse.Namespace) -> int:
    policy, key = TrustPolicy.load(args.trust), read_key(args.key)
    governance = asyncio.run(read_governance(args.log, policy))
    model_digest = args.model if args.model is not None else _digest_at(governance, args.model_index)
    statement = next_activation(governance, model_digest, args.policy, args.effective_at, args.slot)
    activation = propose(statement, key, args.signer, policy)
    data = activation.SerializeToString()
    proposal = open_activation_file(data, governance, policy)
    args.out.write_bytes(data)
    sys.stdout.write(f"{summary(proposal)}{args.out}: signed by {args.signer}; it needs a second approver\n")
    return 0


def _approve(args: argparse.Namespace) -> int:
    policy, key, data = TrustPolicy.load(args.trust), read_key(args.key), args.file.read_bytes()
    kafka = KafkaSettings() if args.kafka is None else KafkaSettings(kafka_bootstrap=args.kafka)
    governance = asyncio.run(read_governance(args.log, policy))
    proposal = open_activation_file(data, governance, policy)
    sys.stdout.write(summary(proposal))
    if not args.yes and not _agreed():
        sys.stderr.write("tallystick activate: not approved\n")
        return 1
    activation = approve(Activation.FromString(data), key, args.signer, policy)
    out = args.out or args.file
    out.write_bytes(activation.SerializeToString())
    signers = " and ".join(signature.signer for signature in activation.signatures)
    if args.publish:
        asyncio.run(send_activation(kafka, activation))
    sys.stdout.write(f"{out}: signed by {signers}{', sent' if args.publish else ''}\n")
    return 0


def _agreed() -> bool:
    if not sys.stdin.isatty():
        sys.stderr.write("tallystick activate: there is nobody to ask; --yes approves what is shown\n")
        return False
    return input("Approve? [y/N] ").strip().lower() in {"y", "yes"}


def _digest_at(governance: Governance, index: int) -> bytes:
    for digest, (place, _) in governance.models.items():
        if place == index:
            return digest
    raise ActivationError(f"the governance log has no accepted model at index {index}")


def summary(proposal: Proposal) -> str:
    """Say what an activation would do, in lines for people."""
    statement, model, policy = proposal.statement, proposal.model, proposal.policy
    effective_at = datetime.fromtimestamp(statement.effective_at_ms / 1000, UTC).isoformat(" ", "milliseconds")
    figures = ", ".join(f"{name} {value:.4g}" for name, value in sorted(model.metrics.items()))
    superseded = f", supersedes index {statement.superseded_index}" if statement.HasField("superseded_index") else ""
    return (
        f"activation {statement.number} of {statement.slot}{superseded}, in force from {effective_at}\n"
        f"  model  {model.name} {model.version}, index {statement.model_index}, SHA-256 {statement.model_digest.hex()}\n"
        f"         {model.engine}; held out: {figures or 'no figures'}\n"
        f"  policy {policy.name} {policy.version}, index {statement.policy_index}, SHA-256 {statement.policy_digest.hex()}\n"
        f"         decline from margin {policy.decline_margin:.6g}, review from {policy.review_margin:.6g}\n"
    )


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
