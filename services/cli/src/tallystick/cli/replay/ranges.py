"""Every decision of a time: read, check, open, execute, compare, say."""

import asyncio
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tallystick.cli.approval import GovernanceLogError, read_governance_entries
from tallystick.cli.audit import AuditClient, read_token
from tallystick.cli.fsck.check import location_of
from tallystick.cli.fsck.command import Bars
from tallystick.cli.replay.decided import Decisions, UnsoundError, decisions_of
from tallystick.cli.replay.engines import ENGINES, EngineError
from tallystick.cli.replay.evidence_api import EvidenceApi
from tallystick.cli.replay.evidence_file import EvidenceFolder, EvidenceKeeper
from tallystick.cli.replay.executing import MAX_TOLD, Finding, execute
from tallystick.cli.replay.governing import Made, erased_keys, models_at, models_in
from tallystick.cli.replay.opened import EvidenceSource, EvidenceUnavailableError
from tallystick.cli.replay.places import Reason
from tallystick.cli.replay.profile_topics import ProfileTopics
from tallystick.cli.replay.profiled import ProfiledFinding
from tallystick.cli.replay.raw import Recomputed, Recomputing, Records
from tallystick.cli.replay.reading import BrokenLogError, stretches
from tallystick.cli.replay.records import FileRecords, KafkaRecords
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.rules.language import RuleError
from tallystick.runtime.log_reader import LogReader, LogUnavailableError
from tallystick.runtime.settings import KafkaSettings
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import replay
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.verifier.inputs import UnreadableError, read_policy
from tallystick.verifier.printing import write_error, write_json

UNCHECKED = (
    "the order of decisions, and that none is missing: `tallystick fsck` and the seals show that",
    "the explanations: the shares of a margin are for people, and not held to the bit",
    "rejected records: what they were is not in the evidence",
)
FIRST_MS = -(2**63)
Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Replayer:
    """Executes the decisions of a period.

    Attributes:
        location: where the logs are.
        policy: the trust policy, with the keys that the governance log retired.
        made: what decisions were made under.
        erased: ids of the keys that were destroyed.
        source: who has opened evidence.
        period: the Kafka time stamps that count, in milliseconds.
        token: a bearer token for entries.
        advance: told of progress.
        recomputing: gathers decisions for what is computed from raw transactions; None if nothing is.
    """

    location: str
    policy: TrustPolicy
    made: Made
    erased: frozenset[bytes]
    source: EvidenceSource
    period: range
    token: str | None
    advance: Advance
    recomputing: Recomputing | None = None

    async def run(self) -> Finding:
        """Execute everything, and return what came of it.

        Raises:
            UnsoundError, BrokenLogError: A log is not sound; nothing else is known then.
            LogUnavailableError, EvidenceUnavailableError, UnreadableError, EngineError, RuleError: Something cannot be read.
        """
        finding = Finding()
        for origin in self.policy.decisions_origins:
            async with LogReader(f"{self.location}/{log_name(origin)}", token=self.token) as reader:
                try:
                    checkpoint = self.policy.log_policy.verify_checkpoint(await reader.checkpoint(), origin).checkpoint
                except ValueError as error:
                    raise BrokenLogError(f"{origin}: the checkpoint is refused: {error}") from error
                async for first, entries in stretches(reader, checkpoint):
                    earliest = self.period.start if self.recomputing is None else FIRST_MS  # windows reach back
                    period = range(earliest, self.period.stop)
                    found = decisions_of(entries, first, origin, self.policy, self.made.activations, period)
                    await self.execute(origin, await self._gathered(origin, found), finding)
                    self.advance(origin, first + len(entries), checkpoint.size)
        return finding

    async def _gathered(self, origin: str, found: Sequence[Decisions]) -> list[Decisions]:
        """Gather decisions for what is computed from transactions; return those of the period."""
        if self.recomputing is None:
            return list(found)
        scored = [batch for batch in found if not batch.rejected]
        opened = await self.source.read(origin, scored, ("identity", "features")) if scored else []
        for batch, evidence in zip(scored, opened, strict=True):
            self.recomputing.gather(batch, evidence)
        inside = [batch.taken(batch.times_ms >= self.period.start) for batch in found]
        return [batch for batch in inside if len(batch)]

    async def execute(self, origin: str, found: Sequence[Decisions], finding: Finding) -> None:
        """Execute some decisions of a log, and note what came of each."""
        finding.rejected += sum(len(batch) for batch in found if batch.rejected)
        by_activation: dict[int, list[Decisions]] = defaultdict(list)
        for batch in found:
            if not batch.rejected:
                by_activation[batch.like.activation_index].append(batch)
        for index, batches in sorted(by_activation.items()):
            under = await self.made.under(index)
            challengers = {one: await self.made.under(one) for one in self.made.challengers}
            groups = under.groups | ({"explanation"} if challengers else set())
            opened = await self.source.read(origin, batches, groups)
            execute(batches, opened, under, challengers, self.erased, finding)


