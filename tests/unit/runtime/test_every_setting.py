"""What holds of every setting of every service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.audit.ingest.settings import IngestSettings
from tallystick.audit.retention.settings import KeeperSettings
from tallystick.audit.settings import AuditSettings
from tallystick.gateway.settings import GatewaySettings
from tallystick.notary.settings import NotarySettings
from tallystick.profiles.settings import ProfilesSettings
from tallystick.runtime.settings import HttpSettings, environment_name, load
from tallystick.scoring.settings import ScoringSettings
from tallystick.witness.sealer.settings import SealerSettings

SERVICES: tuple[type[HttpSettings], ...] = (
    AuditSettings,
    GatewaySettings,
    IngestSettings,
    KeeperSettings,
    NotarySettings,
    ProfilesSettings,
    ScoringSettings,
    SealerSettings,
)
ADDRESSES = {"log_url": "file:///srv/log", "notary_url": "http://notary:8080"}
IDENTITY = {"vault_role_id": "role", "name": "s1", "state": "sqlite:///srv/seals.db"}


@pytest.fixture(autouse=True)
def _least(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "callers").write_text("cards token-of-the-cards-channel")
    for name in ("log", "staging", "models", "policy"):
        (tmp_path / name).mkdir()
    paths = {"log_dir": "log", "staging_dir": "staging", "models_dir": "models", "trust_policy": "policy"}
    paths |= {"vault_secret_id_file": "secret", "key_file": "secret", "callers_file": "callers", "spool_dir": "spool"}
    monkeypatch.setattr("tallystick.runtime.settings.unknown_names", lambda *_: [])  # each service takes some of these
    for field, value in (ADDRESSES | IDENTITY | {name: str(tmp_path / path) for name, path in paths.items()}).items():
        monkeypatch.setenv(environment_name(field), value)


def _fields(kind: str) -> Iterator[tuple[type[HttpSettings], str]]:
    for service in SERVICES:
        for name, field in service.model_fields.items():
            if kind in {getattr(field.annotation, "__name__", ""), *map(str, getattr(field.annotation, "__args__", ()))}:
                yield service, name


def _refused(service: type[HttpSettings], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        load(service)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


MAY_BE_ZERO = {"address_rate", "caller_rate", "oidc_leeway_s"}
"""Rates are not limited then, as their documentation says; clocks agree."""


@pytest.mark.parametrize("service", SERVICES)
def test_the_least_settings_load(service: type[HttpSettings]) -> None:
    """What the tests below change is all that is wrong."""
    load(service)


@pytest.mark.parametrize(
    ("service", "field", "value"),
    [
        (service, field, value)
        for service, field in _fields("float")
        for value in ("nan", "inf", "-inf", "1e9", "0", "-1")
        if value != "0" or field not in MAY_BE_ZERO
    ],
)
def test_a_duration_is_finite_positive_and_sane(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], service: type[HttpSettings], field: str, value: str
) -> None:
    """No duration can be set so that what it limits is never limited."""
    monkeypatch.setenv(environment_name(field), value)
    assert _refused(service, capsys).startswith(f"{environment_name(field)}: ")


@pytest.mark.parametrize("value", ["1000000000000", "-1", "1.5", "many"])
@pytest.mark.parametrize(("service", "field"), [*_fields("int")])
def test_a_count_is_bounded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], service: type[HttpSettings], field: str, value: str
) -> None:
    """No count can be set so that what it limits is never limited."""
    monkeypatch.setenv(environment_name(field), value)
    assert _refused(service, capsys).startswith(f"{environment_name(field)}: ")


@pytest.mark.parametrize("value", ["", "/nowhere/at/all", "/" + "x" * 300, "/dev/null"])
@pytest.mark.parametrize(
    ("service", "field"),
    [(s, f) for s in SERVICES for f in s.model_fields if f.endswith(("_file", "models_dir", "trust_policy"))],
)
def test_a_path_leads_to_what_it_should(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], service: type[HttpSettings], field: str, value: str
) -> None:
    """A file or folder that is needed from the start on is there, whatever the name."""
    monkeypatch.setenv("TALLYSTICK_VAULT_AUTH", "kubernetes" if "kubernetes" in field else "approle")
    monkeypatch.setenv("TALLYSTICK_VAULT_KUBERNETES_ROLE", "role")
    monkeypatch.setenv(environment_name(field), value)
    assert environment_name(field) in _refused(service, capsys)


@pytest.mark.parametrize("value", ["two words", "a/b", "..", "x" * 250])
@pytest.mark.parametrize(("service", "field"), [(s, f) for s in SERVICES for f in s.model_fields if f.endswith("_topic")])
def test_a_topic_has_a_name_that_kafka_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], service: type[HttpSettings], field: str, value: str
) -> None:
    """A topic that cannot exist would be waited for in vain."""
    monkeypatch.setenv(environment_name(field), value)
    assert _refused(service, capsys).startswith(f"{environment_name(field)}: ")


@pytest.mark.parametrize("value", ["foo", "ftp://x", "http://", "http://host:99999", "http://me:pw@host"])
@pytest.mark.parametrize(
    ("service", "field"),
    [(s, f) for s in SERVICES for f in s.model_fields if f.endswith(("_url", "_addr")) and f != "database_url"],
)
def test_an_address_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], service: type[HttpSettings], field: str, value: str
) -> None:
    """An address that nobody can have is refused, in every service alike."""
    monkeypatch.setenv(environment_name(field), value)
    assert _refused(service, capsys).startswith(f"{environment_name(field)}: ")


def test_the_log_is_asked_more_often_than_it_must_have_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Polled more rarely than decisions may wait, scoring would stop between two polls."""
    monkeypatch.setenv("TALLYSTICK_POLL_LOG_S", "5")
    monkeypatch.setenv("TALLYSTICK_COVERAGE_AGE_S", "5")
    assert _refused(ScoringSettings, capsys).startswith("TALLYSTICK_POLL_LOG_S: ")


def test_profiles_are_ahead_of_what_is_decided(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels that may come later than they count would leave every profile stale; so would transactions later than labels."""
    monkeypatch.setenv("TALLYSTICK_LABEL_LATENESS_S", "3600")
    assert _refused(ProfilesSettings, capsys).startswith("TALLYSTICK_LABEL_LATENESS_S: ")
    monkeypatch.setenv("TALLYSTICK_LABEL_LATENESS_S", "600")
    monkeypatch.setenv("TALLYSTICK_TRANSACTION_LATENESS_S", "172800")
    monkeypatch.setenv("TALLYSTICK_LABEL_DELAY_DAYS", "2")
    assert _refused(ProfilesSettings, capsys).startswith("TALLYSTICK_TRANSACTION_LATENESS_S: ")
