"""`tallystick fsck` over whole logs: sound ones pass, and each broken place is found and named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.cli.main import main
from tallystick.contracts import Decision, EntryKind, LogEntry, Malformed, Outcome, ReasonCode

from ..trust.helpers import DECISIONS, GOVERNANCE, NOW_MS, Log, World, activation, activation_statement, log_key, policy_digest
from .logs import decision_log, decisions, publish

COUNT = 600
"""Two full bundles and a part of a third."""


def write(folder: Path, decided: Log, governance: Log | None = None) -> Path:
    """Publish both logs, and return where."""
    logs = folder / "logs"
    publish(decided, logs / "decisions")
    publish(governance or World().governance_log(), logs / "governance")
    return logs


def fsck(folder: Path, *more: str) -> tuple[int, Path]:
    """Run the command on `folder`."""
    return main(["fsck", str(folder / "logs"), "--policy", str(folder / "policy"), *more]), folder


def finding(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Return what `--json` printed."""
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, COUNT])
def test_sound_logs_pass(folder: Path, capsys: pytest.CaptureFixture[str], count: int) -> None:
    """Logs of telling sizes are sound, and what is in them is told."""
    write(folder, decision_log(decisions(World(), count)))
    assert fsck(folder, "--json")[0] == 0
    logs = finding(capsys)["logs"]
    assert isinstance(logs, list)
    assert [log["size"] for log in logs] == [4, count]
    assert logs[1]["counts"] == ({"DECLINE": count} if count else {})
    assert logs[0]["counts"] == {"models": 1, "policies": 1, "activations": 1, "enrolments": 0, "erasures": 0}


@pytest.mark.parametrize(("beyond", "code"), [(0, 0), (1, 1)])
@pytest.mark.parametrize("origin", [DECISIONS, GOVERNANCE])
def test_a_retired_key_s_log_is_no_log_beyond_its_time(
    folder: Path, capsys: pytest.CaptureFixture[str], origin: str, beyond: int, code: int
) -> None:
    """Whoever has the stolen key of a log can make it grow; retired in the governance log, the key is believed up to a size."""
    governance = World().governance_log()
    governance.append(EntryKind.ENTRY_KIND_LOG_KEY, log_key("the next", origin=origin))
    governance.append(EntryKind.ENTRY_KIND_LOG_KEY, log_key(origin, origin=origin, last_size=6 - beyond))
    write(folder, decision_log(decisions(World(), 6)), governance)
    assert fsck(folder)[0] == code
    assert ("6 entries is signed by a retired key" in "".join(capsys.readouterr())) == bool(code)


