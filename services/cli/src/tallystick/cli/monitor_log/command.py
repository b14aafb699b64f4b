"""The command: fetch, compare, keep, wait; end with an alarm and its evidence."""

import asyncio
import json
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from tallystick.cli.fsck.check import location_of
from tallystick.cli.monitor_log.evidence import MAX_EVIDENCE_BYTES, Evidence
from tallystick.cli.monitor_log.following import AlarmError, Head, UnprovenError, compare, open_head
from tallystick.cli.verify.screen import print_refusal, visible
from tallystick.merkle.policy import LogPolicy
from tallystick.runtime.log_reader import MAX_CHECKPOINT_BYTES, LogReader, LogUnavailableError
from tallystick.verifier.inputs import UnreadableError, read_file, read_log_policy, read_policy


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("log", metavar="URL_OR_DIR", nargs="?", help="the log's prefix: where its `checkpoint` is")
    parser.add_argument("--policy", metavar="PATH", required=True, help="a trust policy's folder, or a tlog-policy file")
    parser.add_argument("--state", metavar="FILE", type=Path, help="keeps the last head; the first one ever seen is believed")
    parser.add_argument(
        "--evidence", metavar="FILE", type=Path, help="where an alarm's evidence goes (default: beside the state)"
    )
    parser.add_argument("--every", metavar="SECONDS", type=_seconds, default=10.0, help="time between two looks (default: 10)")
    parser.add_argument("--once", action="store_true", help="look once and end")
    parser.add_argument("--check", metavar="FILE", help="say what an evidence file proves, and end")
    parser.add_argument("--json", action="store_true", help="write a JSON line for each look")
    parser.epilog = "Exit codes: 0 all is consistent, 1 ALARM: forked or rolled back, 2 that could not be found out."


def run(args: Namespace) -> int:
    """Follow a log; return 1 on an alarm, 2 if something cannot be read; without `--once` it returns for nothing else."""
    try:
        policy = _policy(args.policy)
        if args.check:
            return _check(args.check, policy)
        if args.log is None or args.state is None:
            raise UnreadableError("name the log and --state FILE, or --check FILE")
        return asyncio.run(_follow(args, policy))
    except UnreadableError as error:
        sys.stderr.write(f"tallystick monitor-log: {error}\n")
        return 2


async def _follow(args: Namespace, policy: LogPolicy) -> int:
    kept = _kept(args.state, policy)
    async with LogReader(location_of(args.log)) as reader:
        while True:
            code, trouble = 0, None
            try:
                shown = await _look(reader, policy, kept)
                if shown.quorum:
                    _keep(args.state, shown)
                    kept = shown
                else:
                    trouble = "the head lacks the cosignatures that the policy asks for, and is not kept"
                    code = 2
            except AlarmError as alarm:
                file = args.evidence or args.state.with_name(f"{args.state.name}.evidence.json")
                _write(file, alarm.evidence.encode())
                _say(args.json, kept, alarm=str(alarm), evidence=str(file))
                return 1
            except (UnprovenError, LogUnavailableError, ValueError) as error:
                trouble, code = str(error), 2
            _say(args.json, kept, trouble=trouble)
            if args.once:
                return code
            await asyncio.sleep(args.every)


async def _look(reader: LogReader, policy: LogPolicy, kept: Head | None) -> Head:
    shown = open_head(await reader.checkpoint(), policy)
    if kept is not None:
        await compare(kept, shown, reader, datetime.now(UTC).isoformat(timespec="seconds"))
    return shown


def _say(
    as_json: bool, kept: Head | None, trouble: str | None = None, alarm: str | None = None, evidence: str | None = None
) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    size = None if kept is None else kept.checkpoint.size
    if as_json:
        document = {"time": now, "size": size, "trouble": trouble, "alarm": alarm, "evidence": evidence}
        sys.stdout.write(json.dumps(document) + "\n")
    elif alarm:
        print_refusal("ALARM", f"{alarm}. The evidence is in {evidence}; keep it, and show it to others.")
    elif trouble:
        sys.stdout.write(f"{now} ? {visible(trouble)}\n")
    elif kept is not None:
        sys.stdout.write(f"{now} ✓ {visible(kept.checkpoint.origin)} {kept.checkpoint.size:,} {kept.checkpoint.root.hex()}\n")
    sys.stdout.flush()


def _check(path: str, policy: LogPolicy) -> int:
    data = read_file(path, MAX_EVIDENCE_BYTES)
    try:
        sys.stdout.write(f"PROVEN: {visible(Evidence.parse(data).verdict(policy))}.\n")
    except ValueError as error:
        print_refusal("NOT PROVEN", f"{error}.")
        return 1
    return 0


def _policy(path: str) -> LogPolicy:
    return read_policy(path).log_policy if Path(path).is_dir() else read_log_policy(path)


def _kept(path: Path, policy: LogPolicy) -> Head | None:
    if not path.exists():
        return None
    try:
        return open_head(read_file(str(path), MAX_CHECKPOINT_BYTES), policy)
    except ValueError as error:
        raise UnreadableError(f"the head kept in {path} is not one that this policy's logs have signed: {error}") from None


def _keep(path: Path, head: Head) -> None:
    _write(path, head.note)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise UnreadableError(f"cannot write {path}: {error.strerror}") from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86_400:
        raise ValueError(text)
    return seconds
