"""Two people and the log bring a model into force; one person, or another log, does not."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

import pytest

from tallystick.cli.activate import add_arguments, run
from tallystick.cli.activate.command import parse_time_ms
from tallystick.cli.approval import GovernanceLogError, read_governance, read_key
from tallystick.contracts import Activation, ActivationStatement, EntryKind
from tallystick.trust.policy import TrustPolicy

from .log_directory import LogDirectory, new_key

AT_MS = 1_700_000_000_123


@pytest.fixture
def log(tmp_path: Path) -> LogDirectory:
    """Make an empty governance log."""
    return LogDirectory(tmp_path)


def activate(*arguments: str) -> int:
    """Run the command."""
    parser = ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def common(log: LogDirectory, who: str, name: str | None = None) -> list[str]:
    """Return the options that both actions take."""
    return ["--log", log.url, "--trust", str(log.trust_folder), "--key", str(log.key_file(who)), "--signer", name or who]


def propose(log: LogDirectory, digests: tuple[bytes, bytes], who: str = "ada", name: str | None = None) -> int:
    """Propose a model and policy to `activation`."""
    what = ["--model", digests[0].hex(), "--policy", digests[1].hex(), "--effective-at", str(AT_MS)]
    return activate("propose", *what, *common(log, who, name), "-o", str(log.folder / "activation"))


def approve(log: LogDirectory, who: str = "ben", *more: str) -> int:
    """Approve `activation`."""
    return activate("approve", str(log.folder / "activation"), *common(log, who), *more)


def log_activation(log: LogDirectory) -> int:
    """Log the activation as the notary would."""
    return log.append(EntryKind.ENTRY_KIND_ACTIVATION, (log.folder / "activation").read_bytes())


def test_two_approvers_bring_a_model_into_force(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """Proposed by one and approved by another, an activation counts; each was shown what it activates."""
    digests = log.publish_model("1")
    assert propose(log, digests) == 0
    assert approve(log, "ben", "--yes") == 0
    shown = capsys.readouterr().out
    assert shown.count(digests[0].hex()) == shown.count(digests[1].hex()) == 2
    assert "in force from 2023-11-14 22:13:20.123+00:00" in shown
    index = log_activation(log)
    (active,) = asyncio.run(read_governance(log.url, log.trust)).activations
    assert (active.index, active.number, active.effective_at_ms) == (index, 0, AT_MS)
    assert active.approvers == ("ada", "ben")


def test_the_next_activation_supersedes_the_last(log: LogDirectory) -> None:
    """Numbers go up by one and each names the one before."""
    first, second = log.publish_model("1"), log.publish_model("2")
    indexes = []
    for digests in (first, second, first):
        assert propose(log, digests) == 0
        assert approve(log, "ben", "--yes") == 0
        indexes.append(log_activation(log))
    governance = asyncio.run(read_governance(log.url, log.trust))
    assert [(active.index, active.number) for active in governance.activations] == list(zip(indexes, range(3), strict=True))
    assert governance.rejected == []
    statement = ActivationStatement.FromString(Activation.FromString((log.folder / "activation").read_bytes()).statement)
    assert (statement.superseded_index, statement.model_index) == (indexes[1], 0)


def test_a_model_may_be_named_by_its_index(log: LogDirectory) -> None:
    """`--model-index` stands for the digest of the model that the log accepted there."""
    digests = log.publish_model("1")
    what = ["--model-index", "0", "--policy", digests[1].hex(), "--effective-at", "now"]
    assert activate("propose", *what, *common(log, "ada"), "-o", str(log.folder / "activation")) == 0
    what[1] = "1"
    assert activate("propose", *what, *common(log, "ada"), "-o", str(log.folder / "activation")) == 1


@pytest.mark.parametrize(
    ("who", "name", "complaint"),
    [
        ("mallory", None, "knows 'mallory'"),
        ("mallory", "ben", "not the one that 'ben' is known by"),
        ("cleo", None, "not an approver"),
    ],
)
def test_only_approvers_propose(
    log: LogDirectory, capsys: pytest.CaptureFixture[str], who: str, name: str | None, complaint: str
) -> None:
    """A stranger, a borrowed name and somebody without the role are refused before a file is written."""
    assert propose(log, log.publish_model("1"), who, name) == 1
    assert complaint in capsys.readouterr().err
    assert not (log.folder / "activation").exists()


def test_nobody_approves_alone(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """The proposer's own second signature is refused, and the file stays as it was."""
    assert propose(log, log.publish_model("1")) == 0
    before = (log.folder / "activation").read_bytes()
    assert approve(log, "ada", "--yes") == 1
    assert "signed it twice" in capsys.readouterr().err
    assert (log.folder / "activation").read_bytes() == before


