"""The command: read what was logged, rule on it again, say what would have been otherwise."""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from tallystick.cli.activate.command import parse_time_ms
from tallystick.cli.approval import GovernanceLogError, read_governance
from tallystick.cli.audit import AuditUnavailableError, read_token
from tallystick.cli.backtest.reading import EvidenceReader, Period, decisions_of
from tallystick.cli.backtest.report import show
from tallystick.cli.backtest.trial import ChallengerTrial, PolicyTrial, Trial
from tallystick.cli.fsck.check import location_of
from tallystick.cli.fsck.command import Bars
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.policy.file import Draft, PolicyFileError, read_policy_file
from tallystick.contracts import Outcome
from tallystick.rules.lists import MemberList
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.governance import Governance
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.verifier.inputs import UnreadableError, read_policy
from tallystick.verifier.printing import write_error, write_json

_KEY_SIZE = 32
UNTRIED = (
    "rejected records stay as they were: the limits on size and clock of the policy are not tried",
    "features are those of the time: what customers would have done after another answer nobody knows",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", nargs="?", type=Path, metavar="POLICY", help="the policy, TOML; without it only challengers")
    parser.add_argument("--from", dest="from_ms", type=parse_time_ms, required=True, metavar="WHEN", help="ISO 8601 or ms")
    parser.add_argument("--to", dest="to_ms", type=parse_time_ms, required=True, metavar="WHEN", help="the end, not included")
    parser.add_argument("--logs", required=True, metavar="URL_OR_DIR", help="where the logs are, as for fsck")
    parser.add_argument("--trust", required=True, metavar="PATH", help="the trust policy's folder")
    parser.add_argument("--audit", metavar="URL", help="the audit service that opens evidence: rules, lists and money need it")
    parser.add_argument("--token-file", metavar="FILE", help="bearer token for entries and evidence")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="Parquet with transaction_id and fraud, where it is known")
    parser.add_argument("--json", action="store_true", help="write the finding as JSON")
    parser.epilog = "Exit codes: 0 it was tried, 1 a log is not sound, 2 something cannot be read or understood."


def run(args: Namespace) -> int:
    """Try; return 0 if it was done, 1 if a log is not sound, 2 if it could not be tried."""
    try:
        if args.audit and not args.token_file:
            raise UnreadableError("--audit needs --token-file: evidence is for authorised readers")
        token = read_token(args.token_file) if args.token_file else None
        trust, draft = read_policy(args.trust), _draft(args.file)
        governance = asyncio.run(read_governance(f"{location_of(args.logs)}/{log_name(trust.governance_origin)}", trust))
        trials = _trials(args, draft, governance)
        with Bars(args.json) as bars:
            rejected = asyncio.run(_try(args, trust, token, trials, bars))
    except BrokenError as error:
        write_error("backtest", f"not sound: {error}")
        return 1
    except (
        UnreadableError,
        PolicyFileError,
        GovernanceLogError,
        LogUnavailableError,
        AuditUnavailableError,
        OSError,
        ValueError,
    ) as error:
        write_error("backtest", error)
        return 2
    _report(args, draft, governance, trials, rejected)
    return 0


def _draft(path: Path | None) -> Draft | None:
    """Return the policy. Its lists are keyed by chance: who is on them is compared here, and shown to nobody."""
    if path is None:
        return None
    key = os.urandom(_KEY_SIZE)
    return read_policy_file(path.read_bytes(), lambda name: (path.parent / name).read_bytes(), lambda: key, os.urandom, 0)


def _trials(args: Namespace, draft: Draft | None, governance: Governance) -> list[Trial]:
    activations = {activation.index: activation for activation in governance.activations}
    labels = {} if args.labels is None else _labels(args.labels)
    seen = {"transaction", "identity"} if labels else {"transaction"}
    trials: list[Trial] = []
    if draft is not None:
        lists = [MemberList(one, draft.files[one.digest], draft.keys[one.digest]) for one in draft.statement.lists]
        groups = frozenset(seen | {"features"} | ({"identity"} if lists else set()))
        trials.append(PolicyTrial(draft.statement, lists, activations, labels, groups))
    if args.audit:
        trials.append(ChallengerTrial(activations, labels, frozenset(seen | {"explanation"})))
    if not trials:
        raise UnreadableError("nothing to try: name a policy, or an --audit service for what challengers said")
    return trials


def _labels(path: Path) -> Mapping[str, bool]:
    try:
        table = pq.read_table(path, columns=["transaction_id", "fraud"])
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UnreadableError(f"{path}: not Parquet with transaction_id and fraud: {error}") from error
    labels = zip(table["transaction_id"].to_pylist(), table["fraud"].to_pylist(), strict=True)
    return {str(name): bool(fraud) for name, fraud in labels if fraud is not None}


async def _try(args: Namespace, trust: TrustPolicy, token: str | None, trials: Sequence[Trial], bars: Bars) -> int:
    """Read and try; return how many decisions were rejections."""
    period, rejected = Period(args.from_ms, args.to_ms), 0
    groups = frozenset[str]().union(*(trial.groups for trial in trials))
    async with AsyncExitStack() as stack:
        reader = None
        if args.audit and token:
            reader = await stack.enter_async_context(EvidenceReader(args.audit, token))
        async for found in decisions_of(location_of(args.logs), trust, period, token, bars.advance):
            scored = [decision for decision in found if decision.outcome != Outcome.OUTCOME_REJECTED]
            rejected += len(found) - len(scored)
            disclosed = await reader.read(scored, groups) if reader else [None] * len(scored)
            for trial in trials:
                trial.add(scored, disclosed)
    return rejected


def _report(args: Namespace, draft: Draft | None, governance: Governance, trials: Sequence[Trial], rejected: int) -> None:
    slots = {activation.index: f"{activation.slot} {activation.number}" for activation in governance.activations}
    document: dict[str, Any] = {"rejected": rejected, "policy": None, "challengers": []}
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())
    for trial in trials:
        if isinstance(trial, PolicyTrial) and draft is not None:
            stated = draft.statement
            names = [*(one.name for one in stated.lists), *(rule.name for rule in stated.rules)]
            document["policy"] = {"name": stated.name, "version": stated.version, **trial.tally.to_json(names)}
            if not args.json:
                show(f"{stated.name} {stated.version}", trial.tally, names, (f"{rejected:,} were rejected", *UNTRIED), console)
        elif isinstance(trial, ChallengerTrial):
            for index, tally in sorted(trial.tallies.items()):
                far = trial.distance[index] / tally.total
                document["challengers"].append(
                    {"activation_index": index, "slot": slots[index], "mean_distance": far, **tally.to_json(())}
                )
                if not args.json:
                    notes = (f"its margin was {far:.4g} from the champion's on average; its policy's rules were not asked",)
                    show(f"{slots[index]} (activation {index})", tally, (), notes, console)
    if args.json:
        write_json(document)
