"""The kinds of values that settings have; each refuses what its use would only find out later.

A refusal is a ValueError whose text says what is wrong without repeating the value, which may hold a password.
"""

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

MAX_SECRET_BYTES = 65_536
MAX_TOPIC_LENGTH = 249
_MAX_PORT = 65_535
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\],]+)(?::([0-9]{1,5}))?")
_BUCKET_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class SecretFileError(OSError):
    """A file that should hold a secret cannot be read, is empty or is too large."""


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


def http_url(value: str) -> str:
    """Return an http(s) address without its last slash. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_address(parts.netloc.rpartition("@")[2]):
        raise ValueError("must be http://host:port or https://host:port")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password")
    if "?" in value or "#" in value:
        raise ValueError("must not hold a query or a fragment: paths are appended to it")
    try:
        httpx.URL(value)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("must be http://host:port or https://host:port") from error
    return value.rstrip("/")


def log_url(value: str) -> str:
    """Return the address of a log's public files without its last slash. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme in ("http", "https"):
        return http_url(value)
    if parts.scheme == "s3":
        return bucket_url(value)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ValueError("must be file:///directory, http(s)://host/prefix or s3://bucket/prefix")
    if "?" in value or "#" in value:
        raise ValueError("must not hold a query or a fragment: write ? as %3F and # as %23")
    return value.rstrip("/")


def bucket_url(value: str) -> str:
    """Return `s3://bucket` or `s3://bucket/prefix` without its last slash. Raises ValueError."""
    if not _BUCKET_URL.fullmatch(value):
        raise ValueError("must be s3://bucket or s3://bucket/prefix, of letters, digits, dots, hyphens and underscores")
    return value.rstrip("/")


def kafka_addresses(value: str) -> str:
    """Return a comma-separated list of host:port as it is. Raises ValueError."""
    for address in value.split(","):
        if not _is_address(address.strip(), port_needed=True):
            raise ValueError(f"{address.strip()!r} is not host:port; give a comma-separated list of host:port")
    return value


def postgresql_url(value: str) -> str:
    """Return a PostgreSQL address without a password as it is; several hosts are separated by commas. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("must be postgresql://user@host:port/database")
    query = parse_qs(parts.query)
    if parts.password is not None or "password" in query:
        raise ValueError("must not hold a password; put it in a file and name it in TALLYSTICK_DATABASE_PASSWORD_FILE")
    hosts = parts.netloc.rpartition("@")[2]
    if hosts and not all(_is_address(host) for host in hosts.split(",")):
        raise ValueError("must be postgresql://user@host:port/database")
    if not set(query.get("sslmode", ())) <= set(_SSL_MODES):
        raise ValueError(f"sslmode must be one of {', '.join(_SSL_MODES)}")
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"):
        if not all(_is(Path.is_file, Path(path)) for path in query.get(name, ())):
            raise ValueError(f"{name} does not name a file")
    return value


def _is_address(text: str, *, port_needed: bool = False) -> bool:
    found = _ADDRESS.fullmatch(text)
    if found is None or (found[2] is None and port_needed):
        return False
    return found[2] is None or 1 <= int(found[2]) <= _MAX_PORT


def _is(kind: Callable[[Path], bool], path: Path) -> bool:
    try:
        return kind(path)
    except OSError:  # a name too long, a folder that may not be entered
        return False


def _not_empty(value: object) -> object:
    if value == "":  # which Path takes for the working directory
        raise ValueError("must not be empty")
    return value


def _directory(path: Path) -> Path:
    if not _is(Path.is_dir, path):
        raise ValueError("does not name a directory that can be reached")
    return path


def _file(path: Path) -> Path:
    if not _is(Path.is_file, path):
        raise ValueError("does not name a file that can be reached")
    return path


def _secret_file(path: Path) -> Path:
    try:
        read_secret(path)
    except SecretFileError as error:
        raise ValueError(str(error)) from error
    return path


def _authorities_file(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise ValueError("holds no certificates in PEM") from error
    return path


def _topic(value: str) -> str:
    if value in (".", "..") or not re.fullmatch(r"[A-Za-z0-9._-]+", value) or len(value) > MAX_TOPIC_LENGTH:
        raise ValueError(f"is not a topic's name: 1 to {MAX_TOPIC_LENGTH} letters, digits, dots, underscores and hyphens")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
TopicName = Annotated[Text, AfterValidator(_topic)]
Port = Annotated[int, Field(ge=0, le=_MAX_PORT)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A duration; give each its upper bound: `Annotated[Seconds, Field(le=60)]`."""
HttpUrl = Annotated[Text, AfterValidator(http_url)]
LogUrl = Annotated[Text, AfterValidator(log_url)]
BucketUrl = Annotated[Text, AfterValidator(bucket_url)]
KafkaAddresses = Annotated[Text, AfterValidator(kafka_addresses)]
PostgresqlUrl = Annotated[Text, AfterValidator(postgresql_url)]
PathName = Annotated[Path, BeforeValidator(_not_empty)]
"""A path that need not exist yet."""
Directory = Annotated[PathName, AfterValidator(_directory)]
"""An existing directory."""
ExistingFile = Annotated[PathName, AfterValidator(_file)]
SecretFile = Annotated[ExistingFile, AfterValidator(_secret_file)]
"""A file that holds a secret now; what it holds is read again whenever it is needed, for secrets are renewed."""
AuthoritiesFile = Annotated[ExistingFile, AfterValidator(_authorities_file)]
"""The certificates, in PEM, of the authorities to trust."""