def test_people_are_told_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--json` it says what is checked and what is not."""
    write(folder, decision_log(decisions(World(), 3)))
    assert fsck(folder)[0] == 0
    told = capsys.readouterr().out
    assert told.startswith("SOUND\n")
    assert f"{DECISIONS}: 3 entries" in told
    assert "not checked: the input" in told


def test_any_byte_of_any_file_matters(folder: Path) -> None:
    """One bit changed in any file, or a file gone: the logs are not sound any more."""
    logs = write(folder, decision_log(decisions(World(), COUNT)))
    files = sorted(path for path in logs.rglob("*") if path.is_file())
    assert len(files) == 11
    for path in files:
        sound = path.read_bytes()
        for place in (0, len(sound) // 2, len(sound) - 1):
            path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
            assert fsck(folder)[0] == 1, f"{path}, byte {place}"
        path.write_bytes(sound + b"\0")
        assert fsck(folder)[0] == 1, f"{path}, a byte more"
        path.unlink()
        assert fsck(folder)[0] == (2 if path.name == "checkpoint" else 1), f"{path} missing"
        path.write_bytes(sound)
    assert fsck(folder)[0] == 0


def _at(index: int, **values: object) -> Callable[[list[Decision]], None]:
    def change(made: list[Decision]) -> None:
        for name, value in values.items():
            setattr(made[index], name, value)

    return change


def _approved(made: list[Decision]) -> None:
    made[7].outcome = Outcome.OUTCOME_APPROVE
    del made[7].reasons[:]


def _swap(made: list[Decision]) -> None:
    made[8], made[12] = made[12], made[8]


def _drop(made: list[Decision]) -> None:
    del made[300]


def _double(made: list[Decision]) -> None:
    made.insert(300, made[299])


def _unruled(index: int) -> Callable[[list[Decision]], None]:
    def change(made: list[Decision]) -> None:
        world = World()
        world.reject(ReasonCode.REASON_CODE_NO_ACTIVE_MODEL, in_force=False)
        place = made[index]
        decision = Decision()
        decision.CopyFrom(world.decision)
        decision.source_partition, decision.sequence = place.source_partition, place.sequence
        decision.source_offset = place.source_offset
        made[index] = decision

    return change


DISORDER: dict[str, tuple[Callable[[list[Decision]], None], str]] = {
    "two swapped": (_swap, "entry 8: it has sequence 3 where 2 is next in partition 0 of transactions"),
    "one missing": (_drop, "entry 303: it has sequence 76 where 75 is next in partition 0"),
    "one doubled": (_double, "entry 300: it has sequence 74 where 75 is next in partition 3"),
    "offset goes back": (_at(5, source_offset=1, sequence=1), "entry 9: its source offset"),
    "another outcome": (_approved, "entry 7: the policy makes OUTCOME_DECLINE of its margin and of what applied"),
    "unknown activation": (_at(7, activation_index=9), "entry 7: it names the activation at 9"),
    "no activation any more": (_unruled(9), "entry 9: it was decided under activation -1, and its partition had moved on to 2"),
    "unknown partition": (_at(7, source_partition=900), "entry 7: its partition 900"),
    "another model": (_at(7, model_digest=b"x" * 32), "entry 7: the decision names another model than its activation"),
    "before its activation": (_at(2, decided_at_ms=1), "entry 2: it switched its partition at 1 ms"),
}


@pytest.mark.parametrize("case", DISORDER)
def test_decisions_out_of_turn_are_found(folder: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    """Hashes and signatures are sound, and yet the log is not: the first entry that cannot stand where it does is named."""
    change, reason = DISORDER[case]
    made = decisions(World(), COUNT)
    if case == "offset goes back":
        made[5].source_offset, made[9].source_offset = 5, 4
    else:
        change(made)
    write(folder, decision_log(made))
    assert fsck(folder)[0] == 1
    assert f"{DECISIONS}: {reason}" in capsys.readouterr().out


def test_an_entry_of_another_partition_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A decision that was logged from another partition than its own is named."""
    log = Log(DECISIONS)
    (decision,) = decisions(World(), 1)
    log.append(EntryKind.ENTRY_KIND_DECISION, decision.SerializeToString(), topic="decisions", partition=3)
    write(folder, log)
    assert fsck(folder)[0] == 1
    assert "entry 0: it is of partition 0, and was logged from 3" in capsys.readouterr().out


def test_kinds_have_their_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What could not be logged as it is counts as such; a model in the decisions' log is out of place."""
    log = Log(DECISIONS)
    log.append(EntryKind.ENTRY_KIND_MALFORMED, Malformed(digest=bytes(32), reason="no decision").SerializeToString())
    write(folder, log)
    assert fsck(folder, "--json")[0] == 0
    logs = finding(capsys)["logs"]
    assert isinstance(logs, list)
    assert logs[1]["counts"] == {"MALFORMED": 1}
    log.append(EntryKind.ENTRY_KIND_MODEL_VERSION, b"")
    write(folder, log)
    assert fsck(folder)[0] == 1
    assert "entry 1: an entry of kind model version does not belong into a log of decisions" in capsys.readouterr().out


def test_a_governance_entry_without_effect_is_a_note(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An activation that one person signed breaks nothing, has no effect, and is told."""
    world = World()
    governance = world.governance_log()
    alone = activation_statement(world.model.digest, policy_digest(world.policy), number=1, superseded_index=2)
    governance.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(alone, "ada"))
    write(folder, decision_log(decisions(world, 5)), governance)
    assert fsck(folder)[0] == 0
    assert "entry 4 has no effect: it has 1 of the 2 approver signatures" in capsys.readouterr().out


def test_a_decision_in_the_governance_log_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not the governance log's has no place there, though it has no effect either."""
    governance = World().governance_log()
    governance.append(EntryKind.ENTRY_KIND_DECISION, b"")
    write(folder, decision_log(decisions(World(), 5)), governance)
    assert fsck(folder)[0] == 1
    assert f"{GOVERNANCE}: entry 4: an entry of kind decision does not belong" in capsys.readouterr().out


def test_another_root_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checkpoint over other entries than those in the files is not theirs, however well it is signed."""
    logs = write(folder, decision_log(decisions(World(), COUNT)))
    other = decisions(World(), COUNT)
    other[3].score += 0
    other[3].chain = bytes(32)
    (logs / "decisions/checkpoint").write_bytes(decision_log(other).checkpoint())
    assert fsck(folder)[0] == 1
    assert f"the {COUNT:,} entries hash to the root" in capsys.readouterr().out


def test_it_goes_on_where_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--resume` only what is new is read, and it is held to what was checked before."""
    saved = folder / "place.json"
    made = decisions(World(), COUNT)
    logs = write(folder, decision_log(made[:300]))
    assert fsck(folder, "--resume", str(saved))[0] == 0
    write(folder, decision_log(made))
    (logs / "decisions/tile/entries/000").unlink()  # checked before, and not needed again
    assert fsck(folder, "--resume", str(saved), "--json")[0] == 0
    found = json.loads(capsys.readouterr().out.partition("SOUND\n")[2].partition("\n{")[2].join(["{", ""]))
    assert found["logs"][1]["counts"] == {"DECLINE": COUNT}
    assert fsck(folder)[0] == 1


def test_what_was_checked_cannot_be_rewritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log whose beginning is no longer what was checked, or that has become shorter, is told from one that has grown."""
    saved = folder / "place.json"
    made = decisions(World(), COUNT)
    write(folder, decision_log(made[:400]))
    assert fsck(folder, "--resume", str(saved))[0] == 0
    made[10].chain = bytes(32)
    write(folder, decision_log(made))
    assert fsck(folder, "--resume", str(saved))[0] == 1
    assert "it does not begin with the 400 entries that were checked before" in capsys.readouterr().out
    write(folder, decision_log(made[:20]))
    assert fsck(folder, "--resume", str(saved))[0] == 1
    assert "it has 20 entries, and 400 were checked before: the log was rolled back" in capsys.readouterr().out


