"""`tallystick`: one command whose work is in a module each, imported only when it is asked for.

`verify` must run on an auditor's machine with nothing to connect to; it never pays for, or trusts, what `demo` needs.
"""

import sys
from argparse import Action, ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("tallystick.cli.demo", "run everything on this machine and verify a decision"),
    "verify": ("tallystick.cli.verify", "check a proof bundle, proof file or receipt, offline"),
    "replay": ("tallystick.cli.replay", "execute a decision again and compare its bits"),
    "fsck": ("tallystick.cli.fsck", "check whole logs: every hash, signature and entry"),
    "completeness": ("tallystick.cli.completeness", "hold the decisions against what sealers read of the input"),
    "accesses": ("tallystick.cli.accesses", "hold the records of who was shown evidence against their digests"),
    "reconcile": ("tallystick.cli.reconcile", "compare decisions with a clearing file"),
    "monitor-log": ("tallystick.cli.monitor_log", "follow a log and alarm if it is forked or rolled back"),
    "repair": ("tallystick.cli.repair", "make a log's damaged hash tiles anew from its entries"),
    "simulate": ("tallystick.cli.simulate", "write the public card-fraud handbook's stream"),
    "stream": ("tallystick.cli.stream", "send transactions from a file to Kafka"),
    "provision": ("tallystick.cli.provision", "prepare Vault, PostgreSQL and topics"),
    "activate": ("tallystick.cli.activate", "sign and publish a model's activation"),
    "enrol": ("tallystick.cli.enrol", "give a person roles, signed by two others"),
    "incident": ("tallystick.cli.incident", "let a partition go on after a gap, signed by two"),
    "rotate-key": ("tallystick.cli.rotate_key", "give a log another key, signed by two people"),
    "policy": ("tallystick.cli.policy", "publish a scoring policy; show or renew a trust policy"),
    "export": ("tallystick.cli.export", "put decisions and all about them in one file"),
    "backtest": ("tallystick.cli.backtest", "say what a policy would have changed"),
    "revoke": ("tallystick.cli.enrol.revoking", "take a person's roles away, signed by two others"),
}
"""Each command's module, which has `add_arguments(parser)` and `run(args) -> int`, and its one-line help."""

EPILOG = "Exit codes: 0 it is so, 1 it is not, 2 the command was not understood or a file could not be read."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; usage errors exit with 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what is not printable here must not stop a verdict
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(arguments[0] if arguments else "")
    args = parser.parse_args(arguments)
    begin_ms, end_ms = getattr(args, "from_ms", None), getattr(args, "to_ms", None)
    if begin_ms is not None and end_ms is not None and begin_ms >= end_ms:
        parser.error("--from must be before --to")
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return 1


def _parser(chosen: str) -> ArgumentParser:
    """Return the parser; only the chosen command's module is imported."""
    parser = ArgumentParser(
        prog="tallystick",
        description="Receipts for fraud decisions that can be checked without trusting the bank.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module_name, line) in COMMANDS.items():
        command = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.", allow_abbrev=False)
        if name == chosen:
            module = import_module(module_name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


class _Version(Action):
    """`--version`; what it takes to find the version (email parsing, sockets and all) is loaded only for it."""

    def __call__(self, parser: ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        sys.stdout.write(f"tallystick {version('tallystick-cli')}\n")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
