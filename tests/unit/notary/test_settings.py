"""The notary's settings."""

import re
from pathlib import Path

import pytest

from tallystick.merkle.keys import COSIGNATURE_V1, VerifierKey
from tallystick.merkle.policy import LogPolicy
from tallystick.notary.settings import NotarySettings
from tallystick.runtime.settings import load

from .cosigners import KEYS, URLS, policy_text
from .stand import LocalKeys

GOOD = {
    "TALLYSTICK_TRUST_POLICY": ".",
    "TALLYSTICK_LOG_DIR": "logs",
    "TALLYSTICK_STAGING_DIR": "staging",
    "TALLYSTICK_VAULT_ROLE_ID": "notary",
}


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Provide an environment with good settings."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    for name, value in (GOOD | {"TALLYSTICK_VAULT_SECRET_ID_FILE": str(secret)}).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TALLYSTICK_TRUST_POLICY", "no/such/folder"),
        ("TALLYSTICK_LOGS", ""),
        ("TALLYSTICK_LINGER_MS", "-1"),
        ("TALLYSTICK_REFRESH_S", "61"),
        ("TALLYSTICK_LOG_DIR", ""),
        ("TALLYSTICK_STAGING_DIR", ""),
        ("TALLYSTICK_STAGING_DIR", "logs"),
        ("TALLYSTICK_STAGING_DIR", "logs/staging"),
        ("TALLYSTICK_STAGING_DIR", "."),
        ("TALLYSTICK_WITNESS_POLICY", "nowhere"),
        ("TALLYSTICK_WITNESS_DEADLINE_S", "0"),
        ("TALLYSTICK_CONTRACT_OWNERS", '{"chain1": "0x12"}'),
        ("TALLYSTICK_NO_SUCH_SETTING", "1"),
    ],
)
def test_a_wrong_setting_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """Exit code 2, and the setting's name on stderr."""
    environment.setenv(name, value)

    with pytest.raises(SystemExit) as exit_:
        load(NotarySettings)

    assert exit_.value.code == 2
    assert name in capsys.readouterr().err


def test_good_settings_load(environment: pytest.MonkeyPatch) -> None:
    """What is not set has its default."""
    settings = load(NotarySettings)

    assert (settings.source_topic, settings.linger_ms, settings.refresh_s) == ("transactions", 50, 10.0)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("quorum witnesses", "quorum all", "line 5: all is not a witness or group"),
        (f" {URLS['w1']}", " ftp://w1.example", "must be http://host:port"),
        (f" {URLS['w1']}\n", "\n", ""),
        ("group witnesses 2", "group witnesses 3", ""),
    ],
)
def test_a_witness_policy_is_refused_that_could_never_hold(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, old: str, new: str, problem: str
) -> None:
    """A file that is no policy, an address that is none; a witness without an address is fine while others make a quorum."""
    policy = tmp_path / "log.policy"
    text = policy_text().decode()
    assert old in text
    policy.write_text(text.replace(old, new))
    environment.setenv("TALLYSTICK_WITNESS_POLICY", str(policy))

    if not problem:
        assert load(NotarySettings).read_witness_policy() == LogPolicy.parse(policy.read_bytes())
        return
    with pytest.raises(SystemExit):
        load(NotarySettings)
    assert re.match(f"TALLYSTICK_WITNESS_POLICY: .*{problem}", capsys.readouterr().err)


def test_a_quorum_that_cannot_be_asked_is_refused(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Two of three are wanted, and only one has an address: nothing could ever be published."""
    policy = tmp_path / "log.policy"
    policy.write_text(policy_text().decode().replace(f" {URLS['w1']}", "").replace(f" {URLS['w2']}", ""))
    environment.setenv("TALLYSTICK_WITNESS_POLICY", str(policy))
    with pytest.raises(SystemExit):
        load(NotarySettings)
    assert "TALLYSTICK_WITNESS_POLICY: too few witnesses have an address" in capsys.readouterr().err


def test_the_quorum_none_asks_nobody(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Witnesses that need not cosign are not asked: then the notary's own clock key is the one that tells the time."""
    policy = tmp_path / "log.policy"
    policy.write_text(policy_text().decode().replace("quorum witnesses", "quorum none"))
    environment.setenv("TALLYSTICK_WITNESS_POLICY", str(policy))
    assert load(NotarySettings).read_witness_policy() is None


BUCKET = {
    "TALLYSTICK_LOG_STORE": "s3://logs/bank",
    "TALLYSTICK_S3_ACCESS_KEY_ID": "notary",
    "TALLYSTICK_S3_SECRET_ACCESS_KEY_FILE": "<secret>",
    "TALLYSTICK_LOG_DIR": None,
    "TALLYSTICK_STAGING_DIR": None,
}


def set_all(environment: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, str | None]) -> None:
    """Set some variables, and take others away."""
    for name, value in values.items():
        if value is None:
            environment.delenv(name, raising=False)
        else:
            environment.setenv(name, value.replace("<secret>", str(tmp_path / "secret")))


