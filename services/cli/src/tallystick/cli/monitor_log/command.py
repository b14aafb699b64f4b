"""The command: fetch, compare, keep, wait; end with an alarm and its evidence."""

import asyncio
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tallystick.cli.fsck.check import location_of
from tallystick.cli.monitor_log.evidence import MAX_EVIDENCE_BYTES, Evidence
from tallystick.cli.monitor_log.following import AlarmError, Head, UnprovenError, compare, open_head
from tallystick.cli.monitor_log.keeping import MAX_UNPROVEN, KeptHeads, keep_evidence
from tallystick.cli.verify.screen import print_refusal, visible
from tallystick.merkle.policy import LogPolicy
from tallystick.runtime.log_reader import LogReader, LogUnavailableError
from tallystick.verifier.inputs import UnreadableError, read_file, read_log_policy, read_policy
from tallystick.verifier.printing import write_error


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("log", metavar="URL_OR_DIR", nargs="?", help="the log's prefix: where its `checkpoint` is")
    parser.add_argument("--policy", metavar="PATH", required=True, help="a trust policy's folder, or a tlog-policy file")
    parser.add_argument(
        "--state",
        metavar="FILE",
        type=Path,
        help="keeps the last head, and beside it those that nothing proves yet; the first one ever seen is believed",
    )
    parser.add_argument(
        "--evidence",
        metavar="FILE",
        type=Path,
        help="where an alarm's evidence goes, never in place of another's (default: beside the state)",
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
        write_error("monitor-log", error)
        return 2


async def _follow(args: Namespace, policy: LogPolicy) -> int:
    kept = KeptHeads(args.state, policy)
    try:
        opened = LogReader(location_of(args.log))
    except ValueError as error:
        raise UnreadableError(str(error)) from None
    async with opened as reader:
        while True:
            trouble = None
            try:
                await _look(reader, policy, kept)
            except AlarmError as alarm:
                return _alarm(args, kept, alarm)
            except (UnprovenError, LogUnavailableError, ValueError) as error:
                trouble = str(error)
            _say(args.json, kept, trouble=trouble)
            if args.once:
                return 0 if trouble is None else 2
            await asyncio.sleep(args.every)


async def _look(reader: LogReader, policy: LogPolicy, kept: KeptHeads) -> None:
    """Look once, and keep what is shown if it continues all that was shown before.

    Raises:
        AlarmError: It does not.
        UnprovenError: That cannot be told; the message says where the head is kept meanwhile.
        LogUnavailableError, ValueError: The log shows no head.
    """
    shown = open_head(await reader.checkpoint(), policy)
    try:
        proven = await _hold(shown, kept, reader)
        if not shown.quorum:
            raise UnprovenError("the head lacks the cosignatures that the policy asks for")
    except (UnprovenError, LogUnavailableError) as error:
        file = kept.set_aside(shown)
        where = f"is kept in {file}" if file else f"is not kept: {MAX_UNPROVEN} such heads are"
        raise UnprovenError(f"{error}; the signed head of {shown.checkpoint.size:,} entries {where}") from error
    kept.keep(shown)
    for file in proven:
        file.unlink()


async def _hold(shown: Head, kept: KeptHeads, reader: LogReader) -> Sequence[Path]:
    """Hold a head to the last one and to the unproven ones that it is not smaller than; return their files.

    Raises as `compare`.
    """
    seen_at = datetime.now(UTC).isoformat(timespec="seconds")
    if kept.last is not None:
        await compare(kept.last, shown, reader, seen_at)
    begun = {file: head for file, head in kept.unproven().items() if head.checkpoint.size <= shown.checkpoint.size}
    for head in begun.values():
        await compare(head, shown, reader, seen_at)
    return list(begun)


def _alarm(args: Namespace, kept: KeptHeads, alarm: AlarmError) -> int:
    """Leave the evidence and say so; that it cannot be left makes it no smaller an alarm."""
    try:
        file = keep_evidence(args.evidence or args.state.with_name(f"{args.state.name}.evidence.json"), alarm.evidence)
    except UnreadableError as error:
        _say(args.json, kept, alarm=f"{alarm}; {error}")
    else:
        _say(args.json, kept, alarm=str(alarm), evidence=str(file))
    return 1


def _say(
    as_json: bool, kept: KeptHeads, trouble: str | None = None, alarm: str | None = None, evidence: str | None = None
) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    last, unproven = kept.last, [str(file) for file in kept.unproven()]
    if as_json:
        size = None if last is None else last.checkpoint.size
        document = {"time": now, "size": size, "trouble": trouble, "alarm": alarm, "evidence": evidence, "unproven": unproven}
        sys.stdout.write(json.dumps(document) + "\n")
    elif alarm:
        where = f" The evidence is in {evidence}; keep it, and show it to others." if evidence else ""
        print_refusal("ALARM", f"{alarm}.{where}")
    elif trouble:
        sys.stdout.write(f"{now} ? {visible(trouble)}\n")
    elif last is not None:
        more = f", and {len(unproven)} signed heads that nothing proves yet" if unproven else ""
        head = last.checkpoint
        sys.stdout.write(f"{now} ✓ {visible(head.origin)} {head.size:,} {head.root.hex()}{more}\n")
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


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86_400:
        raise ValueError(text)
    return seconds
