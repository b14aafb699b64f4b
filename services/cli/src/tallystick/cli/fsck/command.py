"""The command: check, with a progress bar, and say what came of it."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tallystick.cli.audit import read_token
from tallystick.cli.fsck.check import Advance, Finding, Fsck, as_json, check_any_log, location_of
from tallystick.cli.fsck.saved import SavedError, SavedPlaces
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.anchors.pins import Contract
from tallystick.trust.policy import TrustPolicy
from tallystick.verifier.inputs import UnreadableError, read_log_policy, read_policy
from tallystick.verifier.printing import write_error, write_json
from tallystick.verifier.report import utc

UNCHECKED = (
    "the input: whether every transaction got a decision shows only in the seals of others (completeness)",
    "evidence: that it still opens to what the decisions commit to (replay)",
    "the clock: a log that was frozen at this checkpoint looks the same; `monitor-log` notices",
)
UNCHECKED_IN_ANY_LOG = (
    "the entries: what they mean",
    "anchors: a bare tlog-policy names nobody who anchors, so none are looked at",
    "the clock: a log that was frozen at this checkpoint looks the same; `monitor-log` notices",
)
UNLISTED = "anchors of {}: nobody lists them there; fsck finds them in the logs' directory, and where the audit service is"
UNSEEN = "the chain: that the blocks in which {} took heads are on it, any of its nodes tells"
UNREAD = "the first {:,} entries of {}, and the tiles over them alone: a check before this one read them (--resume)"
HASHED = "every entry hashes into every tile, and all of them to the signed checkpoints"
HASHED_READ = "every entry that was read now hashes into every tile, and all of them to the signed checkpoints"
MEANT = "decisions stand in unbroken order in each partition, under activations that two people signed"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("logs", metavar="URL_OR_DIR", help="where the logs are, each in a folder named as its origin ends")
    parser.add_argument(
        "--policy",
        metavar="PATH",
        required=True,
        help="the trust policy's folder (log.policy, trust.toml), or a tlog-policy file: URL_OR_DIR is then one log, of"
        " whomever, and what its entries mean is not looked at",
    )
    parser.add_argument("--resume", metavar="FILE", type=Path, help="keep the place in FILE, and go on from there next time")
    parser.add_argument("--token-file", metavar="FILE", help="bearer token for entries that are not served to everybody")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.epilog = (
        "Exit codes: 0 the logs are sound, 1 they are not (the first broken place is named), 2 something cannot be read."
    )


def run(args: Namespace) -> int:
    """Check the logs; return 0 if they are sound, 1 if not, 2 if that could not be found out."""
    try:
        token = read_token(args.token_file) if args.token_file else None
        with Bars(args.json) as bars:
            findings, checks, unchecked = _findings(args, bars.advance, token)
    except BrokenError as error:
        if args.json:
            write_json({"sound": False, "reason": str(error)})
        else:
            print_refusal("NOT SOUND", f"{error}.")
        return 1
    except (UnreadableError, SavedError, LogUnavailableError, UnicodeDecodeError, ValueError) as error:
        write_error("fsck", error)
        return 2
    if args.json:
        document = {"logs": [as_json(finding) for finding in findings], "unchecked": list(unchecked)}
        write_json({"sound": True, "reason": None, **document})
    else:
        _print(findings, checks, unchecked)
    return 0


def _findings(args: Namespace, advance: Advance, token: str | None) -> tuple[list[Finding], Sequence[str], Sequence[str]]:
    """Check; return what was found, what that says, and what it does not."""
    location, saved = location_of(args.logs), SavedPlaces(args.resume)
    if Path(args.policy).is_dir():
        policy = read_policy(args.policy)
        findings = asyncio.run(Fsck(location, policy, saved, advance, token).run())
        said = _hashed(findings), MEANT
        return findings, said, (*_unread(findings), *_unchecked_anchors(policy, findings), *UNCHECKED)
    bare = read_log_policy(args.policy)
    findings = [asyncio.run(check_any_log(location, bare, saved, advance, token))]
    return findings, (_hashed(findings),), (*_unread(findings), *UNCHECKED_IN_ANY_LOG)


def _hashed(findings: Sequence[Finding]) -> str:
    return HASHED_READ if any(finding.unread for finding in findings) else HASHED


def _unread(findings: Sequence[Finding]) -> list[str]:
    """Return which entries an earlier check has read and this one has not."""
    return [UNREAD.format(finding.unread, finding.checkpoint.checkpoint.origin) for finding in findings if finding.unread]


def _unchecked_anchors(policy: TrustPolicy, findings: Sequence[Finding]) -> list[str]:
    """Return what was not checked of the anchors."""
    unlisted = [finding.checkpoint.checkpoint.origin for finding in findings if finding.anchors is None]
    names = {name for finding in findings for name in finding.anchors or ()}
    chains = sorted(name for name in names if isinstance(policy.anchorers.get(name), Contract))
    return [
        *([UNLISTED.format(" and ".join(unlisted))] if unlisted else ()),
        *([UNSEEN.format(" and ".join(chains))] if chains else ()),
    ]


def _print(findings: list[Finding], said: Sequence[str], unchecked: Sequence[str]) -> None:
    rows, notes = [], []
    for finding in findings:
        checkpoint = finding.checkpoint.checkpoint
        rows.append((checkpoint.origin, f"{checkpoint.size:,} entries, root {checkpoint.root.hex()}"))
        if finding.counts:
            rows.append(("", ", ".join(f"{what.lower()} {count:,}" for what, count in finding.counts.items())))
        rows += [("", line) for line in _switched(finding)]
        if finding.anchors:
            rows.append(("", "anchored " + ", ".join(f"by {name} {count:,} times" for name, count in finding.anchors.items())))
        for name, time_s in finding.checkpoint.cosigned.items():
            rows.append(("", f"cosigned by {name} at {utc(time_s * 1000)}"))
        notes += [("!", f"{checkpoint.origin}: {note}") for note in finding.notes]
    checks = [("✓", check) for check in said]
    print_rows("SOUND", True, rows, [*checks, *notes, *(("?", f"not checked: {left}") for left in unchecked)])


def _switched(finding: Finding) -> list[str]:
    """Return a line for each activation: from which sequence on it decides in which partition."""
    places: dict[int, list[str]] = {}
    for _, partition, index, sequence in finding.switches:
        places.setdefault(index, []).append(f"{partition}/{sequence:,}")
    return [
        f"activation {index if index >= 0 else 'none'} from partition/sequence "
        + ", ".join(some[:8])
        + (", …" if some[8:] else "")
        for index, some in sorted(places.items())
    ]


class Bars:
    """A progress bar a log, on standard error; none if that is no terminal or JSON was asked for."""

    def __init__(self, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), disable=quiet or not sys.stderr.isatty())
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, origin: str, done: int, size: int) -> None:
        """Show how far a log is checked."""
        if origin not in self._bars:
            self._bars[origin] = self._progress.add_task(origin, total=size)
        self._progress.update(self._bars[origin], completed=done)
