"""The notary's settings."""

from pathlib import Path

import pytest

from tallystick.notary.settings import NotarySettings
from tallystick.runtime.settings import load

GOOD = {
    "TALLYSTICK_DECISIONS_ORIGIN": "example/decisions",
    "TALLYSTICK_GOVERNANCE_ORIGIN": "example/governance",
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
        ("TALLYSTICK_DECISIONS_ORIGIN", "with space"),
        ("TALLYSTICK_DECISIONS_ORIGIN", "with+plus"),
        ("TALLYSTICK_GOVERNANCE_ORIGIN", "example/decisions"),
        ("TALLYSTICK_LINGER_MS", "-1"),
        ("TALLYSTICK_REFRESH_S", "61"),
        ("TALLYSTICK_LOG_DIR", ""),
        ("TALLYSTICK_STAGING_DIR", ""),
        ("TALLYSTICK_STAGING_DIR", "logs"),
        ("TALLYSTICK_STAGING_DIR", "logs/staging"),
        ("TALLYSTICK_STAGING_DIR", "."),
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
