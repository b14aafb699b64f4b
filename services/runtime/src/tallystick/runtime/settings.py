"""Settings from the environment: `TALLYSTICK_<NAME>`, refused when unknown or wrong, secrets only as files.

The environment is read here and nowhere else. A service declares what it needs by inheriting from the groups below:

    class NotarySettings(KafkaSettings, VaultSettings, DatabaseSettings, HttpSettings):
        log_dir: Path

and its `main` calls `load(NotarySettings)`.
"""

import os
import re
import ssl
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from tallystick.runtime.values import (
    AuthoritiesFile,
    BucketUrl,
    Directory,
    ExistingFile,
    HttpUrl,
    KafkaAddresses,
    LogUrl,
    PathName,
    Port,
    PostgresqlUrl,
    Seconds,
    SecretFile,
    SecretFileError,
    Text,
    TopicName,
    read_secret,
)

__all__ = [
    "AuthoritiesFile",
    "BucketUrl",
    "DatabaseSettings",
    "Directory",
    "ExistingFile",
    "HttpSettings",
    "HttpUrl",
    "KafkaSettings",
    "LogUrl",
    "PathName",
    "PostgresqlUrl",
    "S3Settings",
    "Seconds",
    "SecretFile",
    "SecretFileError",
    "ServiceSettings",
    "SettingError",
    "Text",
    "TopicName",
    "VaultSettings",
    "describe",
    "environment_name",
    "load",
    "read_secret",
    "refuse",
    "unknown_names",
]

PREFIX = "TALLYSTICK_"
TEST_PREFIX = "TALLYSTICK_TEST_"
USAGE_EXIT_CODE = 2

LogLevel = Literal["debug", "info", "warning", "error"]


class SettingError(Exception):
    """A setting that only its use showed to be wrong; `service.run` says it as `load` would and ends with code 2.

    Args:
        field: the setting, as its class calls it.
        problem: what is wrong.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{environment_name(field)}: {problem}")


class ServiceSettings(BaseSettings):
    """What every service has; the base of all groups."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    log_level: LogLevel = "info"


class KafkaSettings(ServiceSettings):
    """Where Kafka is and how to speak to it."""

    kafka_bootstrap: KafkaAddresses = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: Text | None = None
    kafka_password_file: SecretFile | None = None
    kafka_ca_file: AuthoritiesFile | None = None
    kafka_cert_file: ExistingFile | None = None
    kafka_key_file: ExistingFile | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL"):
            _require(self, "kafka_security_protocol", ("kafka_username", "kafka_password_file"))
        if (self.kafka_cert_file is None) != (self.kafka_key_file is None):
            raise ValueError(
                f"{PREFIX}KAFKA_CERT_FILE: a client certificate needs {PREFIX}KAFKA_KEY_FILE, and the other way round"
            )
        if self.kafka_cert_file is not None and self.kafka_key_file is not None:
            _check_pair(self.kafka_cert_file, self.kafka_key_file)
        return self


class VaultSettings(ServiceSettings):
    """Where Vault (or OpenBao) is and who we are to it."""

    vault_addr: HttpUrl = "http://127.0.0.1:8200"
    vault_auth: Literal["approle", "kubernetes", "token"] = "approle"
    vault_role_id: Text | None = None
    vault_secret_id_file: SecretFile | None = None
    vault_token_file: SecretFile | None = None
    vault_kubernetes_role: Text | None = None
    vault_kubernetes_token_file: PathName = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    vault_ca_file: AuthoritiesFile | None = None
    vault_timeout_s: Annotated[Seconds, Field(le=120)] = 5.0

    @model_validator(mode="after")
    def _identity(self) -> Self:
        needed = {
            "approle": ("vault_role_id", "vault_secret_id_file"),
            "kubernetes": ("vault_kubernetes_role",),
            "token": ("vault_token_file",),
        }
        _require(self, "vault_auth", needed[self.vault_auth])
        if self.vault_auth == "kubernetes":
            try:
                read_secret(self.vault_kubernetes_token_file)
            except SecretFileError as error:
                raise ValueError(f"{PREFIX}VAULT_KUBERNETES_TOKEN_FILE: {error}") from error
        return self


class DatabaseSettings(ServiceSettings):
    """Where PostgreSQL is; the password comes as a file."""

    database_url: PostgresqlUrl = "postgresql://127.0.0.1:5432/tallystick"
    database_password_file: SecretFile | None = None


class S3Settings(ServiceSettings):
    """Where an S3-compatible store is, for logs at `s3://bucket/prefix`, and who we are to it; nobody by default."""

    s3_endpoint: HttpUrl | None = None
    """Its address, to which `/bucket/key` is appended; by default that of AWS in the region."""
    s3_region: Text = "us-east-1"
    s3_access_key_id: Text | None = None
    s3_secret_access_key_file: SecretFile | None = None
    s3_ca_file: AuthoritiesFile | None = None
    s3_timeout_s: Annotated[Seconds, Field(le=20)] = 5.0
    """For one request; a few that may be repeated are, before the store counts as not answering."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if self.s3_access_key_id is not None:
            _require(self, "s3_access_key_id", ("s3_secret_access_key_file",))
        elif self.s3_secret_access_key_file is not None:
            raise ValueError(f"{PREFIX}S3_ACCESS_KEY_ID: must be set together with {PREFIX}S3_SECRET_ACCESS_KEY_FILE")
        return self


class HttpSettings(ServiceSettings):
    """Where the service's own HTTP (health, metrics, its API) listens; port 0 takes a free one."""

    http_host: Text = "127.0.0.1"
    http_port: Port = 0


Settings = TypeVar("Settings", bound=ServiceSettings)


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
    sys.stderr.write(f"{SettingError(field, problem)}\n")
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


def _require(settings: ServiceSettings, because: str, fields: tuple[str, ...]) -> None:
    missing = [environment_name(field) for field in fields if getattr(settings, field) is None]
    if missing:
        raise ValueError(f"{missing[0]}: must be set when {environment_name(because)}={getattr(settings, because)}")


def _check_pair(certificate: Path, key: Path) -> None:
    try:
        # With a password at hand OpenSSL does not ask the terminal for that of an encrypted key.
        ssl.create_default_context().load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise ValueError(f"{PREFIX}KAFKA_CERT_FILE: is no certificate in PEM that fits {PREFIX}KAFKA_KEY_FILE") from error
