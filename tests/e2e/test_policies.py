"""Policies with rules and lists, from a file to force, to receipts, to what another would have done; challengers beside."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import xgboost

from tallystick.audit.evidence import key_id, open_evidence
from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.cli.main import main
from tallystick.contracts import Decision, Explanation, Outcome, PolicyStatement
from tallystick.trust.decisions import check_outcome

from .bank import now_ms, stream, transactions
from .evidence import customer_keys, features
from .governing import Release, governance, install, logged, publish_release
from .reading import read_run
from .rough import Rough

ROWS = 2_000
RULES = """
[[rules]]
name = "dear"
outcome = "REVIEW"
when = "transaction.amount_minor > 30000 AND transaction.currency = 'EUR'"
[[rules]]
name = "small"
outcome = "APPROVE"
when = "feature.amount < 60 OR attribute.trusted = 1"
[[lists]]
name = "known-mules"
kind = "block"
subject = "customer"
file = "mules.csv"
"""


def cli(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    """Run `tallystick` in this process, which has imported it all, and return what it printed."""
    said, failed = StringIO(), StringIO()
    with redirect_stdout(said), redirect_stderr(failed), pytest.MonkeyPatch.context() as patch:
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        code = main(arguments)
    assert code == 0, failed.getvalue()
    return said.getvalue()


def policy_file(folder: Path, release: Release, name: str, rules: str = "") -> Path:
    """Write a policy with the release's thresholds, and its list."""
    stated = release.policy
    head = {"name": name, "version": "1"}
    head_lines = [f'{key} = "{value}"' for key, value in head.items()]
    numbers = ("decline_margin", "review_margin", "event_time_tolerance_ms", "max_value_bytes")
    lines = [*head_lines, *(f"{number} = {getattr(stated, number)!r}" for number in numbers)]
    (folder / "mules.csv").write_text(
        "# id, until\nruled-c1\nruled-c2,2001-01-01T00:00:00Z\nruled-c3,2199-01-01T00:00:00+01:00\n"
    )
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n" + rules)
    return path


def common(platform: Platform, name: str) -> list[str]:
    """Return what every command on the governance log needs, signed by `name`."""
    person = platform.people[name]
    log = ["--log", f"{platform.log_url}/governance", "--trust", str(platform.policy)]
    return [*log, "--key", str(person.key_file), "--signer", person.name]


def publish(platform: Platform, file: Path, keys: Path) -> str:
    """Publish a policy as ada, through the command, and wait until it is logged; return its digest."""
    size = logged(platform)
    vault = {
        "TALLYSTICK_VAULT_ADDR": platform.stack.vault.address,
        "TALLYSTICK_VAULT_TOKEN_FILE": str(platform.stack.vault.root_token_file),
    }
    where = ["--models", str(platform.models), "--keys", str(keys), "--kafka", platform.stack.kafka.address]
    digest = cli(["policy", "publish", str(file), *common(platform, "ada"), *where], vault).strip()
    wait_until(lambda: logged(platform) > size, "the policy to be logged")
    return digest


def activate(platform: Platform, folder: Path, *what: str) -> int:
    """Activate as ada and grace, through the commands, and wait until scoring knows it; return its index."""
    index, file = logged(platform), folder / "activation.bin"
    cli(["activate", "propose", *what, *common(platform, "ada"), "--out", str(file)])
    approve = [*common(platform, "grace"), "--yes", "--publish", "--kafka", platform.stack.kafka.address]
    cli(["activate", "approve", str(file), *approve])
    wait_until(lambda: _known(platform, index), "scoring to know the activation")
    return index


def _known(platform: Platform, index: int) -> bool:
    said = platform.health("scoring")["governance"]
    return index in said["activations"] or index in said["challengers"]


def backtest(platform: Platform, *arguments: str) -> Any:
    """Return what the command finds over everything that is logged."""
    evidence = ["--audit", platform.url("audit"), "--token-file", str(platform.auditor_token_file)]
    period = ["--from", "2001-01-01T00:00:00Z", "--to", "2199-01-01T00:00:00Z"]
    where = ["--logs", platform.log_url, "--trust", str(platform.policy)]
    return json.loads(cli(["backtest", *arguments, *period, *where, *evidence, "--json"]))


@contextmanager
def put_back(platform: Platform, release: Release) -> Iterator[None]:
    """Leave the release in force as it was, and no challenger."""
    try:
        yield
    finally:
        install(platform, release)


