"""The two steps on the command line: one approver proposes a record into a file, another looks at it, signs it and sends it."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Generic

from aiokafka.errors import KafkaError
from pydantic import ValidationError

from tallystick.cli.approval.governance_log import GovernanceLogError, read_governance
from tallystick.cli.approval.keys import SigningKeyError, read_key
from tallystick.cli.approval.signatures import ApprovalError, Record, signed
from tallystick.runtime.kafka import producer
from tallystick.runtime.settings import KafkaSettings, describe
from tallystick.trust.governance import Governance
from tallystick.trust.policy import TrustPolicy, TrustPolicyError
from tallystick.verifier.printing import write_error

GOVERNANCE_TOPIC = "governance"


@dataclass(frozen=True, slots=True)
class Proposed(Generic[Record]):
    """A record that the log calls for now: its key in the topic, and what it would do, in lines for people."""

    record: Record
    key: str
    summary: str


Open = Callable[[bytes, Governance], Proposed[Record]]
"""Reads a proposed record and checks that the log calls for it and that its signatures hold. Raises ApprovalError."""


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add what reading the log needs: where it is, and whom to believe."""
    parser.add_argument("--log", required=True, metavar="URL", help="the governance log, file:///… or https://…")
    parser.add_argument("--trust", type=Path, required=True, metavar="PATH", help="the trust policy's folder")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what both steps need: the log, whom to believe, and who signs."""
    add_log(parser)
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="your Ed25519 key, PEM")
    parser.add_argument("--signer", required=True, metavar="NAME", help="your name in the trust policy or the log")


def add_approve(parser: argparse.ArgumentParser) -> None:
    """Add the second step's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `propose` wrote")
    add_common(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--publish", action="store_true", help="send it to the governance log")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="the brokers (default: TALLYSTICK_KAFKA_BOOTSTRAP)")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="where to write it (default: over FILE)")


def load_governance(args: argparse.Namespace) -> Governance:
    """Read and verify the governance log that the arguments name. Raises GovernanceLogError, TrustPolicyError."""
    return asyncio.run(read_governance(args.log, TrustPolicy.load(args.trust)))


def propose(args: argparse.Namespace, record: Record, governance: Governance, open_record: Open[Record]) -> int:
    """Sign a record as the first approver and write it to `args.out`. Raises ApprovalError, SigningKeyError, OSError."""
    first = signed(record, read_key(args.key), args.signer, governance.roster)
    data = first.SerializeToString()
    proposed = open_record(data, governance)
    args.out.write_bytes(data)
    sys.stdout.write(f"{proposed.summary}{args.out}: signed by {args.signer}; it needs a second approver\n")
    return 0


def approve(args: argparse.Namespace, open_record: Open[Record]) -> int:
    """Show what `args.file` would do, ask, sign it as a further approver, and send it if that was asked for.

    Raises ApprovalError, SigningKeyError, GovernanceLogError, TrustPolicyError, KafkaError, OSError.
    """
    key, data = read_key(args.key), args.file.read_bytes()
    kafka = KafkaSettings() if args.kafka is None else KafkaSettings(kafka_bootstrap=args.kafka)
    governance = load_governance(args)
    proposed = open_record(data, governance)
    sys.stdout.write(proposed.summary)
    if not args.yes and not _agreed():
        raise ApprovalError("not approved")
    record = signed(proposed.record, key, args.signer, governance.roster)
    open_record(record.SerializeToString(), governance)
    out = args.out or args.file
    out.write_bytes(record.SerializeToString())
    signers = " and ".join(signature.signer for signature in record.signatures)
    if args.publish:
        asyncio.run(send(kafka, proposed.key.encode(), record.SerializeToString()))
    sys.stdout.write(f"{out}: signed by {signers}{', sent' if args.publish else ''}\n")
    return 0


def failures_told(command: str) -> Callable[[Callable[[argparse.Namespace], int]], Callable[[argparse.Namespace], int]]:
    """Turn what can go wrong into one line and an exit code: 1 refused or failed, 2 wrong settings."""

    def decorate(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
        @wraps(run)
        def told(args: argparse.Namespace) -> int:
            try:
                return run(args)
            except ValidationError as error:
                sys.stderr.write("".join(f"tallystick {command}: {problem}\n" for problem in describe(error)))
                return 2
            except (ApprovalError, GovernanceLogError, SigningKeyError, TrustPolicyError, KafkaError, OSError) as error:
                write_error(command, error)
                return 1

        return told

    return decorate


async def send(kafka: KafkaSettings, key: bytes, value: bytes) -> None:
    """Send a fully signed record and wait until the brokers have it; the notary logs it from there. Raises KafkaError."""
    async with producer(kafka) as sender:
        await sender.send_and_wait(GOVERNANCE_TOPIC, key=key, value=value)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ApprovalError("there is nobody to ask; --yes approves what is shown")
    return input("Approve? [y/N] ").strip().lower() in {"y", "yes"}
