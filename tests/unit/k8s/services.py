"""What a deployment must agree with: each service's program and the settings that it takes."""

import re
from collections.abc import Mapping
from pathlib import Path

import certifi
import pytest

from tallystick.audit.ingest.settings import IngestSettings
from tallystick.audit.retention.settings import KeeperSettings
from tallystick.audit.settings import AuditSettings
from tallystick.cli.provision.command import ProvisionSettings
from tallystick.gateway.settings import GatewaySettings
from tallystick.notary.anchors.settings import AnchorSettings
from tallystick.notary.settings import NotarySettings
from tallystick.profiles.settings import ProfilesSettings
from tallystick.runtime.settings import PREFIX, ServiceSettings, load
from tallystick.scoring.settings import ScoringSettings
from tallystick.witness import settings as witness
from tallystick.witness.sealer.settings import SealerSettings

ROOT = Path(__file__).resolve().parents[3]
SETTINGS: Mapping[str, type[ServiceSettings | witness.WitnessSettings]] = {
    "scoring": ScoringSettings,
    "notary": NotarySettings,
    "anchor": AnchorSettings,
    "witness": witness.WitnessSettings,
    "sealer": SealerSettings,
    "audit": AuditSettings,
    "audit-ingest": IngestSettings,
    "retention": KeeperSettings,
    "gateway": GatewaySettings,
    "profiles": ProfilesSettings,
    "provision": ProvisionSettings,
}
_SECRETS = {"TALLYSTICK_CALLERS_FILE": "dev token-of-the-dev-channel\ncompose token-of-the-compose-channel\n"}
AUTHORITIES = re.compile(r"(?<=sslrootcert=)/[^&]+")
EXPANSION = re.compile(r"\$\((\w+)\)")


def expand(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables with `$(NAME)` replaced, as Kubernetes does; a name that is not there stays as it is."""
    return {name: EXPANSION.sub(lambda m: environment.get(m[1], m[0]), value) for name, value in environment.items()}


def load_as_deployed(
    service: str, environment: Mapping[str, str], files: Path, monkeypatch: pytest.MonkeyPatch
) -> ServiceSettings | witness.WitnessSettings:
    """Load a service's settings from a deployment's environment; its absolute paths are made below `files` first."""
    for name, value in expand(environment).items():
        if name.startswith(PREFIX):
            made = str(_made(files, name, value)) if value.startswith("/") else value
            monkeypatch.setenv(name, AUTHORITIES.sub(lambda found: str(_made(files, "_CA_FILE", found[0])), made))
    kind = SETTINGS[service]
    return load(kind) if issubclass(kind, ServiceSettings) else witness.load()


def _made(files: Path, name: str, value: str) -> Path:
    path = files / value.removeprefix("/")
    if name.endswith("_FILE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Path(certifi.where()).read_text() if name.endswith("_CA_FILE") else _SECRETS.get(name, "a secret"))
    elif name.endswith("_POLICY") and path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("quorum none\n")
    else:
        path.mkdir(parents=True, exist_ok=True)
    return path
