"""The witness's settings: each wrong one is named on stderr, and ends the process with code 2."""

from pathlib import Path

import pytest

from tallystick.witness.settings import WitnessSettings, load

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    sound = {
        "NAME": "witness.example/w1",
        "KEY_FILE": tmp_path / "file",
        "LOGS_FILE": tmp_path / "file",
        "STATE": "sqlite:///s",
    }
    for name, value in sound.items():
        monkeypatch.setenv(f"TALLYSTICK_{name}", str(value))


def refused(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Load settings that are wrong; return what is said."""
    with pytest.raises(SystemExit) as ended:
        load()
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_the_least_settings_load() -> None:
    """What the tests below change is all that is wrong."""
    assert load() == WitnessSettings()  # type: ignore[call-arg]  # the environment gives them


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NAME", ""),
        ("NAME", "two words"),
        ("NAME", "a+b"),
        ("NAME", "x" * 2000),
        ("KEY_FILE", ""),
        ("KEY_FILE", "/nowhere"),
        ("KEY_FILE", "/" + "x" * 300),
        ("KEY_FILE", "/dev"),
        ("LOGS_FILE", ""),
        ("STATE", ""),
        ("STATE", "state.db"),
        ("STATE", "sqlite://state.db"),
        ("STATE", "sqlite:state.db"),
        ("STATE", "sqlite:///s?mode=memory"),
        ("STATE", "mysql://a/b"),
        ("STATE", f"postgresql://me:{SECRET}@host/db"),
        ("STATE", f"postgresql://me@host/db?password={SECRET}"),
        ("STATE_PASSWORD_FILE", "/nowhere"),
        ("HTTP_HOST", ""),
        ("HTTP_PORT", "70000"),
        ("HTTP_PORT", "-1"),
        ("HTTP_PORT", "many"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CONNECTIONS", "1000000"),
        *[("CLIENT_TIMEOUT_S", value) for value in ("0", "-1", "nan", "inf", "1e9", "long")],
        ("LOG_LEVEL", "loud"),
        ("COLOUR", "red"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """In one line, with its full name, and without a password that it may hold."""
    monkeypatch.setenv(f"TALLYSTICK_{name}", value)
    (line,) = refused(capsys)
    assert line.startswith(f"TALLYSTICK_{name}: ")
    assert SECRET not in line


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong, missing and unknown ones, a line each."""
    monkeypatch.setenv("TALLYSTICK_HTTP_PORT", "many")
    monkeypatch.delenv("TALLYSTICK_NAME")
    monkeypatch.setenv("TALLYSTICK_COLOUR", "red")
    said = refused(capsys)
    assert sorted(line.partition(": ")[0] for line in said) == [f"TALLYSTICK_{n}" for n in ("COLOUR", "HTTP_PORT", "NAME")]
    assert "TALLYSTICK_NAME: must be set" in said
