"""Settings from the environment: `TALLYSTICK_<NAME>`, refused when unknown or wrong, secrets only as files.

The environment is read here and nowhere else. A service declares what it needs by inheriting from the groups below:

    class NotarySettings(KafkaSettings, VaultSettings, DatabaseSettings, HttpSettings):
        log_dir: Path

and its `main` calls `load(NotarySettings)`.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, FilePath, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

PREFIX = "TALLYSTICK_"
TEST_PREFIX = "TALLYSTICK_TEST_"
USAGE_EXIT_CODE = 2
MAX_SECRET_BYTES = 65_536

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
LogLevel = Literal["debug", "info", "warning", "error"]


class SecretFileError(OSError):
    """A file that should hold a secret cannot be read, is empty or is too large."""


class ServiceSettings(BaseSettings):
    """What every service has; the base of all groups."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    log_level: LogLevel = "info"


class KafkaSettings(ServiceSettings):
    """Where Kafka is and how to speak to it."""

    kafka_bootstrap: Text = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: Text | None = None
    kafka_password_file: FilePath | None = None
    kafka_ca_file: FilePath | None = None
    kafka_cert_file: FilePath | None = None
    kafka_key_file: FilePath | None = None

    @field_validator("kafka_bootstrap")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for address in value.split(","):
            if not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^\s:\[\],]+):[0-9]{1,5}", address.strip()):
                raise ValueError(f"{address.strip()!r} is not host:port; give a comma-separated list of host:port")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL"):
            _require(self, "kafka_security_protocol", ("kafka_username", "kafka_password_file"))
        if (self.kafka_cert_file is None) != (self.kafka_key_file is None):
            raise ValueError(
                f"{PREFIX}KAFKA_CERT_FILE: a client certificate needs {PREFIX}KAFKA_KEY_FILE, and the other way round"
            )
        return self


class VaultSettings(ServiceSettings):
    """Where Vault (or OpenBao) is and who we are to it."""

    vault_addr: Text = "http://127.0.0.1:8200"
    vault_auth: Literal["approle", "kubernetes", "token"] = "approle"
    vault_role_id: Text | None = None
    vault_secret_id_file: FilePath | None = None
    vault_token_file: FilePath | None = None
    vault_kubernetes_role: Text | None = None
    vault_kubernetes_token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    vault_ca_file: FilePath | None = None
    vault_timeout_s: Annotated[float, Field(gt=0, le=120)] = 5.0

    @field_validator("vault_addr")
    @classmethod
    def _http(cls, value: str) -> str:
        return http_url(value)

    @model_validator(mode="after")
    def _identity(self) -> Self:
        needed = {
            "approle": ("vault_role_id", "vault_secret_id_file"),
            "kubernetes": ("vault_kubernetes_role",),
            "token": ("vault_token_file",),
        }
        _require(self, "vault_auth", needed[self.vault_auth])
        return self


class DatabaseSettings(ServiceSettings):
    """Where PostgreSQL is; the password comes as a file."""

    database_url: Text = "postgresql://127.0.0.1:5432/tallystick"
    database_password_file: FilePath | None = None

    @field_validator("database_url")
    @classmethod
    def _no_password(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError("must be postgresql://user@host:port/database")
        if parts.password is not None:
            raise ValueError(f"must not hold a password; put it in a file and name it in {PREFIX}DATABASE_PASSWORD_FILE")
        return value


class HttpSettings(ServiceSettings):
    """Where the service's own HTTP (health, metrics, its API) listens; port 0 takes a free one."""

    http_host: Text = "127.0.0.1"
    http_port: Port = 0


Settings = TypeVar("Settings", bound=ServiceSettings)


def http_url(value: str) -> str:
    """Return an http(s) address without its last slash. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be http://host:port or https://host:port")
    return value.rstrip("/")


def load(settings: type[Settings], environ: Mapping[str, str] | None = None) -> Settings:
    """Read a service's settings; what is wrong goes to stderr, one line a setting, and ends the process with code 2."""
    problems = unknown_names(settings, os.environ if environ is None else environ)
    try:
        loaded = settings()
    except (ValidationError, SettingsError) as error:
        problems += list(describe(error))
    else:
        if not problems:
            return loaded
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    raise SystemExit(USAGE_EXIT_CODE)


def refuse(field: str, problem: str) -> NoReturn:
    """End the process with code 2 because of a setting that only its use showed to be wrong."""
    sys.stderr.write(f"{environment_name(field)}: {problem}\n")
    raise SystemExit(USAGE_EXIT_CODE)


def unknown_names(settings: type[ServiceSettings], environ: Mapping[str, str]) -> list[str]:
    """Say which `TALLYSTICK_*` names of the environment no setting has; names for tests (`TALLYSTICK_TEST_*`) are let pass."""
    known = {environment_name(field) for field in settings.model_fields}
    ours = {name for name in environ if name.upper().startswith(PREFIX) and not name.upper().startswith(TEST_PREFIX)}
    return [f"{name}: there is no such setting" for name in sorted(ours) if name.upper() not in known]


def describe(error: ValidationError | SettingsError) -> Iterable[str]:
    """Say what is wrong, one line a setting, under its full name in the environment and without the value."""
    if isinstance(error, SettingsError):
        found = re.search(r'field "(\w+)"', str(error))
        yield f"{environment_name(found[1]) if found else 'settings'}: is not valid JSON"
        return
    for problem in error.errors(include_url=False, include_input=False):
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            message = "must be set"
        yield f"{environment_name(str(problem['loc'][0]))}: {message}" if problem["loc"] else message


def environment_name(field: str) -> str:
    """Return a setting's name in the environment."""
    return f"{PREFIX}{field.upper()}"


def read_secret(path: Path) -> str:
    """Return a secret file's text without the white space around it. Raises SecretFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
        text = data.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileError(f"{path}: cannot read the secret ({type(error).__name__})") from error
    if not text or len(data) > MAX_SECRET_BYTES:
        raise SecretFileError(f"{path}: {'is empty' if not text else 'is too large for a secret'}")
    return text


def _require(settings: ServiceSettings, because: str, fields: tuple[str, ...]) -> None:
    missing = [environment_name(field) for field in fields if getattr(settings, field) is None]
    if missing:
        raise ValueError(f"{missing[0]}: must be set when {environment_name(because)}={getattr(settings, because)}")
