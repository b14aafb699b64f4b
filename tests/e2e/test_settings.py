"""Wrong settings stop a service at once, with the setting's name and exit code 2."""

import os
import subprocess

import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.embedded.service_process import console_script

from .governing import Release

KAFKA_WRONG = ("KAFKA_BOOTSTRAP", "nowhere")
WRONG = [
    ("scoring", [KAFKA_WRONG, ("COVERAGE_AGE_S", "0"), ("PARTITIONS", "all of them"), ("PARTITIONS", "9"), ("LOG_URL", "")]),
    ("notary", [("DECISIONS_ORIGIN", "two words"), ("LINGER_MS", "-1"), ("HTTP_PORT", "70000"), ("VAULT_ADDR", "vault")]),
    ("audit", [("TRUST_POLICY", "/nowhere"), ("LOG_URL", "ftp://tiles"), ("DATABASE_URL", "postgresql://a:b@c/d")]),
    ("audit-ingest", [KAFKA_WRONG, ("BATCH_RECORDS", "many"), ("DATABASE_PASSWORD_FILE", "/nowhere")]),
]
MISSING = {"scoring": "NOTARY_URL", "notary": "LOG_DIR", "audit": "MODELS_DIR"}


def _cases() -> list[tuple[str, str, str | None]]:
    cases: list[tuple[str, str, str | None]] = [
        (service, name, value) for service, settings in WRONG for name, value in settings
    ]
    cases += [(service, name, None) for service, name in MISSING.items()]
    return cases + [(service, "COLOUR", "red") for service, _ in WRONG]


@pytest.mark.parametrize(("service", "name", "value"), _cases())
def test_a_wrong_setting_stops_the_service_at_once(platform: Platform, service: str, name: str, value: str | None) -> None:
    """Settings that work but for one, wrong, missing (None) or unknown: exit code 2, and the setting named on stderr."""
    environment = platform.services[service].env | {"TALLYSTICK_HTTP_PORT": "0"}
    environment.pop(f"TALLYSTICK_{name}", None)
    if value is not None:
        environment[f"TALLYSTICK_{name}"] = value
    done = subprocess.run(
        [console_script(f"tallystick-{service}")],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"TALLYSTICK_{name}: ")


def test_the_trainer_names_a_missing_setting(release: Release) -> None:
    """`tallystick-trainer publish` without a models' address: exit code 2, and the setting named."""
    arguments = ["publish", str(release.folder), "--signer-key", "/nowhere", "--signer", "ada"]
    done = subprocess.run(
        [console_script("tallystick-trainer"), *arguments],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "TALLYSTICK_MODELS_URL: must be set\n"
