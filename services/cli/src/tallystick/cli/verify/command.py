"""The command: read, verify, say."""

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from tallystick.cli.verify.inputs import UnreadableError, read_bundle, read_policy
from tallystick.cli.verify.report import rows, summary
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.trust.bundle import BundleError, verify_bundle


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="the proof bundle's file, or - for standard input")
    parser.add_argument("--policy", metavar="PATH", required=True, help="the trust policy's folder (log.policy, trust.toml)")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.epilog = "Exit codes: 0 the bundle is sound, 1 it is not, 2 a file or the trust policy cannot be read."


def run(args: Namespace) -> int:
    """Verify a bundle; return 0 if it is sound, 1 if it is not, 2 if a file cannot be read."""
    try:
        policy = read_policy(args.policy)
        data = read_bundle(args.bundle)
    except UnreadableError as error:
        sys.stderr.write(f"tallystick verify: {error}\n")
        return 2
    try:
        bundle = verify_bundle(data, policy)
    except BundleError as error:
        if args.json:
            write_json({"sound": False, "reason": str(error)})
        else:
            print_refusal("NOT SOUND", f"{error}.")
        return 1
    if args.json:
        write_json({"sound": True, "reason": None, **summary(bundle)})
    else:
        notes = [*(("✓", check) for check in bundle.checks), *(("?", f"not checked: {left}") for left in bundle.unchecked)]
        print_rows("SOUND", True, rows(bundle), notes)
    return 0


def write_json(document: dict[str, Any]) -> None:
    """Write one JSON document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
