"""The command: read, verify, say."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tallystick.merkle.bundles import MAX_ENTRY_SIZE
from tallystick.merkle.notes import MAX_NOTE_SIZE
from tallystick.trust.account import UNRULED
from tallystick.trust.bundle import VerifiedBundle, verify_bundle
from tallystick.trust.bundle_format import MAX_BUNDLE_BYTES
from tallystick.trust.errors import TrustError
from tallystick.trust.log_proofs import (
    MAX_LOG_PROOF_BYTES,
    MissingPartError,
    VerifiedGrowth,
    is_log_proof,
    verify_log_proof,
)
from tallystick.trust.packages.archive import ArchiveError, is_headless
from tallystick.trust.packages.verifying import verify_package
from tallystick.trust.policy import TrustPolicy
from tallystick.verifier import log_report, package_report, report
from tallystick.verifier.inputs import UnreadableError, is_package, read_file, read_policy, read_proof
from tallystick.verifier.printing import PLAIN, Screen, write_error, write_json

Ruler = Callable[[VerifiedBundle], str | None]
"""Evaluates a policy's rules again on what a bundle discloses; returns what that showed, None where it cannot be tried.

Raises BundleError if the decision says something else.
"""

MAX_PROOF_BYTES = max(MAX_BUNDLE_BYTES, MAX_LOG_PROOF_BYTES)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Check, offline, a proof bundle, a .tlog-proof file, a COSE receipt or an audit package; which it is, its content says."
    )
    parser.add_argument("file", metavar="FILE", help="the proof or package, or - for standard input")
    parser.add_argument("--policy", metavar="PATH", required=True, help="the trust policy's folder (log.policy, trust.toml)")
    parser.add_argument("--entry", metavar="FILE", help="the log entry that a receipt, or a proof file without one, is about")
    parser.add_argument("--older", metavar="FILE", help="the older signed checkpoint that a receipt of consistency is about")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.epilog = (
        "Exit codes: 0 the proof is sound, 1 it is not, 2 a file or the trust policy cannot be read, or one is missing."
    )


def run(args: Namespace, screen: Screen = PLAIN, ruler: Ruler | None = None) -> int:
    """Verify a proof; return 0 if it is sound, 1 if it is not, 2 if it could not be tried."""
    try:
        policy = read_policy(args.policy)
        data = read_proof(args.file, MAX_PROOF_BYTES)
        entry = None if args.entry is None else read_file(args.entry, MAX_ENTRY_SIZE)
        older = None if args.older is None else read_file(args.older, MAX_NOTE_SIZE)
        if is_log_proof(data):
            told = _told_log_proof(data, policy, entry, older)
        elif args.entry is not None or args.older is not None:
            raise UnreadableError("it holds all that it is about: --entry and --older are for proof files and receipts")
        elif is_package(args.file, data):
            told = _told_package(data, policy)
        else:
            told = _told_bundle(data, policy, ruler)
    except (UnreadableError, MissingPartError) as error:
        write_error("verify", error)
        return 2
    except TrustError as error:
        if args.json:
            write_json({"sound": False, "reason": str(error)})
        else:
            screen.refusal("NOT SOUND", f"{error}.")
        return 1
    if args.json:
        write_json({"sound": True, "reason": None, **told.summary})
    else:
        notes = [*(("✓", check) for check in told.checks), *(("?", f"not checked: {left}") for left in told.unchecked)]
        screen.rows("SOUND", True, told.rows, notes)
    return 0


@dataclass(frozen=True, slots=True)
class _Told:
    """A sound proof, as JSON values and as lines for people."""

    summary: dict[str, Any]
    rows: list[tuple[str, str]]
    checks: list[str]
    unchecked: list[str]


def _told_bundle(data: bytes, policy: TrustPolicy, ruler: Ruler | None) -> _Told:
    bundle = verify_bundle(data, policy)
    if ruler is not None and (ruled := ruler(bundle)) is not None:
        unchecked = [left for left in bundle.unchecked if left != UNRULED]
        bundle = replace(bundle, checks=[*bundle.checks, ruled], unchecked=unchecked)
    return _Told(report.summary(bundle), report.rows(bundle), bundle.checks, bundle.unchecked)


def _told_package(data: bytes, policy: TrustPolicy) -> _Told:
    try:
        package = verify_package(data, policy)
    except ArchiveError as error:
        if is_headless(data):
            raise ArchiveError(f"the audit package is damaged, or is none: {error}") from None
        raise
    return _Told(package_report.summary(package), package_report.rows(package), package.checks, package.unchecked)


def _told_log_proof(data: bytes, policy: TrustPolicy, entry: bytes | None, older: bytes | None) -> _Told:
    proof = verify_log_proof(data, policy, entry, older)
    if isinstance(proof, VerifiedGrowth):
        return _Told(log_report.growth_summary(proof), log_report.growth_rows(proof), proof.checks, proof.unchecked)
    return _Told(log_report.summary(proof), log_report.rows(proof), proof.checks, proof.unchecked)
