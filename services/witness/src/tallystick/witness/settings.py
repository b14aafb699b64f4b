"""The witness's settings, from the environment (`TALLYSTICK_...`); a wrong or unknown one is named and ends the process."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tallystick.merkle.keys import NoteError, check_name
from tallystick.witness.store import sqlite_path

PREFIX = "TALLYSTICK_"
USAGE_EXIT_CODE = 2


def _not_empty(value: object) -> object:
    if value == "":  # which Path takes for the working directory
        raise ValueError("must not be empty")
    return value


def _file(path: Path) -> Path:
    if not os.path.isfile(path):  # noqa: PTH113  says no, where Path.is_file raises, if a folder may not be entered
        raise ValueError("does not name a file that can be reached")
    return path


def _key_name(name: str) -> str:
    try:
        check_name(name)
    except NoteError as error:
        raise ValueError(str(error)) from error
    return name


def _state(value: str) -> str:
    parts = urlsplit(value)
    if sqlite_path(value) is not None:
        return value
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("must be sqlite:///absolute/path or postgresql://user@host:port/database")
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise ValueError(f"must not hold a password; put it in a file and name it in {PREFIX}STATE_PASSWORD_FILE")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
PathName = Annotated[Path, BeforeValidator(_not_empty)]
ExistingFile = Annotated[PathName, AfterValidator(_file)]


class WitnessSettings(BaseSettings):
    """What `tallystick-witness` needs to know."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    name: Annotated[Text, AfterValidator(_key_name)]
    """The witness's name in its cosignatures, for good: an address without a scheme, such as "witness.example/w1"."""
    key_file: ExistingFile
    """The private key: Ed25519, PKCS #8 in PEM, mode 0600. `tallystick-witness --make-key` makes one."""
    logs_file: PathName
    """Which logs to cosign for: tlog-policy `log` lines (see `logs.py`). Read again when it changes, and on SIGHUP."""
    state: Annotated[Text, AfterValidator(_state)]
    """What must never be lost: `sqlite:///absolute/path` or `postgresql://user@host:port/database`."""
    state_password_file: ExistingFile | None = None
    """PostgreSQL's password; read anew for each connection."""
    http_host: Text = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Where to listen; port 0 takes a free one."""
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    """How many connections may be open; further requests are answered 503."""
    client_timeout_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 20.0
    """How long a request's head or body may take; a connection on which nothing was asked for twice as long is closed."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load() -> WitnessSettings:
    """Read the settings; what is wrong goes to stderr, one line a setting, and ends the process with code 2."""
    known = {PREFIX + field.upper() for field in WitnessSettings.model_fields}
    ours = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    problems = [f"{name}: there is no such setting" for name in ours if name.upper() not in known]
    try:
        settings = WitnessSettings()  # type: ignore[call-arg]  # the environment gives them
    except ValidationError as error:
        problems += [_describe(found["loc"], found["type"], found["msg"]) for found in error.errors(include_input=False)]
        _end(problems)
    if problems:
        _end(problems)
    return settings


def refuse(field: str, *problems: str) -> NoReturn:
    """End the process with code 2 because of a setting that only its use showed to be wrong."""
    _end([f"{PREFIX}{field.upper()}: {problem}" for problem in problems])


def _describe(location: tuple[int | str, ...], kind: str, message: str) -> str:
    text = "must be set" if kind == "missing" else message.removeprefix("Value error, ")
    return f"{PREFIX}{str(location[0]).upper()}: {text}"


def _end(problems: list[str]) -> NoReturn:
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    raise SystemExit(USAGE_EXIT_CODE)
