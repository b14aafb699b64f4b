"""The command: rebuild, with a progress bar, and say what was changed."""

import asyncio
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from pathlib import Path

from tallystick.cli.fsck.check import directory_of
from tallystick.cli.fsck.command import Bars
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.repair.files import TileFiles
from tallystick.cli.repair.rebuilding import Repaired, UnfinishedError, repair
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import decode_base64
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
        help="the trust policy's folder (log.policy, trust.toml), or a tlog-policy file; only the keys that it names count, not"
        " what the governance log added or retired since",
    )
    parser.add_argument(
        "--head",
        metavar="SIZE:ROOT",
        type=_head,
        help="the head that the notary's database has (root in base64), as the notary printed it when it stopped: repairs also"
        " what was committed and is not yet signed; the signed checkpoint must be a prefix of it",
    )
    parser.add_argument("--json", action="store_true", help="write what was done as JSON")
    parser.epilog = (
        "Stop the log's notary first, and run this as the notary's user. Exit codes: 0 every hash tile is as the checkpoint (or"
        " --head) has it, 1 it cannot be made so from the entries (nothing was changed), 2 something cannot be read or written."
    )


def run(args: Namespace) -> int:
    """Repair the log; return 0 if its tiles are right now, 1 if they cannot be made so, 2 if that could not be tried."""
    try:
        policy = read_policy(args.policy).log_policy if Path(args.policy).is_dir() else read_log_policy(args.policy)
        with Bars(args.json) as bars:
            checkpoint, head, done = asyncio.run(_repair(directory_of(args.log), policy, args.head, bars))
    except RefusedError as error:
        if args.json:
            write_json({"repaired": False, "reason": str(error)})
        else:
            print_refusal("NOT REPAIRED", f"{error}.")
        return 1
    except (UnreadableError, OSError, ValueError) as error:
        write_error("repair", error)
        if isinstance(error, UnfinishedError):
            _print_unfinished(error, args.json)
        return 2
    if args.json:
        said = {"origin": checkpoint.origin, "size": head.size, "root": head.root.hex(), "tiles": done.tiles}
        write_json({"repaired": True, "reason": None, **said, "written": dict(done.written)})
    else:
        _print(checkpoint, head, done)
    return 0


def _head(text: str) -> tuple[int, bytes]:
    size, _, root = text.partition(":")
    try:
        head = Checkpoint("head", int(size), decode_base64(root))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not SIZE:ROOT, a number and 32 bytes in base64: {error}") from error
    return head.size, head.root


async def _repair(
    log: Path, policy: LogPolicy, given: tuple[int, bytes] | None, bars: Bars
) -> tuple[Checkpoint, Checkpoint, Repaired]:
    files = TileFiles(log)
    async with LogReader(log.as_uri()) as reader:
        await reader.checkpoint()  # before anything is made in a directory that is no log's
        with files.locked():
            checkpoint = _believed(await reader.checkpoint(), policy)
            head = Checkpoint(checkpoint.origin, *given) if given else checkpoint
            if head.size < checkpoint.size:
                raise RefusedError(
                    f"{checkpoint.origin}: the signed checkpoint has {checkpoint.size:,} entries, --head only {head.size:,}."
                    " Nothing was changed. Leave --head out"
                )
            try:
                done = await repair(
                    reader, checkpoint, head, files, lambda size: bars.advance(checkpoint.origin, size, head.size)
                )
            except BrokenError as error:
                doubt = ", or --head is not this log's" if given else ""
                raise RefusedError(
                    f"{checkpoint.origin}: {error}: the entries themselves are damaged{doubt}. {RESTORE}"
                ) from error
            finally:
                files.clear()
    return checkpoint, head, done


def _believed(data: bytes, policy: LogPolicy) -> Checkpoint:
    try:
        return policy.verify_checkpoint(data, Checkpoint.parse(Note.parse(data).text).origin).checkpoint
    except ValueError as error:
        raise RefusedError(
            f"the checkpoint is refused: {error}. {RESTORE}; or name a policy that has the keys of this log and its witnesses"
            " as they are now: only a policy's own keys count here, not what the governance log added or retired since"
        ) from error


def _print(checkpoint: Checkpoint, head: Checkpoint, done: Repaired) -> None:
    rows = [(head.origin, f"{head.size:,} entries, root {head.root.hex()}")]
    lost = sum(kept is None for kept in done.written.values())
    rows.append(("", f"{done.tiles:,} hash tiles: {lost:,} were missing, {len(done.written) - lost:,} damaged"))
    rows += _rows(done.written)
    if head.size == checkpoint.size:
        notes = [("✓", "every entry hashes into every tile, and all of them to the signed checkpoint")]
        notes.append(("?", "not looked at: what is beyond that checkpoint; if the notary named a head, give it with --head"))
    else:
        notes = [
            ("✓", f"every entry hashes into every tile; the first {checkpoint.size:,} to the signed checkpoint, all to --head")
        ]
        notes.append(("?", f"nobody signed yet what is beyond {checkpoint.size:,}: it is what --head says"))
    notes.append(("?", "not checked: what the entries mean, other sizes' partial tiles, anchors (fsck)"))
    print_rows("REPAIRED" if done.written else "NOTHING TO REPAIR", True, rows, notes)


def _print_unfinished(error: UnfinishedError, as_json: bool) -> None:
    """Say what was written all the same."""
    if as_json:
        write_json({"repaired": False, "reason": str(error), "written": dict(error.written)})
        return
    sys.stderr.write(f"{len(error.written):,} hash tiles were written before that:\n")
    for path, said in _rows(error.written):
        sys.stderr.write(f"  {path or '...'}: {said}\n")


def _rows(written: Mapping[str, str | None]) -> list[tuple[str, str]]:
    shown = list(written.items())[:SHOWN]
    rows = [(path, f"written; the damaged one is kept as {kept}" if kept else "written") for path, kept in shown]
    if len(written) > SHOWN:
        rows.append(("", f"and {len(written) - SHOWN:,} more (--json names all)"))
    return rows