def test_the_governance_log_is_held_to_what_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Read whole each time, it still may neither become shorter nor another one."""
    saved, world, decided = folder / "place.json", World(), decision_log(decisions(World(), 5))
    write(folder, decided)
    assert fsck(folder, "--resume", str(saved))[0] == 0
    sound = world.governance_log()
    shorter, other, longer = (Log(GOVERNANCE, sound.entries[:length]) for length in (3, 3, 4))
    altered = LogEntry(kind=EntryKind.ENTRY_KIND_REPORT, topic="governance", offset=3, timestamp_ms=NOW_MS + 1)
    other.entries.append(altered.SerializeToString())
    for log in (longer, other):
        log.append(EntryKind.ENTRY_KIND_REPORT, b"")
    for governance, code, told in (
        (shorter, 1, f"{GOVERNANCE}: it has 3 entries, and 4 were checked before: the log was rolled back"),
        (longer, 0, "SOUND"),
        (sound, 1, "it has 4 entries, and 5 were checked before"),
        (other, 1, f"{GOVERNANCE}: it does not begin with the 5 entries that were checked before"),
    ):
        write(folder, decided, governance)
        assert fsck(folder, "--resume", str(saved))[0] == code
        assert told in capsys.readouterr().out


def test_a_place_without_meaning_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bare tlog-policy keeps no meaning: nothing can go on from there, and that is no verdict on the log."""
    write(folder, decision_log(decisions(World(), 3)))
    saved = str(folder / "place.json")
    bare = ["--policy", str(folder / "policy/log.policy"), "--resume", saved]
    assert main(["fsck", str(folder / "logs/decisions"), *bare]) == 0
    assert fsck(folder, "--resume", saved)[0] == 2
    assert f"what the entries of {DECISIONS} meant is not kept in it" in capsys.readouterr().err


PLACE = '{"format": "tallystick/fsck/v1", "logs": {"a": %s}}'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        PLACE % "{}",
        "[" * 100_000,
        '{"format": "other"}',
        PLACE % '{"size": "1", "root": "%s", "state": {}}' % ("00" * 32),
        PLACE % '{"size": 1, "root": "00", "state": {}}',
        PLACE % '{"size": 1, "root": 7, "state": {}}',
    ],
)
def test_a_strange_place_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    """A file that is no saved place is named, and nothing is checked from it."""
    write(folder, decision_log(decisions(World(), 3)))
    saved = folder / "place.json"
    saved.write_text(content)
    assert fsck(folder, "--resume", str(saved))[0] == 2
    assert "place.json is no saved place" in capsys.readouterr().err


def test_what_cannot_be_read_is_no_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No logs there, or no policy: exit code 2, and the file's name."""
    assert fsck(folder)[0] == 2
    assert "governance/checkpoint: not found" in capsys.readouterr().err
    assert main(["fsck", str(folder), "--policy", str(folder / "no")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_an_effective_time_binds_only_the_switch(folder: Path) -> None:
    """Once a partition has switched it stays, whatever time stamps its later records carry."""
    made = decisions(World(), 12)
    made[9].decided_at_ms = NOW_MS - 10**9
    write(folder, decision_log(made))
    assert fsck(folder)[0] == 0


def test_a_tile_that_the_last_entries_left_alone_is_checked_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The partial tile at the top changes seldom; broken, it is found all the same."""
    log = Log(DECISIONS)
    malformed = Malformed(digest=bytes(32), reason="no decision").SerializeToString()
    for _ in range(66_000):
        log.append(EntryKind.ENTRY_KIND_MALFORMED, malformed)
    logs = write(folder, log)
    assert fsck(folder)[0] == 0
    top = logs / "decisions/tile/2/000.p/1"
    top.write_bytes(bytes(32))
    assert fsck(folder)[0] == 1
    assert "tile/2/000.p/1: hash 0 is not the root of the tile below it" in capsys.readouterr().out