def test_a_bucket_takes_the_place_of_both_directories(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a key to it; its last slash is nobody's."""
    set_all(environment, tmp_path, BUCKET | {"TALLYSTICK_LOG_STORE": "s3://logs/bank/"})

    settings = load(NotarySettings)

    assert (settings.log_store, settings.log_dir, settings.staging_dir) == ("s3://logs/bank", None, None)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"TALLYSTICK_LOG_STORE": None}, "TALLYSTICK_LOG_DIR: must be set, or TALLYSTICK_LOG_STORE"),
        ({"TALLYSTICK_LOG_DIR": "logs"}, "TALLYSTICK_LOG_DIR: must not be set together with TALLYSTICK_LOG_STORE"),
        ({"TALLYSTICK_STAGING_DIR": "s"}, "TALLYSTICK_STAGING_DIR: must not be set together with TALLYSTICK_LOG_STORE"),
        ({"TALLYSTICK_LOG_STORE": None, "TALLYSTICK_LOG_DIR": "logs"}, "TALLYSTICK_STAGING_DIR: must be set"),
        ({"TALLYSTICK_S3_SECRET_ACCESS_KEY_FILE": None}, "TALLYSTICK_S3_SECRET_ACCESS_KEY_FILE: must be set"),
        ({"TALLYSTICK_S3_SECRET_ACCESS_KEY_FILE": "/nowhere"}, "TALLYSTICK_S3_SECRET_ACCESS_KEY_FILE: "),
        ({"TALLYSTICK_S3_ACCESS_KEY_ID": None}, "TALLYSTICK_S3_ACCESS_KEY_ID: must be set"),
        (
            {"TALLYSTICK_S3_ACCESS_KEY_ID": None, "TALLYSTICK_S3_SECRET_ACCESS_KEY_FILE": None},
            "TALLYSTICK_S3_ACCESS_KEY_ID: must be set together with TALLYSTICK_LOG_STORE",
        ),
        ({"TALLYSTICK_S3_ENDPOINT": "ftp://x"}, "TALLYSTICK_S3_ENDPOINT: "),
        *(
            ({"TALLYSTICK_LOG_STORE": value}, "TALLYSTICK_LOG_STORE: must be s3://bucket")
            for value in (
                "/logs",
                "s3://",
                "s3://L",
                "s3://logs?x",
                "s3://me:pw@logs",
                "s3://logs//a",
                "s3://logs/../a",
                "http://logs/a",
            )
        ),
    ],
)
def test_exactly_one_place_is_named(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, str | None],
    named: str,
) -> None:
    """Two directories, or a bucket and the key to it: exit code 2, one line, and the setting's name."""
    set_all(environment, tmp_path, BUCKET | wrong)

    with pytest.raises(SystemExit) as exit_:
        load(NotarySettings)

    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(named)
    assert "pw" not in line


def test_the_trust_policys_witnesses_are_asked_unless_others_are_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What verifiers ask for is what the notary gathers; a trust policy for verifiers alone, without addresses, is refused."""
    policy = tmp_path / "log.policy"
    policy.write_bytes(policy_text())
    environment.setenv("TALLYSTICK_TRUST_POLICY", str(tmp_path))
    assert load(NotarySettings).read_witness_policy() == LogPolicy.parse(policy_text())
    policy.write_text(re.sub(r" http://\S+", "", policy_text().decode()))
    with pytest.raises(SystemExit):
        load(NotarySettings)
    assert "TALLYSTICK_TRUST_POLICY: too few witnesses have an address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("quorum witnesses", "quorum none"),
        ("quorum witnesses", "quorum w1"),
        ("group witnesses 2", "group witnesses 1"),
        ("group witnesses 2 w1 w2 w3", "group witnesses 2 w1 w2"),
        (
            f"witness w3 {KEYS['w3']}",
            f"witness w3 {VerifierKey.make('w3.example', COSIGNATURE_V1, LocalKeys().public_of('another'))}",
        ),
        (f" {URLS['w1']}", " http://another.example"),
    ],
)
def test_other_witnesses_than_the_trust_policys_are_refused(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, old: str, new: str
) -> None:
    """What verifiers ask for, nothing weaker, is what is gathered before anything is published; only addresses may differ."""
    (tmp_path / "log.policy").write_bytes(policy_text())
    asked = tmp_path / "asked.policy"
    assert old in policy_text().decode()
    asked.write_text(policy_text().decode().replace(old, new))
    environment.setenv("TALLYSTICK_TRUST_POLICY", str(tmp_path))
    environment.setenv("TALLYSTICK_WITNESS_POLICY", str(asked))
    if "http" in old and "witness w3" not in old:
        assert load(NotarySettings).read_witness_policy() == LogPolicy.parse(asked.read_bytes())
        return
    with pytest.raises(SystemExit) as exit_:
        load(NotarySettings)
    assert exit_.value.code == 2
    assert "TALLYSTICK_WITNESS_POLICY: its witnesses, groups and quorum must be those of" in capsys.readouterr().err


def test_a_trust_policy_without_a_quorum_needs_a_witness_policy_without_one(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The simple rule holds both ways: what people read in the one file is what happens."""
    (tmp_path / "log.policy").write_text(policy_text().decode().replace("quorum witnesses", "quorum none"))
    asked = tmp_path / "asked.policy"
    asked.write_bytes(policy_text())
    environment.setenv("TALLYSTICK_TRUST_POLICY", str(tmp_path))
    environment.setenv("TALLYSTICK_WITNESS_POLICY", str(asked))
    with pytest.raises(SystemExit):
        load(NotarySettings)
    assert "TALLYSTICK_WITNESS_POLICY: its witnesses" in capsys.readouterr().err
