"""The story that the demo tells, in order."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console

from tallystick.cli.demo.figures import Decided, Figures, figures, read_logs, rows_of
from tallystick.cli.demo.platform import PROFILES, QUORUM, SEALER, SERVICES, WITNESSES, Platform
from tallystick.cli.demo.proof import Verdict, asked, fetch, flip_one_bit, offline
from tallystick.cli.demo.report import Told, show, show_service
from tallystick.cli.demo.steps import DemoError, activate, fill_profiles, label, publish, stream, train, wait_until
from tallystick.cli.simulate import generate, write_parquet
from tallystick.cli.simulate.stream import DAYS
from tallystick.cli.stream import Shift, read_transactions, shift_ms
from tallystick.contracts import Outcome
from tallystick.embedded import ApacheKafka
from tallystick.runtime.retention import RetentionSettings

TRAINING_DAYS = (21, 42)  # with the days before as history
FIRST_STREAMED_DAY = 49  # a week after: labels take that long to be known
SCHEMA = "card-2"
DAY_S = 86_400

__all__ = ["DemoError", "Plan", "tell"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: where, how many transactions, whether to leave the audit service up, and whether on Apache Kafka."""

    directory: Path
    result: Path
    transactions: int
    serve: bool
    apache: bool = False


@dataclass(frozen=True, slots=True)
class Following:
    """The transactions that are streamed, and whether each is fraud."""

    table: pa.Table
    fraud: NDArray[np.bool_]


def tell(plan: Plan, console: Console) -> int:
    """Run everything and show it; return 0 if all of it held, 1 if not.

    Raises:
        DemoError: if a step fails.
    """
    begun = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - begun:5.1f} s[/]  {line}")

    data = plan.directory.parent / "handbook.parquet"
    with ThreadPoolExecutor(1) as pool:
        generating = pool.submit(_generate, data, plan.transactions)  # while the servers start
        running = Platform(
            plan.directory,
            anchored=True,
            profiled=True,
            sealed=True,
            retention=RetentionSettings(),
            kafka=_brokers(plan),
        )
        with running as platform:
            say(f"Kafka, Vault and PostgreSQL run, and {len(SERVICES) + 1} services, each its own process")
            say(f"so do {len(WITNESSES)} witnesses: what a log publishes, {QUORUM} of them must cosign")
            say("and a sealer, who reads the input too, and signs what it read")
            say(f"and who anchors its heads outside: {' and '.join(sorted(platform.anchored_by))}")
            following = generating.result()
            say("the handbook's card stream: 1,754,155 transactions, hash as published")
            now_ms = time.time_ns() // 1_000_000
            # Both take the file, and neither waits for the other.
            filling = pool.submit(fill_profiles, platform, data, *_moved(following, now_ms))
            release = train(data, TRAINING_DAYS, plan.directory / "release", SCHEMA)
            say(f"a model is trained on its days {TRAINING_DAYS[0]} to {TRAINING_DAYS[1] - 1}: {release['model_digest'][:16]}…")
            filling.result()
            wait_until(lambda: platform.health(PROFILES)["ready"], "profiles")
            label(platform, following.table, following.fraud, _moved(following, now_ms)[0], now_ms)
            say("terminals have profiles, of the days before and of labels that come a week late")
            _govern(plan, platform, following, release, now_ms)
            say("published by ada, approved by ada and grace, verified by scoring")
            say(f"streaming {plan.transactions:,} transactions from day {FIRST_STREAMED_DAY} on")
            started_s = stream(platform, following.table, now_ms, console)
            decided = read_logs(platform)
            rows = rows_of(decided, following.table, platform.partitions)
            found = figures(decided, following.fraud[rows], plan.transactions, started_s)
            say(f"{found.decisions:,} decisions are in the log, under a checkpoint that verifies")
            told = _prove(plan, platform, decided, following, release["model_digest"], found)
            plan.result.write_text(json.dumps(_result(told), indent=2) + "\n")
            show(told, plan.result, time.monotonic() - begun, console)
            if plan.serve and told.held:
                _serve(platform, told, console)
    return 0 if told.held else 1


def _brokers(plan: Plan) -> ApacheKafka | None:
    return ApacheKafka(plan.directory / "kafka") if plan.apache else None


def _govern(plan: Plan, platform: Platform, following: Following, release: dict[str, Any], now_ms: int) -> None:
    """Publish the model as one person, approve it as another, and wait until scoring has verified both."""
    _, effective_at_ms = _moved(following, now_ms)
    platform.wait_live()
    wait_until(lambda: platform.health("notary")["ready"], "the notary")
    publish(platform, plan.directory / "release", "ada")
    activate(platform, release["model_digest"], release["policy_digest"], effective_at_ms)
    wait_until(lambda: platform.health("scoring")["ready"], "scoring to verify the log and load the model")


