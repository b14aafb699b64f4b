"""`tallystick completeness` on logs as files: all of it, a time of it, and logs that are not sound."""

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tallystick.cli.completeness import answering
from tallystick.cli.completeness.reading import Stretch, believed, entry_at
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.main import main
from tallystick.contracts import Decision, EntryKind, Fallback, LogEntry, Outcome, Seal
from tallystick.merkle.tiles import TILE_WIDTH
from tallystick.runtime.log_reader import LogReader

from ..sealer.input import PARTITIONS, POLICY, POLICY_FILES, SEALS, Record, Sealing, decided, records
from ..trust.helpers import DECISIONS, GOVERNANCE, NOW_MS, Log, World, log_key, log_policy
from ..trust.test_fallbacks import fallback
from .logs import publish

FALLBACKS = "tallystick.example/test/fallbacks"
ANSWERED_POLICY = (
    log_policy(logs=(DECISIONS, FALLBACKS, SEALS, GOVERNANCE)),
    POLICY_FILES[1].replace(b"governance =", f'fallbacks = "{FALLBACKS}"\ngovernance ='.encode()),
)
SECONDS = 40
EACH = 10
"""Records of each partition a second."""


def write(folder: Path, made: Iterable[Decision], seals: Iterable[Seal], fallbacks: Sequence[Fallback] | None = None) -> None:
    """Write a trust policy and its logs; a decision is logged in the second of its record."""
    log = Log(DECISIONS)
    for decision in made:
        entry = LogEntry(
            kind=EntryKind.ENTRY_KIND_DECISION,
            topic="decisions",
            partition=decision.source_partition,
            offset=decision.sequence,
            timestamp_ms=decision.decided_at_ms,
            value=decision.SerializeToString(),
        )
        log.entries.append(entry.SerializeToString())
    publish(log, folder / "logs/decisions")
    sealed = Log(SEALS)
    for seal in seals:
        sealed.append(EntryKind.ENTRY_KIND_SEAL, seal.SerializeToString(), topic="seals")
    publish(sealed, folder / "logs/seals")
    publish(World().governance_log(), folder / "logs/governance")
    if fallbacks is not None:
        answered = Log(FALLBACKS)
        for one in fallbacks:
            answered.append(EntryKind.ENTRY_KIND_FALLBACK, one.SerializeToString(), topic="fallbacks")
        publish(answered, folder / "logs/fallbacks")
    (folder / "policy").mkdir()
    files = POLICY_FILES if fallbacks is None else ANSWERED_POLICY
    for file, data in zip(("log.policy", "trust.toml"), files, strict=True):
        (folder / "policy" / file).write_bytes(data)


