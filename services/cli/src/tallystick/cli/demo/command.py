"""The command line of `tallystick demo`."""

import argparse
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console

from tallystick.cli.demo.story import DemoError, Plan, tell
from tallystick.cli.provision import ProvisionError
from tallystick.cli.simulate import StreamMismatchError
from tallystick.cli.stream import StreamError
from tallystick.embedded import StartError

MIN_TRANSACTIONS = 1_000
MAX_TRANSACTIONS = 1_400_000
_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--transactions", type=_amount, default=100_000, metavar="N", help="how many to stream (%(default)s)")
    parser.add_argument("--serve", action="store_true", help="leave the audit service up until Ctrl-C")
    parser.add_argument("--build", type=Path, default=Path("build"), metavar="DIR", help="where everything goes (%(default)s)")
    parser.epilog = "Exit codes: 0 all of it held, 1 something did not, 2 usage."


def run(args: argparse.Namespace) -> int:
    """Tell the story; 0 only if all of it held."""
    console = Console()
    directory = args.build.resolve() / "demo"
    # Each run is a new bank: nothing of the last one is left over.
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return tell(Plan(directory, args.build.resolve() / "demo.json", args.transactions, args.serve), console)
    except KeyboardInterrupt:
        console.print("\nstopped; every process that was started has ended")
        return _INTERRUPTED
    except (DemoError, StartError, ProvisionError, StreamError, StreamMismatchError, httpx.HTTPError, OSError) as error:
        sys.stderr.write(f"tallystick demo: {error}\nThe services' logs are in {directory / 'logs'}.\n")
        return 1


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt


def _amount(text: str) -> int:
    amount = int(text)
    if not MIN_TRANSACTIONS <= amount <= MAX_TRANSACTIONS:
        raise argparse.ArgumentTypeError(f"{text} is not between {MIN_TRANSACTIONS:,} and {MAX_TRANSACTIONS:,}")
    return amount
