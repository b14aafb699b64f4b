"""`tallystick-profiles`: settings, adapters, run; and `tallystick-profiles backfill FILE` for a history that is in no topic."""

import argparse
import asyncio
import sys
from pathlib import Path

from tallystick.profiles import backfill
from tallystick.profiles.service import COMPONENTS, LOOPS, Profiles
from tallystick.profiles.settings import ProfilesSettings
from tallystick.runtime import service
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.logging import configure
from tallystick.runtime.settings import load


async def _run(settings: ProfilesSettings) -> None:
    health = Health("profiles", COMPONENTS, loops=LOOPS)
    async with serving(health.app(), settings.http_host, settings.http_port):
        await Profiles(settings, health).run()


def main() -> None:
    """Run the service until it is told to stop, or fill profiles from a file and end."""
    parser = argparse.ArgumentParser(
        "tallystick-profiles", description="Terminals' and merchants' risk from labels that come late. Without arguments: runs."
    )
    commands = parser.add_subparsers(dest="command")
    filling = commands.add_parser("backfill", help="take in labelled transactions of the past, from a Parquet file")
    filling.add_argument("file", type=Path, metavar="FILE", help="as the trainer reads it, with transaction_id and terminal_id")
    filling.add_argument("--until-ms", type=int, metavar="T", help="only those with event times before T")
    filling.add_argument("--shift-ms", type=int, default=0, metavar="MS", help="move event times by so much, then --until-ms")
    arguments = parser.parse_args()
    settings = load(ProfilesSettings)
    configure("profiles", settings.log_level)
    if arguments.command == "backfill":
        try:
            count = asyncio.run(backfill.fill(settings, arguments.file, arguments.shift_ms, arguments.until_ms))
        except (backfill.BackfillError, OSError) as error:
            sys.stderr.write(f"tallystick-profiles backfill: {error}\n")
            sys.exit(1)
        sys.stdout.write(f"{count:,} transactions of the past\n")
        sys.exit(0)
    sys.exit(service.run(_run(settings)))
