"""Wrong settings stop a service at once, with the setting's name and exit code 2."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.embedded.service_process import console_script

from .gateways import Gateway
from .governing import Release

UNKNOWN = ("COLOUR", "red")
SERVICES: dict[str, dict[str, str | None]] = {  # None: left out
    "scoring": {
        "COVERAGE_AGE_S": "0",
        "PARTITIONS": "all of them",
        "LOG_URL": "",
        "NOTARY_URL": None,
        "MODELS_DIR": "/nowhere",
    },
    "notary": {
        "LINGER_MS": "-1",
        "HTTP_PORT": "70000",
        "VAULT_ADDR": "vault",
        "TRUST_POLICY": None,
        "KAFKA_BOOTSTRAP": "nowhere",
    },
    "audit": {"TRUST_POLICY": "/nowhere", "LOG_URL": "ftp://tiles", "DATABASE_URL": "postgresql://a:b@c/d", "MODELS_DIR": None},
    "gateway": {
        "FALLBACK": '{"cards": "perhaps"}',
        "DEADLINE_MS": "0",
        "KEEP_KEYS_DAYS": "30",
        "CALLERS_FILE": "/nowhere",
        "SPOOL_DIR": None,
    },
    "audit-ingest": {"KAFKA_BOOTSTRAP": "nowhere", "BATCH_RECORDS": "many", "DATABASE_PASSWORD_FILE": "/nowhere"},
}
ONE_BY_ONE: list[tuple[str, str, str | None]] = [  # found out only when all fields are right by themselves
    ("scoring", "PARTITIONS", "9"),
    ("scoring", "SOURCE_TOPIC", "payments"),
    ("notary", "LOGS", "decisions-7"),
    ("notary", "LOG_DIR", None),
    ("notary", "VAULT_ROLE_ID", None),
    ("gateway", "CALLERS_FILE", None),
    ("gateway", "FALLBACK", '{"card": "approve"}'),
    ("gateway", "SOURCE_TOPIC", "payments"),
    ("gateway", "DEADLINE_MS", "60000"),
    ("gateway", "SPOOL_DIR", "/proc/spool"),
]


@pytest.mark.parametrize("service", SERVICES)
def test_every_wrong_setting_is_named_at_once(platform: Platform, service: str, tmp_path: Path) -> None:
    """Settings of which some are wrong, one is missing and one unknown: exit code 2, and a line on stderr for each."""
    wrong = SERVICES[service] | dict([UNKNOWN])
    said = _refusal(_environment(platform, service, tmp_path), service, wrong)
    assert {line.partition(": ")[0] for line in said} == {f"TALLYSTICK_{name}" for name in wrong}


@pytest.mark.parametrize(("service", "name", "value"), ONE_BY_ONE)
def test_a_setting_that_does_not_fit_is_named(
    platform: Platform, service: str, name: str, value: str | None, tmp_path: Path
) -> None:
    """A setting that is wrong only beside the others or the trust policy: exit code 2, and its name on stderr."""
    (line,) = _refusal(_environment(platform, service, tmp_path), service, {name: value})
    # What the trust policy does not know of may be the policy's fault as well.
    assert line.startswith((f"TALLYSTICK_{name}: ", "TALLYSTICK_TRUST_POLICY: "))


def test_the_trainer_names_a_missing_setting(release: Release) -> None:
    """`tallystick-trainer publish` without a models' address: exit code 2, and the setting named."""
    arguments = ["publish", str(release.folder), "--signer-key", "/nowhere", "--signer", "ada"]
    assert _run(["tallystick-trainer", *arguments], {}) == ["TALLYSTICK_MODELS_URL: must be set"]


def _environment(platform: Platform, service: str, folder: Path) -> dict[str, str]:
    """Return settings that work."""
    process = Gateway(platform, folder).process if service == "gateway" else platform.services[service]
    return process.env | {"TALLYSTICK_HTTP_PORT": "0"}


def _refusal(environment: dict[str, str], service: str, wrong: Mapping[str, str | None]) -> list[str]:
    """Start a service with settings that work but for some; return the lines with which it refuses them."""
    for name, value in wrong.items():
        environment.pop(f"TALLYSTICK_{name}", None)
        if value is not None:
            environment[f"TALLYSTICK_{name}"] = value
    return _run([f"tallystick-{service}"], environment)


def _run(argv: list[str], environment: Mapping[str, str]) -> list[str]:
    done = subprocess.run(
        [console_script(argv[0]), *argv[1:]],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    return done.stderr.splitlines()