def test_nothing_is_approved_unasked(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """Without somebody to answer and without `--yes`, the activation is shown and not signed."""
    assert propose(log, log.publish_model("1")) == 0
    assert approve(log, "ben") == 1
    assert "there is nobody to ask" in capsys.readouterr().err
    assert len(Activation.FromString((log.folder / "activation").read_bytes()).signatures) == 1


def test_an_altered_proposal_is_refused(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """A proposal that says something else than its proposer signed is not approved."""
    assert propose(log, log.publish_model("1")) == 0
    path = log.folder / "activation"
    activation = Activation.FromString(path.read_bytes())
    statement = ActivationStatement.FromString(activation.statement)
    statement.effective_at_ms = 0
    activation.statement = statement.SerializeToString()
    path.write_bytes(activation.SerializeToString())
    assert approve(log, "ben", "--yes") == 1
    assert "not well signed" in capsys.readouterr().err


def test_a_proposal_that_the_log_has_overtaken_is_refused(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """When another activation was logged meanwhile, the second approver is told to propose again."""
    digests = log.publish_model("1")
    assert propose(log, digests) == 0
    overtaken = (log.folder / "activation").read_bytes()
    assert approve(log, "ben", "--yes") == 0
    log_activation(log)
    (log.folder / "activation").write_bytes(overtaken)
    assert approve(log, "ben", "--yes") == 1
    assert "propose it again" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\x0a\x03\xff\xff\xff"])
def test_a_file_that_is_no_proposal_is_refused(log: LogDirectory, data: bytes) -> None:
    """Anything else than a signed proposal fails."""
    log.publish_model("1")
    (log.folder / "activation").write_bytes(data)
    assert approve(log, "ben", "--yes") == 1


def test_a_model_that_nobody_published_is_refused(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """A model whose entry is signed by somebody without the role does not count, and so cannot be activated."""
    assert propose(log, log.publish_model("1", signer="ben")) == 1
    assert "no accepted model" in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["signer", "entry", "missing", "tile"])
def test_another_log_is_refused(log: LogDirectory, fault: str) -> None:
    """A checkpoint of another signer, an altered entry, a missing log and a missing bundle stop everything."""
    log.publish_model("1")
    bundle = log.folder / "log" / "tile" / "entries" / "000.p" / "2"
    match fault:
        case "signer":
            log.publish(signer=new_key())
        case "entry":
            data = bundle.read_bytes()
            bundle.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        case "missing":
            (log.folder / "log" / "checkpoint").unlink()
        case "tile":
            bundle.unlink()
    with pytest.raises(GovernanceLogError, match="governance log"):
        asyncio.run(read_governance(log.url, log.trust))


def test_a_new_key_is_its_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`keygen` writes a file that only its owner reads, prints what the trust policy needs, and overwrites nothing."""
    path = tmp_path / "dora.pem"
    assert activate("keygen", "dora", "--out", str(path)) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert 'name = "dora"' in capsys.readouterr().out
    before = path.read_bytes()
    assert activate("keygen", "dora", "--out", str(path)) == 1
    assert path.read_bytes() == before


def test_a_generated_key_signs_under_the_printed_public_key(log: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    """What `keygen` prints, put into the trust policy, makes its owner an approver."""
    assert activate("keygen", "dora", "--out", str(log.key_file("dora"))) == 0
    with (log.trust_folder / "trust.toml").open("a") as file:
        file.write(capsys.readouterr().out)
    assert TrustPolicy.load(log.trust_folder).signers[-1].name == "dora"
    assert propose(log, log.publish_model("1")) == 0
    assert approve(log, "dora", "--yes") == 0


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_other_files_are_no_keys(tmp_path: Path, content: str) -> None:
    """A file that holds no Ed25519 key is named."""
    (tmp_path / "k.pem").write_text(content)
    with pytest.raises(ValueError, match=r"k\.pem"):
        read_key(tmp_path / "k.pem")


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [("0", 0), (str(AT_MS), AT_MS), ("2023-11-14T22:13:20.123Z", AT_MS), ("2023-11-15T00:13:20.123+02:00", AT_MS)],
)
def test_times_are_read(text: str, time_ms: int) -> None:
    """Milliseconds and ISO 8601 with an offset are understood."""
    assert parse_time_ms(text) == time_ms


@pytest.mark.parametrize("text", ["", "soon", "2023-11-14T22:13:20", "2023-11-14", "-5"])
def test_times_that_could_mean_several_things_are_refused(text: str) -> None:
    """A time without its offset from UTC is not guessed."""
    with pytest.raises(ArgumentTypeError):
        parse_time_ms(text)
