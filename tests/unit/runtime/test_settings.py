"""Settings from the environment: what is accepted, and how what is not is said."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from tallystick.runtime.settings import (
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    SecretFileError,
    ServiceSettings,
    VaultSettings,
    load,
    read_secret,
    refuse,
)
from tallystick.runtime.values import log_url


class _Settings(KafkaSettings, DatabaseSettings, HttpSettings):
    batch_records: Annotated[int, Field(ge=1, le=10)] = 5
    log_dir: Path
    names: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_LOG_DIR", "/srv/log")


def _refusal(settings: type[ServiceSettings], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        load(settings)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values come from TALLYSTICK_<NAME>, the rest are defaults."""
    monkeypatch.setenv("TALLYSTICK_BATCH_RECORDS", "7")
    settings = load(_Settings)
    assert (settings.batch_records, settings.log_dir, settings.http_host) == (7, Path("/srv/log"), "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TALLYSTICK_BATCH_RECORDS", "many", "TALLYSTICK_BATCH_RECORDS: Input should be a valid integer"),
        ("TALLYSTICK_BATCH_RECORDS", "0", "TALLYSTICK_BATCH_RECORDS: Input should be greater than or equal to 1"),
        ("TALLYSTICK_BATCH_RECORD", "5", "TALLYSTICK_BATCH_RECORD: there is no such setting"),
        ("TALLYSTICK_NAMES", "[", "TALLYSTICK_NAMES: is not valid JSON"),
        ("TALLYSTICK_HTTP_PORT", "65536", "TALLYSTICK_HTTP_PORT: Input should be less than or equal to 65535"),
        ("TALLYSTICK_KAFKA_BOOTSTRAP", "localhost", "TALLYSTICK_KAFKA_BOOTSTRAP: 'localhost' is not host:port"),
        ("TALLYSTICK_KAFKA_BOOTSTRAP", "", "TALLYSTICK_KAFKA_BOOTSTRAP: String should have at least 1 character"),
        ("TALLYSTICK_KAFKA_SECURITY_PROTOCOL", "TLS", "TALLYSTICK_KAFKA_SECURITY_PROTOCOL: Input should be 'PLAINTEXT'"),
        ("TALLYSTICK_KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "TALLYSTICK_KAFKA_USERNAME: must be set when"),
        ("TALLYSTICK_KAFKA_BOOTSTRAP", "a:1,b:65536", "TALLYSTICK_KAFKA_BOOTSTRAP: 'b:65536' is not host:port"),
        ("TALLYSTICK_KAFKA_PASSWORD_FILE", "/nowhere", "TALLYSTICK_KAFKA_PASSWORD_FILE: does not name a file"),
        ("TALLYSTICK_KAFKA_PASSWORD_FILE", "/" + "x" * 300, "TALLYSTICK_KAFKA_PASSWORD_FILE: does not name a file"),
        ("TALLYSTICK_KAFKA_PASSWORD_FILE", "/dev/null", "TALLYSTICK_KAFKA_PASSWORD_FILE: does not name a file"),
        ("TALLYSTICK_KAFKA_CA_FILE", __file__, "TALLYSTICK_KAFKA_CA_FILE: holds no certificates"),
        ("TALLYSTICK_DATABASE_URL", "mysql://h/d", "TALLYSTICK_DATABASE_URL: must be postgresql://"),
        ("TALLYSTICK_DATABASE_URL", "postgresql://h:port/d", "TALLYSTICK_DATABASE_URL: must be postgresql://"),
        ("TALLYSTICK_DATABASE_URL", "postgresql://h/d?sslmode=on", "TALLYSTICK_DATABASE_URL: sslmode must be one of"),
        ("TALLYSTICK_DATABASE_URL", "postgresql://h/d?sslrootcert=/no", "TALLYSTICK_DATABASE_URL: sslrootcert does not name"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, says: str
) -> None:
    """One line with the full name in the environment, and exit code 2."""
    monkeypatch.setenv(name, value)
    lines = _refusal(_Settings, capsys)
    assert len(lines) == 1
    assert lines[0].startswith(says)


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to start a service three times to learn of three mistakes."""
    monkeypatch.delenv("TALLYSTICK_LOG_DIR")
    monkeypatch.setenv("TALLYSTICK_HTTP_PORT", "x")
    monkeypatch.setenv("TALLYSTICK_LOGDIR", "/srv/log")
    names = {line.split(":")[0] for line in _refusal(_Settings, capsys)}
    assert names == {"TALLYSTICK_LOG_DIR", "TALLYSTICK_HTTP_PORT", "TALLYSTICK_LOGDIR"}


@pytest.mark.parametrize("url", ["postgresql://notary:hunter2@db:5432/d", "postgresql://notary@db/d?password=hunter2"])
def test_a_password_in_the_database_url_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    """The message says where passwords belong, without the one that was given."""
    monkeypatch.setenv("TALLYSTICK_DATABASE_URL", url)
    (line,) = _refusal(_Settings, capsys)
    assert "TALLYSTICK_DATABASE_PASSWORD_FILE" in line
    assert "hunter2" not in line


def test_a_client_certificate_must_be_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Files that hold no certificate and its key are found at start, not at the first connection."""
    for name in ("CERT", "KEY"):
        (tmp_path / name).write_text("no PEM")
        monkeypatch.setenv(f"TALLYSTICK_KAFKA_{name}_FILE", str(tmp_path / name))
    (line,) = _refusal(_Settings, capsys)
    assert line.startswith("TALLYSTICK_KAFKA_CERT_FILE: ")


def test_an_empty_secret_is_found_at_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file that is there and empty is no password."""
    (tmp_path / "password").write_text("\n")
    monkeypatch.setenv("TALLYSTICK_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    (line,) = _refusal(_Settings, capsys)
    assert line.startswith("TALLYSTICK_DATABASE_PASSWORD_FILE: ")


def test_names_for_tests_are_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """TALLYSTICK_TEST_* belongs to tests and is no setting."""
    monkeypatch.setenv("TALLYSTICK_TEST_SEED", "1")
    assert load(_Settings).log_dir == Path("/srv/log")


@pytest.mark.parametrize(
    ("auth", "missing"),
    [
        ("approle", "TALLYSTICK_VAULT_ROLE_ID"),
        ("kubernetes", "TALLYSTICK_VAULT_KUBERNETES_ROLE"),
        ("token", "TALLYSTICK_VAULT_TOKEN_FILE"),
    ],
)
def test_each_kind_of_login_asks_for_its_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], auth: str, missing: str
) -> None:
    """There is no default identity towards Vault."""
    monkeypatch.delenv("TALLYSTICK_LOG_DIR")
    monkeypatch.setenv("TALLYSTICK_VAULT_AUTH", auth)
    assert _refusal(VaultSettings, capsys) == [f"{missing}: must be set when TALLYSTICK_VAULT_AUTH={auth}"]


def test_a_kubernetes_login_asks_for_the_pods_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Outside of a pod there is no token, and the setting that names it is told."""
    monkeypatch.delenv("TALLYSTICK_LOG_DIR")
    monkeypatch.setenv("TALLYSTICK_VAULT_AUTH", "kubernetes")
    monkeypatch.setenv("TALLYSTICK_VAULT_KUBERNETES_ROLE", "notary")
    monkeypatch.setenv("TALLYSTICK_VAULT_KUBERNETES_TOKEN_FILE", str(tmp_path / "token"))
    (line,) = _refusal(VaultSettings, capsys)
    assert line.startswith("TALLYSTICK_VAULT_KUBERNETES_TOKEN_FILE: ")


@pytest.mark.parametrize("value", ["foo", "ftp://x", "file://host/log", "file:log", "http://", "http://h:99999", "http://[::1"])
def test_an_address_of_the_logs_is_one_that_can_be_read(value: str) -> None:
    """Only an absolute directory or an HTTP prefix: anything else would never answer."""
    with pytest.raises(ValueError, match=r"must be|Invalid"):
        log_url(value)


@pytest.mark.parametrize("value", ["http://me:secret@h/log", "https://h/log?secret", "file:///log?secret", "http://h#secret"])
def test_an_address_of_the_logs_holds_nothing_else(value: str) -> None:
    """Paths are appended to it, and it is repeated in log lines: no query, no fragment, no password."""
    with pytest.raises(ValueError, match="must not hold") as refused:
        log_url(value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["file:///srv/log", "file://localhost/srv/log", "http://h:8080/log", "https://[::1]/log"])
def test_an_address_of_the_logs_loses_its_last_slash(value: str) -> None:
    """So that `/decisions` can be appended."""
    assert log_url(f"{value}/") == log_url(value) == value


def test_a_setting_can_be_refused_later(capsys: pytest.CaptureFixture[str]) -> None:
    """What only use shows to be wrong is said in the same way."""
    with pytest.raises(SystemExit) as ended:
        refuse("models_dir", "holds no model")
    assert (ended.value.code, capsys.readouterr().err) == (2, "TALLYSTICK_MODELS_DIR: holds no model\n")


def test_a_secret_is_the_files_text_without_white_space(tmp_path: Path) -> None:
    """A newline at the end, which editors add, is not part of the secret."""
    (tmp_path / "secret").write_text(" s3cret\n")
    assert read_secret(tmp_path / "secret") == "s3cret"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000, None])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Empty, not text, too large or absent: the error names the file."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretFileError, match="secret"):
        read_secret(path)