def run(args: Namespace) -> int:
    """Execute the decisions of a time again; return 0 if all is identical or was erased, 1 if not, 2 if it cannot be said."""
    try:
        with Bars(args.json) as bars:
            finding, recomputed = asyncio.run(_run(args, bars.advance))
    except (UnsoundError, BrokenLogError) as error:
        if args.json:
            write_json({"identical": False, "reason": str(error)})
        else:
            print_refusal("NOT SOUND", f"{error}.")
        return 1
    except (
        *(UnreadableError, GovernanceLogError, LogUnavailableError, EvidenceUnavailableError, EngineError, RuleError),
        *(TrustError, ValueError, OSError),
    ) as error:
        write_error("replay", error)
        return 2
    if not (finding.executed or finding.rejected or finding.erased or finding.missing or finding.differing):
        sys.stderr.write("tallystick replay: no decision is of this time (by the time stamps of decisions' records in Kafka)\n")
        return 2
    _report(args, finding, recomputed)
    return 1 if _differs(finding, recomputed) else 2 if _lacks(finding, recomputed) else 0


def _differs(finding: Finding, recomputed: Recomputed | None) -> bool:
    return bool(finding.differing or (recomputed is not None and (recomputed.differing or recomputed.profiles.differing)))


def _lacks(finding: Finding, recomputed: Recomputed | None) -> bool:
    """Whether evidence is missing, or every transaction that features were to be computed from."""
    return bool(finding.missing) or _unrecorded(recomputed) or _unprofiled(recomputed)


def _unrecorded(recomputed: Recomputed | None) -> bool:
    return recomputed is not None and recomputed.unrecorded > 0 == recomputed.compared + recomputed.warming_up


def _unprofiled(recomputed: Recomputed | None) -> bool:
    """Whether labels were given, and what comes from profiles could be computed of no decision all the same."""
    if recomputed is None or recomputed.profiles.compared:
        return False
    return bool(recomputed.profiles.not_recomputed.keys() - {Reason.NO_LABELS, Reason.NO_TRANSACTION})


async def _run(args: Namespace, advance: Advance) -> tuple[Finding, Recomputed | None]:
    token = read_token(args.token_file) if args.token_file else None
    policy, location = read_policy(args.policy), location_of(args.logs)
    _, entries = await read_governance_entries(f"{location}/{log_name(policy.governance_origin)}", policy)
    governance = replay(entries, policy)
    policy = replace(policy, log_policy=governance.log_keys.with_retired(policy.log_policy))
    async with AsyncExitStack() as stack:
        audit = None if args.audit is None else await stack.enter_async_context(AuditClient(args.audit, token))
        source: EvidenceSource = EvidenceFolder(args.evidence) if audit is None or args.evidence else EvidenceApi(audit)
        if args.save_evidence is not None:
            source = stack.enter_context(EvidenceKeeper(source, args.save_evidence))
        read_model = models_in(args.models) if args.models is not None or audit is None else models_at(audit)
        made = Made(governance, read_model, ENGINES[args.engine], args.threads, args.lists)
        period = range(args.from_ms, args.to_ms)
        recomputing = None if args.transactions is None else Recomputing(made.activations, period)
        replayer = Replayer(location, policy, made, erased_keys(governance), source, period, token, advance, recomputing)
        finding = await replayer.run()
        return finding, None if recomputing is None else await recomputing.compare(_records(args), _profiles(args))