def test_a_policy_goes_from_a_file_to_receipts(rough: Rough, release: Release, tmp_path: Path) -> None:
    """Published by one, activated by two without a new model; what applied is in each decision, and its reasons follow.

    Replay, verify and backtest make the same of the evidence.
    Fails if a rule or list is not evaluated, if an expired entry counts, if reasons are not those of what applied, or if the
    evidence lacks what the rules are about.
    """
    platform = rough.platform
    with put_back(platform, release):
        read_run(platform)  # so that all that other tests have sent is logged
        others = _without_rules(platform, release, tmp_path)
        digest = publish(platform, policy_file(tmp_path, release, "ruled", RULES), tmp_path / "lists")
        for file in platform.models.glob("*.list"):
            (tmp_path / "lists" / file.name).write_bytes(file.read_bytes())
        index = activate(platform, tmp_path, "--policy", digest, "--effective-at", "1")
        table = transactions(ROWS, "ruled", customers=40)
        asyncio.run(stream(platform.kafka, table))
        run = read_run(platform)
        made = run.of("ruled")
        assert len(made) == ROWS
        policy = governance(platform).policies[bytes.fromhex(digest)][1]
        paid = {row.as_py().removeprefix("ruled-"): place for place, row in enumerate(table["transaction_id"])}
        for row, decision in made.items():
            assert decision.activation_index == index
            amount = table["amount_minor"][paid[row]].as_py()
            listed = table["customer_id"][paid[row]].as_py() in {"ruled-c1", "ruled-c3"}
            expected = [name for name, applies in _expected(amount, listed).items() if applies]
            assert list(decision.applied) == expected
            check_outcome(decision, policy)
        of_each = {tuple(decision.applied): row for row, decision in made.items()}
        assert {("known-mules",), ("dear",), ("small",), ("known-mules", "small")} <= of_each.keys()
        for row in (of_each["dear",], of_each["known-mules", "small"]):
            _check_receipt(platform, f"ruled-{row}", tmp_path)
        _check_backtest(platform, release, tmp_path, list(made.values()), policy, others)


def _expected(amount_minor: int, listed: bool) -> dict[str, bool]:
    return {"known-mules": listed, "dear": amount_minor > 30_000, "small": amount_minor < 6_000}


def _check_receipt(platform: Platform, transaction_id: str, folder: Path) -> None:
    bundle = folder / "bundle.json"
    url = f"{platform.url('audit')}/v1/decisions/{transaction_id}/bundle"
    headers = platform.auditor

    def fetched() -> bool:
        answer = httpx.get(url, params={"disclose": "identity,transaction,features,explanation"}, headers=headers)
        bundle.write_bytes(answer.content)
        return answer.status_code == httpx.codes.OK

    wait_until(fetched, "the bundle")
    said = json.loads(cli(["verify", str(bundle), "--policy", str(platform.policy), "--json"]))
    assert any("apply just as the decision says" in check for check in said["checks"])
    digest = said["governance"]["model"]["digest"]
    options = ["--policy", str(platform.policy), "--model", str(platform.models / f"{digest}.json")]
    replay = ["replay", str(bundle), *options, "--lists", str(folder / "lists"), "--json"]
    assert json.loads(cli(replay))["identical"] is True


def _without_rules(platform: Platform, release: Release, folder: Path) -> Any:
    """Return what a policy without rules would have made of all that is logged."""
    return backtest(platform, str(policy_file(folder, release, "plain")))["policy"]


def _check_backtest(
    platform: Platform, release: Release, folder: Path, made: list[Decision], policy: PolicyStatement, others: Any
) -> None:
    """Check that, without rules, just those of `made` would differ whose outcome a rule or list has changed.

    Args:
        platform: where all of it is logged.
        release: in force.
        folder: for files.
        made: under `policy`.
        policy: with rules.
        others: what was found without rules in the decisions of other tests, which had policies of their own.
    """
    own = backtest(platform, str(policy_file(folder, release, "ruled", RULES)))["policy"]
    index = made[0].activation_index
    assert own["applied"]["known-mules"]["decisions"] == sum("known-mules" in one.applied for one in made)
    assert own["left_out"].get("evidence that may not be seen, or was erased", 0) == 0
    plain = _without_rules(platform, release, folder)
    assert own["decisions"] == plain["decisions"] == others["decisions"] + len(made)
    assert plain["changed"] - others["changed"] == sum(one.outcome != _by_margin(one, policy) for one in made)
    assert index is not None
    assert any(change["amount_minor"].get("EUR") for change in plain["outcomes"])


