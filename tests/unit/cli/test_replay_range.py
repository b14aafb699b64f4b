"""`tallystick replay --from --to`: every decision of a time, as scoring really made them."""

import asyncio
import json
from collections.abc import Callable
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pytest

from tallystick.cli.main import main
from tallystick.cli.replay import ranges
from tallystick.cli.replay.places import Gathered
from tallystick.cli.replay.profile_topics import ProfileTopics
from tallystick.cli.replay.profiled import History
from tallystick.cli.replay.raw import Recomputed, Recomputing
from tallystick.cli.replay.records import FileRecords
from tallystick.contracts import Decision, Evidence, LogEntry, Outcome, ReasonCode
from tallystick.trust.commitments import commit
from tallystick.trust.decisions import score_of
from tallystick.trust.profiles.subject import Rule

from ..trust.helpers import NOW_MS
from .day import GAP_MS, Day
from .logs import PARTITIONS, publish

COUNT = 400


@pytest.fixture(scope="module")
def day() -> Day:
    """Return decisions under a policy with a rule and a list, beside a challenger."""
    return Day(count=COUNT)


@pytest.fixture(scope="module")
async def kept(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all of it, its evidence in `evidence`."""
    folder = tmp_path_factory.mktemp("day")
    day.write(folder)
    await day.keep(folder / "evidence")
    return folder


def replay(folder: Path, *options: str, evidence: str = "evidence", logs: str = "logs") -> int:
    """Run the command on the folder, from evidence that was kept."""
    places = {"policy": "policy", "logs": logs, "evidence": evidence, "models": "models"}
    named = [f"--{option}={folder / name}" for option, name in places.items()]
    return main(["replay", *named, "--from=0", f"--to={NOW_MS * 2}", *options])


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what the command wrote as JSON."""
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize(("engine", "threads"), [("xgboost", 1), ("xgboost", 3), ("own", 1), ("own", 3), ("both", 2)])
def test_every_decision_is_executed_to_the_same_bits(
    kept: Path, capsys: pytest.CaptureFixture[str], engine: str, threads: int
) -> None:
    """By either engine, on any number of threads, with the lists asked: margins, outcomes, challengers."""
    lists = f"--lists={kept / 'lists'}"
    assert replay(kept, "--json", f"--engine={engine}", f"--threads={threads}", lists) == 0
    document = found(capsys)
    engines = ["own", "xgboost"] if engine == "both" else [engine]
    assert (document["identical"], document["engines"]) == (True, engines)
    assert document["executed"] + document["rejected"] == COUNT
    assert 0 < document["rejected"] < COUNT / 20
    assert document["challengers"] == document["executed"] * len(engines)
    assert (document["erased"], document["missing"], document["differing"]) == (0, 0, 0)


def test_people_read_lines(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was executed, by what, and what was not looked at."""
    assert replay(kept) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "IDENTICAL"
    assert lines[1].startswith("executed again, every bit the same: ")
    assert lines[1].endswith(" by own and xgboost")
    assert [line for line in lines if line.startswith("? not checked: ")]


def test_only_the_time_counts(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the first millisecond on, the last not included."""
    first, last = NOW_MS + 10 * GAP_MS, NOW_MS + 20 * GAP_MS
    assert replay(kept, "--json", f"--from={first}", f"--to={last}") == 0
    document = found(capsys)
    assert document["executed"] + document["rejected"] == 10


def test_what_was_kept_is_kept_again(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--save-evidence` writes what the other source gave, and that replays alike."""
    assert replay(kept, f"--save-evidence={tmp_path / 'again'}") == 0
    assert replay(kept, "--json", evidence=str(tmp_path / "again")) == 0
    assert capsys.readouterr().out.count('"identical": true') == 1


def test_erased_evidence_is_erased_and_no_difference(day: Day, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the governance log names the key; evidence that is only said to be erased is missing, and so is what is not there."""
    copy = deepcopy(day)
    values = [Evidence.FromString(value) for value in copy.evidence.values()]
    copy.erase(values[0].key_id)
    erased = sum(value.key_id == values[0].key_id for value in values)
    other = next(value.key_id for value in values if value.key_id != values[0].key_id)
    del copy.keys[other]
    said = sum(value.key_id == other for value in values)
    gone = next(
        digest for digest, value in copy.evidence.items() if Evidence.FromString(value).key_id not in (values[0].key_id, other)
    )
    del copy.evidence[gone]
    document = of(copy, tmp_path, capsys, 2)
    assert (document["identical"], document["erased"], document["missing"]) == (True, erased, said + 1)
    assert sum("said to be erased" in where for where in document["absent"]) == said
    assert document["executed"] + document["rejected"] + erased + said + 1 == COUNT

    del copy.governance.entries[:]  # and under a governance log without the erasure it is missing, too
    copy.governance.entries += day.governance.entries
    copy.keys |= {other: day.keys[other]}
    copy.evidence[gone] = day.evidence[gone]
    assert of(copy, tmp_path / "b", capsys, 2)["missing"] == erased


def of(day: Day, folder: Path, capsys: pytest.CaptureFixture[str], code: int, *options: str) -> dict[str, Any]:
    """Write a day, replay it from its evidence, and return what was found."""
    folder.mkdir(exist_ok=True)
    day.write(folder)
    asyncio.run(day.keep(folder / "evidence"))
    capsys.readouterr()
    assert replay(folder, "--json", f"--lists={folder / 'lists'}", *options) == code
    return found(capsys)


def altered(day: Day, change: Callable[[Decision], None]) -> Day:
    """Return the day with its 100th scored decision changed before it was logged."""
    copy = deepcopy(day)
    scored = [
        index
        for index, data in enumerate(copy.log.entries)
        if Decision.FromString(LogEntry.FromString(data).value).outcome == Outcome.OUTCOME_APPROVE
    ]
    entry = LogEntry.FromString(copy.log.entries[scored[100]])
    decision = Decision.FromString(entry.value)
    change(decision)
    entry.value = decision.SerializeToString()
    if decision.source_partition >= PARTITIONS:  # wherever it is said to be from, it was logged from there
        entry.partition = decision.source_partition
    copy.log.entries[scored[100]] = entry.SerializeToString()
    return copy


def next_margin(decision: Decision) -> None:
    """Log a margin one bit from the true one."""
    decision.margin_bits ^= 1
    decision.score = score_of(float(np.array([decision.margin_bits], np.uint32).view(np.float32)[0]))


def other_features(decision: Decision) -> None:
    """Commit to other features than the evidence opens to."""
    next(item for item in decision.commitments if item.group == 3).digest = commit(bytes(16), b"other")


def other_outcome(decision: Decision) -> None:
    """Say that a rule applied."""
    decision.outcome = Outcome.OUTCOME_REVIEW
    decision.reasons[:] = [ReasonCode.REASON_CODE_RULE_REVIEW]
    decision.applied[:] = ["large"]


def stale(decision: Decision) -> None:
    """Mark profiles as not final that the evidence has not."""
    decision.reasons.append(ReasonCode.REASON_CODE_PROFILE_STALE)


DIFFERENT = {
    "margin": (next_margin, "computes a margin of bits"),
    "features": (other_features, "features is not what the decision commits to"),
    "outcome": (other_outcome, r"its policy makes APPROVE of its evidence, and the log holds REVIEW (large applied)"),
    "stale": (stale, "not marked as its profiles were"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_a_difference_names_the_decision(day: Day, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """One among hundreds, in the log as soundly as the others: its place is told, and the exit code is not 0."""
    change, words = DIFFERENT[what]
    document = of(altered(day, change), tmp_path, capsys, 1)
    assert (document["identical"], document["differing"]) == (False, 1)
    assert words in document["told"][0]
    assert "partition" in document["told"][0]
    assert document["executed"] == COUNT - document["rejected"] - 1


UNSOUND = {
    "score": (lambda d: setattr(d, "score", d.score ^ 1), "its score is"),
    "outcome": (lambda d: setattr(d, "outcome", Outcome.OUTCOME_DECLINE), "its reasons are not those of its outcome"),
    "sequence": (lambda d: setattr(d, "sequence", 2**40), "beyond its offset"),
    "partition": (lambda d: setattr(d, "source_partition", d.source_partition ^ 1), "another partition than its own"),
    "margin": (lambda d: setattr(d, "margin_bits", 0x7F800000), "not a finite number"),
    "no such partition": (lambda d: setattr(d, "source_partition", 9), "is not one of the topic's 4"),
    "infinite margin, declined": (lambda d: infinite(d), "not a finite number"),
    "margin over the threshold": (lambda d: over(d), "the policy makes"),
    "model": (lambda d: setattr(d, "model_digest", bytes(32)), "another model than its activation"),
    "activation": (lambda d: setattr(d, "activation_index", 1), "not in the governance log"),
    "time": (lambda d: setattr(d, "chain", b""), "its chain is not 32 bytes"),
}


def over(decision: Decision) -> None:
    """Log a margin that the policy would decline, approved."""
    decision.margin_bits = int.from_bytes(pack("<f", 5.0), "little")
    decision.score = score_of(5.0)


def infinite(decision: Decision) -> None:
    """Log an infinite margin, and all that would follow from it."""
    decision.margin_bits, decision.score, decision.outcome = 0x7F800000, 1_000, Outcome.OUTCOME_DECLINE
    decision.reasons[:] = [ReasonCode.REASON_CODE_MARGIN_DECLINE]


@pytest.mark.parametrize("what", UNSOUND)
def test_a_decision_that_contradicts_itself_is_not_sound(
    day: Day, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """By column as one by one: what `fsck` refuses is refused here, by the same words."""
    change, words = UNSOUND[what]
    publish(altered(day, change).log, tmp_path / "decisions")
    publish(day.governance, tmp_path / "governance")
    capsys.readouterr()
    assert replay(kept, "--json", logs=str(tmp_path)) == 1
    document = found(capsys)
    assert document["identical"] is False
    assert words in document["reason"]


def test_an_entry_that_its_checkpoint_does_not_sign_is_noticed(
    day: Day, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever its decision: the log's root is another."""
    publish(altered(day, next_margin).log, tmp_path / "decisions", note=day.log.checkpoint())
    publish(day.governance, tmp_path / "governance")
    assert replay(kept, logs=str(tmp_path)) == 1
    assert "do not hash to the root that its checkpoint signs" in capsys.readouterr().out


def test_lists_that_cannot_be_asked_are_believed(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --lists decisions are believed about them, as for one bundle."""
    assert replay(kept, "--json") == 0
    assert found(capsys)["identical"] is True


HALF = ("--from=0", "--to=1", "--logs=x", "--evidence=x", "--models=x")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from=0"], "missing for that: --to, --logs"),
        (["--from=0", "--to=1", "--logs=x"], "come from --audit, or from --evidence and --models"),
        (["--from=0", "--to=1", "--logs=x", "--audit=http://x"], "--audit needs --token-file"),
        ([*HALF, "--labels=labels"], "--labels needs --transactions kafka"),
        ([*HALF, "--transactions=x.jsonl", "--labels=labels"], "--labels needs --transactions kafka"),
        ([*HALF, "--label-lead=0"], "--label-lead must be 1 to 604800 seconds"),
        ([*HALF, "--transaction-lateness=604801"], "--transaction-lateness must be 1 to 604800 seconds"),
    ],
)
def test_half_a_range_is_a_usage_error(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing is said."""
    with pytest.raises(SystemExit):
        main(["replay", "--policy=p", *options])
    assert words in capsys.readouterr().err


def test_another_model_s_file_is_not_executed(day: Day, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not what its name says is refused, not found to differ."""
    for file in (kept / "models").iterdir():
        (tmp_path / file.name).write_bytes(day.other)
    assert replay(kept, f"--models={tmp_path}") == 2
    assert "is another file" in capsys.readouterr().err


def test_features_are_those_of_the_transactions(day: Day, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Computed from the file that was sent, late and repeated transactions in it, every vector has the very bits."""
    day.write_transactions(kept / "sent.jsonl")
    assert replay(kept, "--json", f"--transactions={kept / 'sent.jsonl'}") == 0
    document = found(capsys)
    assert document["transactions"]["compared"] == document["executed"]
    assert (document["transactions"]["differing"], document["transactions"]["unrecorded"]) == (0, 0)


def test_another_transaction_than_the_model_saw_is_named(day: Day, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One amount of one cent more: its decision differs, and whatever has it in its windows."""
    day.write_transactions(kept / "other.jsonl")
    lines = (kept / "other.jsonl").read_text().splitlines()
    line = json.loads(lines[150])
    line["amountMinor"] = str(int(line["amountMinor"]) + 1)
    (kept / "other.jsonl").write_text("\n".join([*lines[:150], json.dumps(line), *lines[151:]]))
    assert replay(kept, "--json", f"--transactions={kept / 'other.jsonl'}") == 1
    document = found(capsys)
    assert (document["identical"], document["differing"]) == (False, 0)
    assert 1 <= document["transactions"]["differing"] < 20
    assert "its amount is" in document["transactions"]["told"][0]


def test_a_file_of_other_transactions_proves_nothing(day: Day, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No decision's transaction is in it: that is incomplete, and said."""
    day.write_transactions(kept / "others.jsonl")
    lines = (kept / "others.jsonl").read_text().replace('"transactionId": "', '"transactionId": "other-')
    (kept / "others.jsonl").write_text(lines.replace('"transactionId":"', '"transactionId":"other-'))
    assert replay(kept, f"--transactions={kept / 'others.jsonl'}") == 2
    out = capsys.readouterr().out
    assert out.startswith("INCOMPLETE")
    assert "others.jsonl has the transaction of none of these decisions" in out


def test_a_time_without_decisions_is_not_identical(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was executed, and that is what is said; a time that ends before it begins is refused."""
    options = [f"--policy={kept / 'policy'}", f"--logs={kept / 'logs'}", f"--evidence={kept / 'evidence'}"]
    options += [f"--models={kept / 'models'}"]
    assert main(["replay", *options, "--from=2001-01-01T00:00Z", "--to=2001-01-02T00:00Z"]) == 2
    assert "no decision is of this time" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["replay", *options, "--from=2001-01-02T00:00Z", "--to=2001-01-01T00:00Z"])
    assert "--from must be before --to" in capsys.readouterr().err


def test_what_windows_may_lack_is_warming_up(day: Day, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that begins later: nothing is compared whose windows might reach back, so nothing differs falsely."""
    day.write_transactions(kept / "later.jsonl", first=100)
    assert replay(kept, "--json", f"--transactions={kept / 'later.jsonl'}") == 0
    transactions = found(capsys)["transactions"]
    assert transactions["differing"] == 0
    assert transactions["unrecorded"] > 0
    assert transactions["warming_up"] + transactions["compared"] + transactions["unrecorded"] > COUNT - 30
    assert transactions["warming_up"] > 0


@pytest.fixture(scope="module")
async def placed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return a folder of decisions whose model asks for profiles, of which there were none, and how many were scored."""
    day = Day(count=60, plain=True, trees=2, schema=(files("tallystick.contracts") / "features/card-2.json").read_bytes())
    folder = tmp_path_factory.mktemp("placed")
    day.write(folder)
    day.write_transactions(folder / "sent.jsonl")
    await day.keep(folder / "evidence")
    return folder, len(day.evidence)


def test_what_comes_from_profiles_is_not_recomputed_without_labels(
    placed: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is counted, with the reason, and neither equal nor differing; the rest is compared as ever."""
    folder, scored = placed
    sent = f"--transactions={folder / 'sent.jsonl'}"
    assert replay(folder, "--json", sent) == 0
    transactions = found(capsys)["transactions"]
    assert (transactions["compared"], transactions["differing"]) == (scored, 0)
    profiles = transactions["profiles"]
    assert (profiles["compared"], profiles["differing"]) == (0, 0)
    assert profiles["not_recomputed"] == {"no labels were given": scored}
    assert len(profiles["left"]) == scored
    assert replay(folder, sent) == 0
    assert f"from profiles, not recomputed: {scored}: no labels were given" in capsys.readouterr().out


def test_labels_of_which_nothing_comes_are_incomplete(
    placed: tuple[Path, int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for with labels, and computed of no decision: not identical by having looked at nothing."""
    folder, scored = placed

    async def read(_: object, inputs: object) -> History:
        assert inputs == {"transactions"}
        return History(Gathered(1, lambda key: 0), [[]], lambda days: Rule(days, 1, 0))

    monkeypatch.setattr(ranges, "_records", lambda _: FileRecords(folder / "sent.jsonl"))
    monkeypatch.setattr(ProfileTopics, "read", read)
    kafka = ("--transactions=kafka", "--kafka=x:1", "--labels=labels")
    assert replay(folder, "--json", *kafka) == 2
    not_recomputed = found(capsys)["transactions"]["profiles"]["not_recomputed"]
    assert not_recomputed == {"its profile was stale, and its evidence does not tell the state": scored}
    assert replay(folder, *kafka) == 2
    out = capsys.readouterr().out
    assert out.startswith("INCOMPLETE")
    assert "could be computed of no decision; is labels the labels' topic?" in out


def test_a_difference_in_what_comes_from_profiles_is_not_identical(
    placed: tuple[Path, int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, and the decision is named."""
    folder, _ = placed

    async def compare(self: Recomputing, *_: object) -> Recomputed:
        recomputed = Recomputed()
        recomputed.profiles.settle("partition 1, sequence 2", "its terminal_count_1d is 3 in the evidence")
        return recomputed

    monkeypatch.setattr(Recomputing, "compare", compare)
    assert replay(folder, f"--transactions={folder / 'sent.jsonl'}") == 1
    out = capsys.readouterr().out
    assert out.startswith("NOT IDENTICAL")
    assert "of them from profiles, computed with the labels: 1, 1 differing" in out
    assert "partition 1, sequence 2: its terminal_count_1d is 3" in out
