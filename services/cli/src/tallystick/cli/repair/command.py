"""The command: rebuild, with a progress bar, and say what was changed."""

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tallystick.cli.fsck.check import directory_of
from tallystick.cli.fsck.command import Bars
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.repair.files import TileFiles
from tallystick.cli.repair.rebuilding import Repaired, repair
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note
from tallystick.merkle.policy import LogPolicy
from tallystick.runtime.log_reader import LogReader
from tallystick.verifier.inputs import UnreadableError, read_log_policy, read_policy
from tallystick.verifier.printing import write_error, write_json

RESTORE = "Nothing was changed. Restore the log's files from a backup that is as new as the notary's database"
SHOWN = 8


class RefusedError(Exception):
    """The log cannot be repaired from what is there; the message says why, and what to do."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("log", metavar="LOG_DIR", type=Path, help="the log's directory, with its checkpoint and tile/")
    parser.add_argument(
        "--policy",
        metavar="PATH",
        required=True,
        help="the trust policy's folder (log.policy, trust.toml), or a tlog-policy file",
    )
    parser.add_argument("--json", action="store_true", help="write what was done as JSON")
    parser.epilog = (
        "Stop the log's notary first, and run this as the notary's user. Exit codes: 0 every hash tile is as the checkpoint has"
        " it, 1 it cannot be made so from the entries (nothing was changed), 2 something cannot be read or written."
    )


def run(args: Namespace) -> int:
    """Repair the log; return 0 if its tiles are right now, 1 if they cannot be made so, 2 if that could not be tried."""
    try:
        policy = read_policy(args.policy).log_policy if Path(args.policy).is_dir() else read_log_policy(args.policy)
        with Bars(args.json) as bars:
            checkpoint, done = asyncio.run(_repair(directory_of(args.log), policy, bars))
    except RefusedError as error:
        if args.json:
            write_json({"repaired": False, "reason": str(error)})
        else:
            print_refusal("NOT REPAIRED", f"{error}.")
        return 1
    except (UnreadableError, OSError, ValueError) as error:
        write_error("repair", error)
        return 2
    if args.json:
        said = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex(), "tiles": done.tiles}
        write_json({"repaired": True, "reason": None, **said, "written": dict(done.written)})
    else:
        _print(checkpoint, done)
    return 0


async def _repair(log: Path, policy: LogPolicy, bars: Bars) -> tuple[Checkpoint, Repaired]:
    files = TileFiles(log)
    async with LogReader(log.as_uri()) as reader:
        await reader.checkpoint()  # before anything is made in a directory that is no log's
        with files.locked():
            checkpoint = _believed(await reader.checkpoint(), policy)
            try:
                done = await repair(
                    reader, checkpoint, files, lambda size: bars.advance(checkpoint.origin, size, checkpoint.size)
                )
            except BrokenError as error:
                raise RefusedError(f"{checkpoint.origin}: {error}: the entries themselves are damaged. {RESTORE}") from error
            finally:
                files.clear()
    return checkpoint, done


def _believed(data: bytes, policy: LogPolicy) -> Checkpoint:
    try:
        return policy.verify_checkpoint(data, Checkpoint.parse(Note.parse(data).text).origin).checkpoint
    except ValueError as error:
        raise RefusedError(f"the checkpoint is refused: {error}. {RESTORE}; or name the policy that this log has") from error


def _print(checkpoint: Checkpoint, done: Repaired) -> None:
    rows = [(checkpoint.origin, f"{checkpoint.size:,} entries, root {checkpoint.root.hex()}")]
    lost = sum(kept is None for kept in done.written.values())
    rows.append(("", f"{done.tiles:,} hash tiles: {lost:,} were missing, {len(done.written) - lost:,} damaged"))
    shown = list(done.written.items())[:SHOWN]
    rows += [(path, f"written; the damaged one is kept as {kept}" if kept else "written") for path, kept in shown]
    if len(done.written) > SHOWN:
        rows.append(("", f"and {len(done.written) - SHOWN:,} more (--json names all)"))
    notes = [("✓", "every entry hashes into every tile, and all of them to the signed checkpoint")]
    notes.append(("?", "not checked: what the entries mean, other sizes' partial tiles, anchors (fsck)"))
    print_rows("REPAIRED" if done.written else "NOTHING TO REPAIR", True, rows, notes)
