"""Two people and the log enrol and revoke others; one person, or the person concerned, does not."""

import asyncio
from argparse import ArgumentParser
from pathlib import Path

import pytest

from tallystick.cli.approval import public_key_of, read_governance
from tallystick.cli.enrol import add_arguments, revoking, run
from tallystick.contracts import EntryKind
from tallystick.trust.governance import Governance

from .log_directory import LogDirectory


@pytest.fixture
def log(tmp_path: Path) -> LogDirectory:
    """Make an empty governance log; ada and ben approve, cleo publishes, mallory is nobody."""
    return LogDirectory(tmp_path)


def enrol(log: LogDirectory, action: str, who: str, *arguments: str) -> int:
    """Run an action of `enrol` as somebody; the record is in `enrolment`."""
    parser = ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([action, *arguments, *common(log, who)]))


def revoke(log: LogDirectory, action: str, who: str, *arguments: str) -> int:
    """Run an action of `revoke` as somebody; the record is in `enrolment`."""
    parser = ArgumentParser()
    revoking.add_arguments(parser)
    return revoking.run(parser.parse_args([action, *arguments, *common(log, who)]))


def common(log: LogDirectory, who: str) -> list[str]:
    """Return the options that every action takes."""
    trusted = ["--log", log.url, "--trust", str(log.trust_folder)]
    return [*trusted, "--key", str(log.key_file(who)), "--signer", who, "-o", str(file(log))]


def file(log: LogDirectory) -> Path:
    """Return where the record is."""
    return log.folder / "enrolment"


def key(log: LogDirectory, who: str) -> str:
    """Return somebody's public key as `keygen` prints it."""
    return public_key_of(log.people[who])


def logged(log: LogDirectory) -> Governance:
    """Log the record as the notary would, and return what the log amounts to then."""
    log.append(EntryKind.ENTRY_KIND_ENROLMENT, file(log).read_bytes())
    return asyncio.run(read_governance(log.url, log.trust))


def made(log: LogDirectory, who: str, first: str = "ada", second: str = "ben", role: str = "approver") -> Governance:
    """Enrol somebody, by two others."""
    assert enrol(log, "propose", first, who, "--public-key", key(log, who), "--role", role) == 0
    assert enrol(log, "approve", second, str(file(log)), "--yes") == 0
    return logged(log)


def test_two_others_enrol_somebody_who_then_approves(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """Mallory is enrolled by ada and ben, is shown to both, and then enrols with ada: cleo gets a second role."""
    governance = made(log, "mallory")
    assert governance.roster.holding("approver") == ("ada", "ben", "mallory")
    assert capsys.readouterr().out.count(f"mallory (new), public key {key(log, 'mallory')}") == 2
    assert enrol(log, "propose", "mallory", "cleo", "--role", "publisher", "--role", "approver") == 0
    assert enrol(log, "approve", "ada", str(file(log)), "--yes") == 0
    assert "cleo (now publisher)" in capsys.readouterr().out
    governance = logged(log)
    assert governance.rejected == []
    assert governance.roster.people["cleo"].roles == {"publisher", "approver"}


def test_a_revoked_person_signs_nothing_any_more(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """Two others revoke ben, and are told that only two are left; what ben proposes then is refused before it is written."""
    made(log, "mallory")
    capsys.readouterr()
    assert revoke(log, "propose", "ada", "ben") == 0
    assert revoke(log, "approve", "mallory", str(file(log)), "--yes") == 0
    shown = capsys.readouterr().out
    assert shown.count("only ada and mallory can approve") == 2
    assert logged(log).roster.holding("approver") == ("ada", "mallory")
    before = file(log).read_bytes()
    assert enrol(log, "propose", "ben", "cleo", "--role", "approver") == 1
    assert "'ben' was revoked" in capsys.readouterr().err
    assert file(log).read_bytes() == before


def test_nobody_signs_their_own_enrolment(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither as the first nor as the second; the file stays as it was."""
    assert enrol(log, "propose", "ada", "ada", "--role", "approver") == 1
    assert "cannot sign an enrolment of their own" in capsys.readouterr().err
    assert not file(log).exists()
    assert revoke(log, "propose", "ada", "ben") == 0
    before = file(log).read_bytes()
    assert revoke(log, "approve", "ben", str(file(log)), "--yes") == 1
    assert file(log).read_bytes() == before


def test_one_person_is_not_two(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """The proposer's own approval is refused, and so is a second name for a key that has one."""
    assert enrol(log, "propose", "ada", "mallory", "--public-key", key(log, "mallory"), "--role", "approver") == 0
    assert enrol(log, "approve", "ada", str(file(log)), "--yes") == 1
    assert "signed it twice" in capsys.readouterr().err
    assert enrol(log, "propose", "ada", "ben-2", "--public-key", key(log, "ben"), "--role", "approver") == 1
    assert "is that of 'ben'" in capsys.readouterr().err


def test_somebody_unknown_needs_a_key(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """A new name without a key, and a name to revoke that nobody has, are refused."""
    assert enrol(log, "propose", "ada", "mallory", "--role", "approver") == 1
    assert "give their public key" in capsys.readouterr().err
    assert revoke(log, "propose", "ada", "mallory") == 1
    assert "knows 'mallory'" in capsys.readouterr().err


def test_a_proposal_that_the_log_has_overtaken_is_refused(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """What was logged once is not approved again."""
    made(log, "mallory")
    capsys.readouterr()
    assert enrol(log, "approve", "ben", str(file(log)), "--yes") == 1
    assert "the log would not accept it" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\x0a\x03\xff\xff\xff"])
def test_a_file_that_is_no_enrolment_is_refused(log: LogDirectory, data: bytes) -> None:
    """Anything else than a signed proposal fails."""
    file(log).write_bytes(data)
    assert enrol(log, "approve", "ben", str(file(log)), "--yes") == 1


def test_nothing_is_approved_without_being_asked(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is nobody to ask, nothing is signed."""
    assert revoke(log, "propose", "ada", "ben") == 0
    made_before = file(log).read_bytes()
    assert enrol(log, "approve", "ben", str(file(log))) == 1
    assert "--yes" in capsys.readouterr().err
    assert file(log).read_bytes() == made_before