def _moved(following: Following, now_ms: int) -> tuple[int, int]:
    """Return how far event times are moved, and the first one then."""
    event_times = following.table["event_time_ms"].to_numpy()
    moved_ms = shift_ms(Shift.WHOLE_WEEKS, int(event_times[-1]), now_ms)
    return moved_ms, int(event_times[0]) + moved_ms


def _generate(data: Path, transactions: int) -> Following:
    """Generate the card stream (its hash is checked on the way) and cut out what is streamed."""
    generated = generate()
    write_parquet(generated, data)
    first = int(np.searchsorted(generated.time_s, FIRST_STREAMED_DAY * DAY_S))
    if first + transactions > len(generated.time_s):
        raise DemoError(f"from day {FIRST_STREAMED_DAY} of {DAYS} on there are fewer than {transactions:,} transactions")
    table = read_transactions(data).table.slice(first, transactions)
    fraud: NDArray[np.bool_] = pq.read_table(data, columns=["fraud"])["fraud"].to_numpy().astype(bool)
    return Following(table, fraud[first : first + transactions])


def _prove(plan: Plan, platform: Platform, decided: Decided, following: Following, model_digest: str, found: Figures) -> Told:
    rows = rows_of(decided, following.table, platform.partitions)
    place = _telling(decided, following.fraud[rows])
    transaction_id = following.table["transaction_id"][int(rows[place])].as_py()
    bundle, tampered = plan.directory / "bundle.json", plan.directory / "tampered.json"
    model = _short_name(plan.directory / "model.json", platform.models / f"{model_digest}.json")
    trust = _short_name(plan.directory / "policy", platform.policy)
    fetch(platform, transaction_id, bundle)
    flip_one_bit(bundle, tampered)
    policy = ["--policy", str(trust)]
    verified = offline(["verify", str(bundle), *policy])
    refused = offline(["verify", str(tampered), *policy])
    replayed = offline(["replay", str(bundle), *policy, "--model", str(model)])
    complete = completeness(platform, found.decisions)
    return Told(
        figures=found,
        transaction_id=transaction_id,
        bundle=bundle,
        tampered=tampered,
        policy=trust,
        model=model,
        verified=verified,
        refused=refused,
        replayed=replayed,
        complete=complete,
    )


def completeness(platform: Platform, decisions: int) -> Verdict:
    """Hold so many decisions against what the sealer read, once its seals on all of them are in the log."""
    wait_until(lambda: platform.health(SEALER)["seals"]["records"] >= decisions, "the sealer to have read the input")
    signed = platform.health(SEALER)["seals"]["signed"]
    wait_until(lambda: platform.health("notary")["logs"]["seals"]["published_size"] >= signed, "the seals to be logged")
    return asked(["completeness", str(platform.log_dir), "--policy", str(platform.policy)])


def _telling(decided: Decided, fraud: NDArray[np.bool_]) -> int:
    """Return the place of the decision to look at: a fraud that was declined, else the highest score of a short stream."""
    declined = [place for place, item in enumerate(decided.decisions) if item.outcome == Outcome.OUTCOME_DECLINE]
    if not declined:
        return max(range(len(decided.decisions)), key=lambda place: decided.decisions[place].score)
    return next((place for place in declined if fraud[place]), declined[0])


def _result(told: Told) -> dict[str, object]:
    """Return the result as machines read it."""
    found = asdict(told.figures)
    return {
        **found,
        "bundle": str(told.bundle),
        "policy": str(told.policy),
        "verified": told.verified.code == 0,
        "tampered_refused": told.refused.code == 1,
        "replay_identical": told.replayed.code == 0,
        "complete": told.complete.code == 0,
        "anchored": sorted(anchor["by"] for anchor in told.verified.said.get("anchors", [])),
        "cosigned": sorted(told.verified.said.get("log", {}).get("cosigned", {})),
    }


def _short_name(link: Path, target: Path) -> Path:
    """Make a link that people can type."""
    link.symlink_to(target.relative_to(link.parent))
    return link


def _serve(platform: Platform, told: Told, console: Console) -> None:
    """Leave everything up until Ctrl-C. Raises DemoError if a service ends by itself."""
    show_service(told, platform.url("audit"), platform.auditor_token_file, console)
    try:
        while all(service.is_alive for service in platform.services.values()):
            time.sleep(0.5)
    except KeyboardInterrupt:
        return
    ended = [f"{name} (code {service.exit_code})" for name, service in platform.services.items() if not service.is_alive]
    raise DemoError(f"ended by itself: {', '.join(ended)}")
