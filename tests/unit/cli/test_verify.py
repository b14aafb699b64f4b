"""`tallystick verify`."""

import io
import json
from pathlib import Path

import pytest

from tallystick.cli.main import main
from tallystick.contracts import ReasonCode
from tallystick.merkle.proof_files import ProofFile
from tallystick.verifier.printing import visible
from tallystick.verifier.report import utc

from ..trust.helpers import Log, World, model_statement


def verify(folder: Path, bundle: bytes, *options: str) -> int:
    """Run the command on a bundle."""
    (folder / "bundle.json").write_bytes(bundle)
    return main(["verify", str(folder / "bundle.json"), "--policy", str(folder / "policy"), *options])


def test_a_sound_bundle_is_told_in_plain_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not on a terminal: a line a fact, no colours, no frames; outcome, margin, model, policy, approvers, time, checks."""
    assert verify(folder, World().bundle("features", "transaction", "identity", "explanation")) == 0
    out = capsys.readouterr().out
    assert out.startswith("SOUND\n")
    assert "\x1b" not in out
    for line in (
        "decision: DECLINE (MARGIN_DECLINE)",
        "margin: 2.5 (bits 40200000), score 924",
        "time: 2023-11-14T22:13:20.000Z",
        "model: fraud 1, published by pat",
        "policy: standard 1: decline from 2, review from 0",
        "approved by: ada and bob (number 0, effective 2023-11-14T22:13:20.000Z)",
        "disclosed features: amount 12.5, count_7d 3",
        "disclosed identity: transaction_id t1, customer_id c1",
        "log: tallystick.example/test/decisions, entry 5 of 9",
        "✓ the decision is entry 5 of it",
    ):
        assert line in out.splitlines()
    assert "? not checked: whether everybody is shown this same log: the quorum is none" in out


def test_a_terminal_gets_a_frame(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same facts, framed and coloured."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    assert verify(folder, World().bundle()) == 0
    out = capsys.readouterr().out
    assert "╭─" in out
    assert "\x1b[" in out
    assert "ada and bob" in out
    assert verify(folder, World().bundle().replace(b'"index": 5', b'"index": 4')) == 1
    assert "NOT SOUND" in capsys.readouterr().out


def test_a_bundle_that_is_not_sound_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, exit code 1."""
    assert verify(folder, World().bundle().replace(b'"index": 5', b'"index": 4')) == 1
    out = capsys.readouterr().out
    assert out == "NOT SOUND: the decision is not in the log: the proof does not lead from leaf 4 to the root of 9 leaves.\n"


def test_json_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: the verdict, the reason and all the facts."""
    world = World(features=(float("nan"), 3.0))
    assert verify(folder, world.bundle("features"), "--json") == 0
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (document["sound"], document["reason"], document["outcome"], document["score"]) == (True, None, "DECLINE", 924)
    assert (document["margin"], document["margin_bits"]) == (2.5, "40200000")
    assert document["governance"]["activation"]["approvers"] == ["ada", "bob"]
    assert document["governance"]["model"]["digest"] == world.model.digest.hex()
    assert document["log"]["index"] == 5
    assert document["disclosed"] == {"features": {"amount": None, "count_7d": 3.0}}
    assert document["checks"]
    assert document["unchecked"]

    assert verify(folder, b"{}", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document == {"sound": False, "reason": "the bundle cannot be read: the bundle lacks 'format'"}


@pytest.mark.parametrize("in_force", [True, False])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_rejected_record_is_told_too(
    folder: Path, capsys: pytest.CaptureFixture[str], in_force: bool, options: tuple[str, ...]
) -> None:
    """It has no margin and perhaps no model, and verifies all the same."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_AMOUNT_NEGATIVE, in_force=in_force)
    assert verify(folder, world.bundle(), *options) == 0
    out = capsys.readouterr().out
    assert "REJECTED" in out
    assert "AMOUNT_NEGATIVE" in out
    assert ("ada" in out) == in_force