def _by_margin(decision: Decision, policy: PolicyStatement) -> Outcome:
    margin = np.array([decision.margin_bits], np.uint32).view(np.float32)[0]
    if margin >= np.float32(policy.decline_margin):
        return Outcome.OUTCOME_DECLINE
    return Outcome.OUTCOME_REVIEW if margin >= np.float32(policy.review_margin) else Outcome.OUTCOME_APPROVE


def test_a_challenger_is_recorded_and_changes_nothing(
    rough: Rough, release: Release, other_release: Release, tmp_path: Path
) -> None:
    """Its margins, to the bit, are in the evidence beside the champion's decisions, which are what they would have been."""
    platform = rough.platform
    publish_release(platform, other_release)
    ends_ms = now_ms() + 3_600_000
    slot = ["--slot", "challenger/other", "--model", other_release.model_digest.hex()]
    index = activate(platform, tmp_path, *slot, "--effective-at", "1", "--until", str(ends_ms))
    champion = governance(platform).slot("champion")[-1].index
    asyncio.run(stream(platform.kafka, transactions(ROWS, "shadowed")))
    run = read_run(platform)
    mine = {place: item for place, item in run.decisions.items() if run.key(place).startswith(b"shadowed-")}
    seen = features(run, platform, mine)
    matrix = np.array([seen[place] for place in mine], np.float32)
    booster = xgboost.Booster(params={"nthread": 1}, model_file=bytearray(other_release.model_file))
    margins = booster.inplace_predict(matrix, predict_type="margin").astype(np.float32).view(np.uint32).tolist()
    keys = customer_keys(platform)
    stored = {sha256(item.value).digest(): item.value for part in run.records["evidence"].values() for item in part}
    for decision, bits in zip(mine.values(), margins, strict=True):
        value = stored[decision.evidence_digest]
        said = Explanation.FromString(open_evidence(value, keys[key_id(value)], decision)["explanation"].content)
        assert [(one.activation_index, one.margin_bits) for one in said.challengers] == [(index, bits)]
        assert decision.activation_index == champion
        check_outcome(decision, release.policy)

    (found,) = backtest(platform)["challengers"]
    assert (found["slot"], found["activation_index"], found["decisions"]) == ("challenger/other 0", index, ROWS)
    _end(platform, tmp_path, "--slot", "challenger/other", "--effective-at", "1", "--until", "1")


def _end(platform: Platform, folder: Path, *what: str) -> None:
    size, file = logged(platform), folder / "end.bin"
    cli(["activate", "propose", *what, *common(platform, "ada"), "--out", str(file)])
    approve = [*common(platform, "grace"), "--yes", "--publish", "--kafka", platform.stack.kafka.address]
    cli(["activate", "approve", str(file), *approve])
    wait_until(lambda: platform.health("scoring")["governance"]["log_size"] > size, "scoring to read the end")
    assert platform.health("scoring")["governance"]["challengers"] == []


def test_a_policy_takes_over_in_mid_stream(rough: Rough, release: Release, tmp_path: Path) -> None:
    """While transactions stream: each partition moves once, where its decisions and health say, and none is mixed."""
    platform = rough.platform
    with put_back(platform, release):
        digest = publish(platform, policy_file(tmp_path, release, "swapped", RULES), tmp_path / "lists")

        async def streamed() -> int:
            swapping = asyncio.create_task(
                asyncio.to_thread(activate, platform, tmp_path, "--policy", digest, "--effective-at", "1")
            )
            sent = 0
            while sent == 0 or not swapping.done():
                await stream(platform.kafka, transactions(1_000, f"swapped{sent}"), rate=2_000)
                sent += 1
            await stream(platform.kafka, transactions(1_000, f"swapped{sent}"))
            return await swapping

        index = asyncio.run(streamed())
        run = read_run(platform)
        known = {one.index: one.policy for one in governance(platform).activations}
        switched: dict[int, int] = {}
        for _, decision in sorted(run.decisions.items()):
            if decision.outcome != Outcome.OUTCOME_REJECTED:
                check_outcome(decision, known[decision.activation_index])
            if decision.activation_index == index:
                switched.setdefault(decision.source_partition, decision.sequence)
            else:
                assert decision.source_partition not in switched
        assert len(switched) == 4
        for number, one in platform.health("scoring")["partitions"].items():
            assert one["activation_index"] == index
            assert one["activation_from_sequence"] in (None, switched[int(number)])  # None: it was taken over since
        logs = json.loads(cli(["fsck", str(platform.log_dir), "--policy", str(platform.policy), "--json"]))
        (told,) = [one["switches"] for one in logs["logs"] if one["origin"].endswith("/decisions")]
        assert [(one["partition"], one["sequence"]) for one in told if one["activation_index"] == index] == sorted(
            switched.items()
        )
