"""`tallystick-verify`: the verifier by itself, on a machine that holds nothing else."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from io import TextIOWrapper

from tallystick.verifier.command import add_arguments, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify one file and return the exit code; usage errors exit with 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what is not printable here must not stop a verdict
    parser = ArgumentParser(prog="tallystick-verify", allow_abbrev=False)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