def stream() -> list[Record]:
    """Return a partition's records: some each second."""
    return [record._replace(timestamp=NOW_MS + record.offset // EACH * 1000) for record in records(SECONDS * EACH)]


def seals(some: list[Record]) -> list[Seal]:
    """Return the seals of a sealer that reads these records in every partition, each second those of it."""
    sealing, made = Sealing(), []
    for second in range(SECONDS):
        for partition in range(PARTITIONS):
            sealing.read(*some[second * EACH : (second + 1) * EACH], partition=partition)
        made.append(sealing.seal())
    return made


def decisions(some: list[Record]) -> list[Decision]:
    """Return the decisions on these records in every partition, in the order of time."""
    made = [decision for partition in range(PARTITIONS) for decision in decided(some, partition)]
    return sorted(made, key=lambda decision: decision.sequence)


def told(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and what is said of the first sealer."""
    code = main(["completeness", str(folder / "logs"), "--policy", str(folder / "policy"), "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)["sealers"][0]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of logs in which nothing is wrong, and the last two seconds are not sealed."""
    folder = tmp_path_factory.mktemp("sound")
    write(folder, decisions(stream()), seals(stream())[:-2])
    return folder


def test_a_whole_history(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every decision that was sealed is compared, and the tail is named by partition."""
    code, said = told(sound, capsys)
    assert (code, said["reasons"], said["seals"]) == (0, [], SECONDS - 2)
    assert said["compared"] == PARTITIONS * EACH * (SECONDS - 2)
    assert said["unsealed"] == [
        {"partition": partition, "first": EACH * (SECONDS - 2), "end": EACH * SECONDS} for partition in range(PARTITIONS)
    ]


@pytest.mark.parametrize(("beyond", "code"), [(0, 0), (1, 1)])
def test_a_retired_key_s_log_is_no_log_beyond_its_time(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], beyond: int, code: int
) -> None:
    """Whoever has the stolen key of a log can make it grow; the key is believed up to the size that it was retired at."""
    folder = tmp_path / "retired"
    shutil.copytree(sound, folder)
    governance, size = World().governance_log(), PARTITIONS * EACH * SECONDS
    governance.append(EntryKind.ENTRY_KIND_LOG_KEY, log_key("the next", origin=DECISIONS))
    governance.append(EntryKind.ENTRY_KIND_LOG_KEY, log_key(DECISIONS, origin=DECISIONS, last_size=size - beyond))
    publish(governance, folder / "logs/governance")
    assert main(["completeness", str(folder / "logs"), "--policy", str(folder / "policy"), "--json"]) == code
    assert (f"{size:,} entries is signed by a retired key" in "".join(capsys.readouterr())) == bool(code)


def test_a_time_of_it(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the seals of that time are compared, and what lies before it is not read."""
    second = NOW_MS + 30 * 1000
    for patience_s in (0, 3, 60):  # what was sealed so long before is compared as well, and not counted
        times = ["--from", str(second), "--to", str(second + 5_000), "--patience", str(patience_s)]
        code, said = told(sound, capsys, *times)
        assert (code, said["seals"], said["compared"]) == (0, 5, 5 * PARTITIONS * EACH)
        assert said["unsealed"] == []


@pytest.mark.parametrize(
    ("from_s", "to_s", "complete"),
    [
        pytest.param(None, None, False, id="all"),
        pytest.param(None, 32, False, id="up to just after they were sealed"),
        pytest.param(32, None, False, id="from just after they were sealed"),
        pytest.param(33, 39, False, id="between"),
        pytest.param(None, 29, True, id="before them"),
    ],
)
def test_records_without_a_decision_are_missed_in_any_time_around_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], from_s: int | None, to_s: int | None, *, complete: bool
) -> None:
    """Scoring stood still from second 30 on, and more was sealed: whichever time is asked for, five seconds were enough."""
    some = stream()
    write(tmp_path, decisions(some[: 30 * EACH]), seals(some))
    times = {"--from": from_s, "--to": to_s}
    asked = [word for name, at_s in times.items() if at_s is not None for word in (name, str(NOW_MS + at_s * 1_000))]
    code, said = told(tmp_path, capsys, "--patience", "5", *asked)
    assert (code == 0, said["complete"]) == (complete, complete)
    if not complete:
        assert "sequence 300: sealed, and the log has no decision on it" in said["reasons"][0]


def test_a_time_in_which_nothing_was_sealed_is_no_complete_one(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said when the sealer did seal."""
    code, said = told(sound, capsys, "--from", str(NOW_MS + 3_600_000))
    assert code == 1
    assert "the sealer s1 has sealed nothing in this time; it did from 20" in said["reasons"][0]


def test_what_may_still_be_decided_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sealed a moment ago: complete, and the sentence that says so leaves those out."""
    some = stream()
    write(tmp_path, decisions(some[: 38 * EACH]), seals(some))
    assert main(["completeness", str(tmp_path / "logs"), "--policy", str(tmp_path / "policy")]) == 0
    out = capsys.readouterr().out
    assert "has one decision, but for the newest, which are named below" in out
    assert f"sealed, and not decided yet: {2 * EACH * PARTITIONS:,} (" in out


def test_decisions_that_came_before_their_seals_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where clocks disagree, reading begins again from further back."""
    early = decisions(stream())
    for decision in early:
        decision.decided_at_ms -= 20_000
    write(tmp_path, early, seals(stream()))
    second = NOW_MS + 30 * 1000
    code, said = told(tmp_path, capsys, "--from", str(second), "--to", str(second + 5_000), "--patience", "1")
    assert (code, said["compared"]) == (0, 5 * PARTITIONS * EACH)


def test_a_difference_is_named_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people: the partition, the sequence, the offset, and what it means."""
    some = stream()
    write(tmp_path, decisions([*some[:123], some[123]._replace(value=b"x"), *some[124:]]), seals(some))
    assert main(["completeness", str(tmp_path / "logs"), "--policy", str(tmp_path / "policy")]) == 1
    out = capsys.readouterr().out
    assert out.startswith("NOT COMPLETE")
    assert "✗ by s1: partition 2, sequence 123 (offset 123): from here on the decisions are not on the records" in out


def test_a_seal_that_was_taken_out_of_the_log_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The notary is the bank's: what it keeps from the log of seals, the statements after it tell."""
    made = seals(stream())
    write(tmp_path, decisions(stream()), [*made[:20], *made[21:]])
    code, said = told(tmp_path, capsys)
    assert code == 1
    assert "its statement 21 comes after 19: those between are missing" in said["reasons"][0]


async def test_a_stretch_of_a_log_is_verified_without_the_rest(tmp_path: Path) -> None:
    """From the middle to before the end; one entry that is another one, and it is said."""
    write(tmp_path, decisions(stream()), ())
    for broken in (False, True):
        location = tmp_path / "logs/decisions"
        if broken:
            bundle = location / "tile/entries/005"
            bundle.write_bytes(bundle.read_bytes().replace(b"transactions", b"transactionz", 1))
        async with LogReader(location.as_uri()) as reader:
            checkpoint = await believed(reader, POLICY, DECISIONS)
            start = await entry_at(reader, checkpoint.size, NOW_MS + 33_000)
            assert start == 33 * PARTITIONS * EACH // TILE_WIDTH * TILE_WIDTH
            stretch = Stretch(reader, checkpoint, start)
            while not stretch.exhausted:
                await stretch.pull()
            if broken:
                with pytest.raises(BrokenError, match="do not hash to the root"):
                    await stretch.verify()
            else:
                await stretch.verify()


def answered_world(folder: Path, *fallbacks: Fallback) -> Path:
    """Write logs in which everything is approved but one record of partition 3, and what gateways had answered."""
    made = decisions(stream())
    for decision in made:
        odd = (decision.source_partition, decision.source_offset) == (3, 17)
        decision.outcome = Outcome.OUTCOME_DECLINE if odd else Outcome.OUTCOME_APPROVE
    write(folder, made, seals(stream())[:-2], fallbacks)
    return folder


def all_told(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, what is said as JSON, and to people."""
    capsys.readouterr()
    paths = ["completeness", str(folder / "logs"), "--policy", str(folder / "policy"), *arguments]
    code = main([*paths, "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert main(paths) == code
    return code, document, capsys.readouterr().out


def test_answers_without_a_decision_are_held_against_those_that_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same, otherwise and not decided yet are told apart, and complete all the same; withdrawn and missing ones are counted."""
    folder = answered_world(
        tmp_path,
        fallback(0),
        fallback(1, source_partition=2),
        fallback(2, withdrawn=True, source_partition=1),
        fallback(5, source_offset=18),
        fallback(5, source_offset=18),
        fallback(6, source_offset=SECONDS * EACH + 5),
        fallback(7, source_offset=SECONDS * EACH - 5, source_partition=1),  # which is decided, and not sealed yet
    )
    code, said, out = all_told(folder, capsys)
    assert (code, said["complete"]) == (0, True)
    otherwise = {"partition": 3, "sequence": 17, "offset": 17, "answered": "APPROVE", "decided": "DECLINE"}
    assert said["fallbacks"] == {
        "decided_as_answered": 3,
        "decided_otherwise": 1,
        "never_decided": 0,
        "not_decided_yet": 1,
        "otherwise": [otherwise],
        "never": [],
        "log": {"APPROVE": 5, "WITHDRAWN": 1, "MISSING": 2, "REPEATED": 1},
    }
    assert "answered without a decision: 3 decided as answered, 1 otherwise, 0 never; 1 not decided yet" in out
    assert "1 answered APPROVE by a gateway and decided DECLINE: partition 3, sequence 17" in out
    assert "2 fallbacks were written down by a gateway and never came here" in out
    assert "1 answers of gateways, in any time, were written down and withdrawn" in out


def test_an_answer_that_was_never_decided_is_not_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its partition's decisions passed over it: said whatever the seals say, and the first place named."""
    some = [record._replace(offset=record.offset + (record.offset > 17)) for record in stream()]
    write(tmp_path, decisions(some), seals(some), [fallback(0, source_offset=18), fallback(1, source_offset=19)])
    code, said, out = all_told(tmp_path, capsys)
    assert (code, said["complete"], said["sealers"][0]["complete"]) == (1, False, True)
    assert said["fallbacks"]["never"] == [{"partition": 3, "offset": 18, "answered": "APPROVE"}]
    words = "partition 3, offset 18: a gateway answered APPROVE without a decision, and none was made since"
    assert said["reason"] == words
    assert f"✗ {words}" in out
    assert out.startswith("NOT COMPLETE")


def test_an_answer_is_of_the_time_in_which_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its decision is found wherever it is: long before that time, in it, or after its end."""
    monkeypatch.setattr(answering, "EARLIER_MS", 0)  # or this log would be too short for one to lie far back
    at_ms = NOW_MS + 20 * 1000
    offsets = (1, 25 * EACH + 1, SECONDS * EACH - 1)
    folder = answered_world(
        tmp_path,
        *(fallback(number, source_offset=offset, answered_at_ms=at_ms) for number, offset in enumerate(offsets)),
        fallback(3, answered_at_ms=at_ms + 10_000),
    )
    for start_s, count in ((20, 3), (25, 1), (31, 0), (0, 0)):
        start = NOW_MS + start_s * 1000
        _, said, _ = all_told(folder, capsys, "--from", str(start), "--to", str(start + 6_000), "--patience", "1")
        fallbacks = said["fallbacks"]
        assert fallbacks["decided_as_answered"] + fallbacks["decided_otherwise"] == count
        assert (fallbacks["never_decided"], fallbacks["not_decided_yet"]) == (0, 0)


def test_a_log_of_fallbacks_that_is_no_copy_of_its_topic_is_not_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in it is checked as `fsck` does: an entry that cannot be there is named."""
    folder = answered_world(tmp_path, fallback(0), fallback(1, source_partition=9))
    assert main(["completeness", str(folder / "logs"), "--policy", str(folder / "policy")]) == 1
    assert "fallbacks: entry 1: 'transactions'/9 is not in the trust policy" in capsys.readouterr().out
