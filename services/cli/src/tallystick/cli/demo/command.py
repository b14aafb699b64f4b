"""The command line of `tallystick demo`."""

import argparse
import shutil
import signal
import sys
from pathlib import Path

import httpx
from rich.console import Console

from tallystick.cli.demo.exclusive import RunningError, alone_in
from tallystick.cli.demo.story import DemoError, Plan, tell
from tallystick.cli.provision import ProvisionError
from tallystick.cli.simulate import StreamMismatchError
from tallystick.cli.stream import StreamError
from tallystick.embedded import StartError

MIN_TRANSACTIONS = 1_000
MAX_TRANSACTIONS = 1_200_000
_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--transactions", type=_amount, default=100_000, metavar="N", help="how many to stream (%(default)s)")
    parser.add_argument("--serve", action="store_true", help="leave the audit service up until Ctrl-C")
    parser.add_argument(
        "--kafka",
        choices=("tansu", "apache"),
        default="tansu",
        help="the broker: Tansu, in memory, or Apache Kafka, which needs Java and Maven (%(default)s)",
    )
    parser.add_argument("--build", type=Path, default=Path("build"), metavar="DIR", help="where everything goes (%(default)s)")
    parser.epilog = "Exit codes: 0 all of it held, 1 something did not, 2 usage."


def run(args: argparse.Namespace) -> int:
    """Tell the story; 0 only if all of it held."""
    console = Console(highlight=False)
    build = args.build.resolve()
    plan = Plan(build / "demo", build / "demo.json", args.transactions, args.serve, args.kafka == "apache")
    _hear_signals()
    try:
        build.mkdir(parents=True, exist_ok=True)
        with alone_in(plan.directory):
            _clear(plan)
            return tell(plan, console)
    except KeyboardInterrupt:
        console.print("\nstopped; every process that was started has ended")
        return _INTERRUPTED
    except RunningError as error:
        sys.stderr.write(f"tallystick demo: {error}\n")
    except (DemoError, StartError, ProvisionError, StreamError, StreamMismatchError, httpx.HTTPError, OSError) as error:
        sys.stderr.write(f"tallystick demo: {error}\nThe services' logs are in {plan.directory / 'logs'}.\n")
    return 1


def _clear(plan: Plan) -> None:
    """Remove what the last run left: each run is a new bank, and one that fails leaves no figures of another."""
    plan.result.unlink(missing_ok=True)
    shutil.rmtree(plan.directory, ignore_errors=True)
    plan.directory.mkdir()


def _hear_signals() -> None:
    """Let SIGINT, SIGTERM and a closed terminal end the story through KeyboardInterrupt, so that everything is stopped.

    A shell starts what a script runs in the background with SIGINT ignored, which Python would leave so.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def _amount(text: str) -> int:
    amount = int(text)
    if not MIN_TRANSACTIONS <= amount <= MAX_TRANSACTIONS:
        raise argparse.ArgumentTypeError(f"{text} is not between {MIN_TRANSACTIONS:,} and {MAX_TRANSACTIONS:,}")
    return amount