def _records(args: Namespace) -> Records:
    return KafkaRecords(_kafka(args)) if args.transactions == "kafka" else FileRecords(Path(args.transactions))


def _profiles(args: Namespace) -> ProfileTopics | None:
    if args.labels is None:
        return None
    return ProfileTopics(_kafka(args), args.labels, args.label_lead, args.transaction_lateness)


def _kafka(args: Namespace) -> KafkaSettings:
    return KafkaSettings() if args.kafka is None else KafkaSettings(kafka_bootstrap=args.kafka)


def _profiled_rows(found: ProfiledFinding) -> list[tuple[str, str]]:
    rows = []
    if found.compared:
        rows.append(("of them from profiles, computed with the labels", f"{found.compared:,}, {found.differing:,} differing"))
    reasons = [("from profiles, not recomputed", f"{count:,}: {why}") for why, count in sorted(found.not_recomputed.items())]
    return rows + reasons


def _report(args: Namespace, finding: Finding, recomputed: Recomputed | None) -> None:
    engines = [engine.__name__ for engine in ENGINES[args.engine]]
    if args.json:
        document: dict[str, Any] = {"identical": not _differs(finding, recomputed), "engines": engines, **asdict(finding)}
        transactions = None if recomputed is None else asdict(recomputed)
        write_json({**document, "transactions": transactions, "unchecked": list(UNCHECKED)})
        return
    rows = [
        ("executed again, every bit the same", f"{finding.executed:,} by {' and '.join(engines)}"),
        ("rejected, so that no model was asked", f"{finding.rejected:,}"),
    ]
    if finding.challengers:
        rows.append(("challengers' margins computed again", f"{finding.challengers:,}"))
    if finding.erased:
        rows.append(("erased", f"{finding.erased:,}, under keys that the governance log says were destroyed"))
    if finding.missing:
        rows.append(("evidence missing", f"{finding.missing:,}"))
    if finding.differing:
        rows.append(("differing", f"{finding.differing:,}"))
    if recomputed is not None:
        counts = f"{recomputed.warming_up:,} warming up, {recomputed.unrecorded:,} without their transaction"
        rows.append(
            ("features computed from transactions", f"{recomputed.compared:,}, {recomputed.differing:,} differing; {counts}")
        )
        rows += _profiled_rows(recomputed.profiles)
    told = [*finding.told, *((*recomputed.told, *recomputed.profiles.told) if recomputed is not None else ())]
    notes = [("✗", said) for said in told] + [("!", f"missing: {where}") for where in finding.absent]
    if max(finding.differing, finding.missing) > MAX_TOLD:
        notes.append(("!", f"of each kind the first {MAX_TOLD} are told"))
    if _unprofiled(recomputed):
        notes.append(("!", f"what comes from profiles could be computed of no decision; is {args.labels} the labels' topic?"))
    if _unrecorded(recomputed):
        notes.append(("!", f"{args.transactions} has the transaction of none of these decisions; is it what was sent?"))
    notes += [("?", f"not checked: {left}") for left in UNCHECKED]
    lacking = "INCOMPLETE" if _lacks(finding, recomputed) else "IDENTICAL"
    verdict = "NOT IDENTICAL" if _differs(finding, recomputed) else lacking
    print_rows(verdict, verdict == "IDENTICAL", rows, notes)