def test_a_bundle_may_come_from_standard_input(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` reads it there."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(World().bundle())))
    assert main(["verify", "-", "--policy", str(folder / "policy")]) == 0
    assert capsys.readouterr().out.startswith("SOUND\n")


@pytest.mark.parametrize(
    ("bundle", "policy", "words"),
    [
        ("nowhere.json", "policy", "nowhere.json: No such file"),
        ("policy", "policy", "policy: Is a directory"),
        ("policy/log.policy", "nowhere", "log.policy: No such file"),
        ("policy/log.policy", "policy/log.policy", "Not a directory"),
    ],
)
def test_what_cannot_be_read_is_not_a_verdict(
    folder: Path, capsys: pytest.CaptureFixture[str], bundle: str, policy: str, words: str
) -> None:
    """A file that is not there says nothing about the decision: exit code 2, on standard error, and no verdict."""
    assert main(["verify", str(folder / bundle), "--policy", str(folder / policy)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


def test_a_policy_that_is_not_understood_is_not_a_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without knowing whom to believe, nothing is verified."""
    (folder / "policy/trust.toml").write_text("version = 2\n")
    assert verify(folder, World().bundle()) == 2
    assert "trust.toml: " in capsys.readouterr().err


def test_an_impossible_time_is_no_crash(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A time that no calendar has is shown as the number that it is."""
    world = World()
    world.decision.decided_at_ms = 2**63 - 1
    assert verify(folder, world.bundle()) == 0
    assert "time: 9223372036854775807 ms since 1970" in capsys.readouterr().out
    assert utc(-1) == "1969-12-31T23:59:59.999Z"


def test_what_a_bundle_says_cannot_steer_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in a disclosed text are shown escaped."""
    world = World(contents={"identity": b"\x0a\x04\x1b[2J"})
    assert verify(folder, world.bundle("identity")) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[2J" in out
    assert visible("a\u202eb\x9b\ud800é") == r"a\u202eb\x9b\ud800é"


def test_a_model_s_name_with_markup_is_shown_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Square brackets are text, not instructions to the printer."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    assert verify(folder, World(model=model_statement(name="[red]fraud[/red]")).bundle()) == 0
    assert "[red]fraud[/red]" in capsys.readouterr().out


def test_a_proof_file_is_told_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recognised by its content: the decision, the log, and what a proof file cannot show; as lines and as JSON."""
    log, index = World().logged()
    file = ProofFile(index, tuple(log.prove(index).proof), log.checkpoint(), log.entries[index]).encode()
    assert verify(folder, file) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "SOUND"
    for line in (
        "decision: DECLINE (MARGIN_DECLINE)",
        "log: tallystick.example/test/decisions, entry 5 of 9",
        "format: tlog-proof",
        "✓ the decision is entry 5 of it",
    ):
        assert line in lines
    assert any(line.startswith("? not checked: whether its model and policy were published and approved") for line in lines)

    assert verify(folder, file, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["sound"], document["format"], document["kind"]) == (True, "tlog-proof", "decision")
    assert (document["outcome"], document["log"]["index"]) == ("DECLINE", 5)
    assert list(document["log"]["cosigned"]) == ["notary-clock"]

    assert verify(folder, file.replace(b"index 5", b"index 4")) == 1
    assert capsys.readouterr().out == "NOT SOUND: the proof does not lead from leaf 4 to the root of 9 leaves.\n"


def test_a_receipt_needs_its_entry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--entry` it is verified; without, nothing can be said: exit code 2."""
    log, index = World().logged()
    receipt = log.inclusion_receipt(index)
    (folder / "entry").write_bytes(log.entries[index])
    assert verify(folder, receipt, "--entry", str(folder / "entry")) == 0
    out = capsys.readouterr().out
    assert "format: COSE receipt" in out
    assert "? not checked: whether everybody is shown this same log: a receipt is the word of one key" in out

    assert verify(folder, receipt) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--entry" in captured.err
    assert verify(folder, receipt, "--entry", str(folder / "policy")) == 2
    assert "Is a directory" in capsys.readouterr().err

    (folder / "entry").write_bytes(log.entries[0])
    assert verify(folder, receipt, "--entry", str(folder / "entry"), "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["sound"] is False
    assert "has not signed the root" in document["reason"]


def test_a_receipt_of_consistency_needs_the_older_checkpoint(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--older` is the checkpoint that one kept."""
    log, _ = World().logged()
    (folder / "older").write_bytes(Log(log.origin, log.entries[:4]).checkpoint())
    assert verify(folder, log.consistency_receipt(4), "--older", str(folder / "older")) == 0
    assert "log: tallystick.example/test/decisions, from 4 to 9 entries" in capsys.readouterr().out
    assert verify(folder, log.consistency_receipt(4), "--older", str(folder / "older"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["log"]["older_size"] == 4
    assert verify(folder, log.consistency_receipt(4)) == 2


def test_a_governance_entry_is_told_as_what_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A proof file of another entry than a decision names its kind and its record's place."""
    log = World().governance_log()
    file = ProofFile(0, tuple(log.prove(0).proof), log.checkpoint(), log.entries[0]).encode()
    assert verify(folder, file) == 0
    assert "entry: model version, from governance, partition 0, offset 0" in capsys.readouterr().out
    assert verify(folder, file, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "model version"


@pytest.mark.parametrize("option", ["--entry", "--older"])
def test_a_bundle_takes_nothing_beside_it(folder: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    """What would be ignored is refused instead."""
    assert verify(folder, World().bundle(), option, str(folder / "bundle.json")) == 2
    assert "it holds all that it is about" in capsys.readouterr().err
