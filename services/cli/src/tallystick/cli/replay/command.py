"""The command: one bundle, or every decision of a time."""

from argparse import ArgumentParser, Namespace
from os import cpu_count
from pathlib import Path

from tallystick.cli.activate.command import parse_time_ms
from tallystick.cli.replay import ranges, single
from tallystick.cli.replay.engines import ENGINES

_WEEK_S = 604_800


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="a proof bundle that discloses `features`, or - for stdin")
    parser.add_argument("--policy", metavar="PATH", required=True, help="the trust policy's folder (log.policy, trust.toml)")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="both", help="what executes models (default: %(default)s)")
    parser.add_argument("--lists", type=Path, metavar="DIR", help="the policy's lists and their keys, to ask them again")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    one = parser.add_argument_group("one bundle")
    one.add_argument("--model", metavar="FILE", help="the model's file, whose SHA-256 the log holds")
    many = parser.add_argument_group("every decision of a time")
    many.add_argument("--from", dest="from_ms", type=parse_time_ms, metavar="WHEN", help="ISO 8601 or ms")
    many.add_argument("--to", dest="to_ms", type=parse_time_ms, metavar="WHEN", help="the end, not included")
    many.add_argument("--logs", metavar="URL_OR_DIR", help="where the logs are, as for fsck")
    many.add_argument("--audit", metavar="URL", help="the audit service that opens evidence, and has the models")
    many.add_argument("--token-file", metavar="FILE", help="bearer token for entries, evidence and models")
    many.add_argument("--evidence", type=Path, metavar="DIR", help="what --save-evidence kept, instead of asking")
    many.add_argument("--save-evidence", type=Path, metavar="DIR", help="keep the opened evidence: personal data in the clear")
    many.add_argument("--models", type=Path, metavar="DIR", help="the models' files, <SHA-256>.json, instead of the service's")
    many.add_argument("--transactions", metavar="FILE", help="compute features from these, too; kafka: from the input topic")
    many.add_argument(
        "--labels", metavar="TOPIC", help="with --transactions kafka: compute what comes from profiles, too, with these labels"
    )
    many.add_argument(
        "--label-lead",
        type=int,
        default=3_600,
        metavar="SECONDS",
        help="the profiles' TALLYSTICK_LABEL_LEAD_S (default: %(default)s)",
    )
    many.add_argument(
        "--transaction-lateness",
        type=int,
        default=86_400,
        metavar="SECONDS",
        help="the profiles' TALLYSTICK_TRANSACTION_LATENESS_S (default: %(default)s)",
    )
    many.add_argument("--kafka", metavar="HOST:PORT", help="bootstrap servers for that (default: TALLYSTICK_KAFKA_*)")
    many.add_argument("--threads", type=int, default=cpu_count() or 1, metavar="N", help="for each engine (%(default)s)")
    parser.set_defaults(refuse=parser.error)
    parser.epilog = (
        "Exit codes: 0 every bit is the same, or was erased; 1 it is not (or a log or the bundle is not sound), 2 a file cannot"
        " be read, evidence is missing, or there is nothing to execute."
    )


def run(args: Namespace) -> int:
    """Execute again; return 0 if all is identical, 1 if not, 2 if it could not be tried."""
    if args.bundle is not None:
        if args.model is None:
            args.refuse("the following arguments are required: --model")
        return single.run(args)
    needed = {"--from": args.from_ms, "--to": args.to_ms, "--logs": args.logs}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        args.refuse(f"name a BUNDLE, or a time; missing for that: {', '.join(missing)}")
    if args.audit is None and (args.evidence is None or args.models is None):
        args.refuse("evidence and models come from --audit, or from --evidence and --models")
    if args.audit is not None and args.token_file is None:
        args.refuse("--audit needs --token-file: evidence is for authorised readers")
    if args.threads < 1:
        args.refuse("--threads must be 1 or more")
    if args.labels is not None and args.transactions != "kafka":
        args.refuse("--labels needs --transactions kafka: how transactions and labels came is known of topics alone")
    for name, seconds in (("--label-lead", args.label_lead), ("--transaction-lateness", args.transaction_lateness)):
        if not 0 < seconds <= _WEEK_S:
            args.refuse(f"{name} must be 1 to {_WEEK_S} seconds, as the profiles' setting")
    return ranges.run(args)
