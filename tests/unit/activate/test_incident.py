"""Two people say where a partition goes on; one person, or the same statement twice, does not."""

import asyncio
from argparse import ArgumentParser
from pathlib import Path

import pytest

from tallystick.cli.approval import read_governance
from tallystick.cli.incident import add_arguments, run
from tallystick.contracts import EntryKind
from tallystick.trust.governance import Governance

from .log_directory import DECISIONS, LogDirectory

PLACE = ("--partition", "1", "--from-sequence", "3", "--to-sequence", "7", "--record-offset", "40", "--explanation", "lost")


@pytest.fixture
def log(tmp_path: Path) -> LogDirectory:
    """Make an empty governance log; ada and ben approve, cleo publishes, mallory is nobody."""
    return LogDirectory(tmp_path)


def file(log: LogDirectory) -> Path:
    """Return where the record is."""
    return log.folder / "incident"


def incident(log: LogDirectory, action: str, who: str, *arguments: str) -> int:
    """Run an action of `incident` as somebody."""
    parser = ArgumentParser()
    add_arguments(parser)
    trusted = ["--log", log.url, "--trust", str(log.trust_folder)]
    return run(
        parser.parse_args(
            [action, *arguments, *trusted, "--key", str(log.key_file(who)), "--signer", who, "-o", str(file(log))]
        )
    )


def logged(log: LogDirectory) -> Governance:
    """Log the record as the notary would, and return what the log amounts to then."""
    log.append(EntryKind.ENTRY_KIND_INCIDENT, file(log).read_bytes())
    return asyncio.run(read_governance(log.url, log.trust))


def test_two_people_let_a_partition_go_on(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """One proposes, the other sees what it says and approves; what the log then has counts."""
    assert incident(log, "propose", "ada", *PLACE) == 0
    assert incident(log, "approve", "ben", str(file(log)), "--yes") == 0
    said = capsys.readouterr().out
    assert "4 decisions are missing: 3 to 6" in said
    assert "signed by ada and ben" in said
    (found,) = logged(log).incidents
    assert found.approvers == ("ada", "ben")
    assert (found.statement.log, found.statement.record_offset, found.statement.to_sequence) == (DECISIONS, 40, 7)
    assert incident(log, "approve", "ben", str(file(log)), "--yes") == 1
    assert "has this incident already, at index 0" in capsys.readouterr().err


@pytest.mark.parametrize(("second", "says"), [("ada", "signed it twice"), ("cleo", "not an approver"), ("mallory", "knows")])
def test_it_takes_two_approvers(log: LogDirectory, capsys: pytest.CaptureFixture[str], second: str, says: str) -> None:
    """The proposer again, a publisher or a stranger cannot be the second; one signature has no effect in the log."""
    assert incident(log, "propose", "ada", *PLACE) == 0
    assert incident(log, "approve", second, str(file(log)), "--yes") == 1
    assert says in capsys.readouterr().err
    governance = logged(log)
    assert governance.incidents == ()
    assert len(governance.rejected) == 1


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--partition", "99", "is not one of"),
        ("--partition", "-1", "would not accept it"),
        ("--to-sequence", "2", "goes on with sequence 2, before 3"),
        ("--record-offset", str(2**64), "would not accept it"),
        ("--explanation", " ", "must say what happened"),
    ],
)
def test_what_would_not_count_is_not_signed(
    log: LogDirectory, capsys: pytest.CaptureFixture[str], option: str, value: str, says: str
) -> None:
    """The message says why, and no file is written."""
    arguments = list(PLACE)
    arguments[arguments.index(option) + 1] = value
    assert incident(log, "propose", "ada", *arguments) == 1
    assert says in capsys.readouterr().err
    assert not file(log).exists()
