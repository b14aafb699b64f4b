"""compose.yaml against the services that it starts."""

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .services import ROOT, SETTINGS, load_as_deployed

FILE = ROOT / "deploy/compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WITNESSES = {"witness-0", "witness-1", "witness-2"}
OURS = {name: name for name in set(SETTINGS) - {"witness"}} | dict.fromkeys(WITNESSES, "witness")


def test_the_chain_is_complete() -> None:
    """Every service is there, with its servers."""
    assert set(SERVICES) == set(OURS) | {"kafka", "postgresql", "openbao", "unseal"}


@pytest.mark.parametrize("service", sorted(OURS))
def test_a_service_starts_with_these_settings(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own settings class accepts what compose gives it: every name known, every value sound, none missing."""
    environment = SERVICES[service]["environment"]
    assert all(isinstance(value, str) for value in environment.values())
    load_as_deployed(OURS[service], environment, tmp_path, monkeypatch)


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_locked_down(service: str) -> None:
    """No capability, no writable root, no new privileges; pinned; `unseal` alone is root, to hand over one file."""
    container = SERVICES[service]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container.get("cap_add", []) == (["CHOWN"] if service == "unseal" else [])
    assert container.get("privileged") is None
    assert re.fullmatch(r"[\w./-]+:\d[\w.-]*", container["image"])
    if service not in OURS:
        assert (container["user"] == "0:0") == (service == "unseal")


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_container_names_is_there(service: str) -> None:
    """Volumes, networks, secrets and services that a container names are declared, and its files are in the repository."""
    container = SERVICES[service]
    assert set(container["networks"]) <= set(COMPOSE["networks"])
    assert set(container.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(container.get("depends_on", ())) <= set(SERVICES)
    made_by_script = {"./signers/public", "./models"}
    for source in (volume.split(":")[0] for volume in container.get("volumes", ())):
        if source.startswith("./"):
            assert source in made_by_script or (FILE.parent / source).exists()
        else:
            assert source in COMPOSE["volumes"]


def test_what_is_published_is_on_loopback() -> None:
    """No port is open to the network that the machine is in."""
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_only_the_writer_may_write() -> None:
    """The log is mounted for writing by the notary, and for receipts by the anchor; credentials by `provision`, each apart."""
    writers: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            if not volume.endswith(":ro"):
                writers.setdefault(volume.split(":")[0], set()).add(name)
    assert writers["log"] == {"notary", "anchor"}
    assert {source: who for source, who in writers.items() if source.endswith("-credentials")} == {
        f"{role}-credentials": {"provision"} for role in ("scoring", "notary", "audit", "retention", "gateway", "sealer")
    }


def test_witnesses_share_nothing_secret() -> None:
    """Each has a volume of its own for key and state, and another name; what they share holds neither."""
    homes = {name: {v.split(":")[0] for v in SERVICES[name]["volumes"]} for name in WITNESSES}
    assert homes == {name: {name, "witnesses"} for name in WITNESSES}
    settings = [SERVICES[name]["environment"] for name in WITNESSES]
    assert len({one["TALLYSTICK_NAME"] for one in settings}) == len(WITNESSES)
    for one in settings:
        assert one["TALLYSTICK_NAME"].rpartition("/")[2] in WITNESSES
        assert all("/var/lib/tallystick/witness/" in one[f"TALLYSTICK_{name}"] for name in ("KEY_FILE", "STATE"))
    assert {
        name for name, one in SERVICES.items() if WITNESSES & {v.split(":")[0] for v in one.get("volumes", ())}
    } == WITNESSES


def test_the_notary_asks_the_witnesses_that_run() -> None:
    """`provision` writes each one's key and address into the policy by which the notary asks."""
    (script,) = SERVICES["provision"]["command"]
    for name in WITNESSES:
        assert f'--witness="$$(cat /witnesses/{name}) http://{name}:8080"' in script
    assert '--sealer="$$(cat /witnesses/sealer)"' in script
    assert SERVICES["notary"]["environment"]["TALLYSTICK_WITNESS_POLICY"] == "/run/tallystick/trust-policy/log.policy"


def test_no_password_is_written_down() -> None:
    """Passwords and tokens are files that a script makes, never values."""
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD|TOKEN|SECRET", name) or name.endswith(("_FILE", "_ID"))
            assert "password=" not in value


def test_the_services_images_have_a_build() -> None:
    """Every image of ours is built from the one Dockerfile, with the service as its argument."""
    builds = {service["image"]: service["build"] for service in SERVICES.values() if "build" in service}
    assert {service["image"] for service in SERVICES.values() if service["image"].startswith("tallystick/")} == set(builds)
    for image, build in builds.items():
        assert image.startswith(f"tallystick/{'-'.join(build['args'].values())}:")
        assert (FILE.parent / build["context"] / build["dockerfile"]).is_file()


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """`secrets.sh` makes every secret that compose wants, keeps others of the machine out, and keeps what is there."""
    script = tmp_path / "deploy/secrets.sh"
    script.parent.mkdir()
    script.write_bytes((FILE.parent / "secrets.sh").read_bytes())
    made = []
    for _ in range(2):
        subprocess.run(["bash", script], check=True, capture_output=True, env={"PATH": os.environ["PATH"]})
        made.append({secret["file"]: (script.parent / secret["file"]).read_text() for secret in COMPOSE["secrets"].values()})
    assert made[0] == made[1]
    assert all(len(value) >= 24 for value in made[0].values())
    assert len(set(made[0].values())) == len(made[0])
    for private in ("secrets", "signers"):
        assert stat.S_IMODE((script.parent / private).stat().st_mode) == 0o700
    assert stat.S_IMODE((script.parent / "signers/ada.key").stat().st_mode) == 0o600
    assert b"PUBLIC KEY" in (script.parent / "signers/public/ada.pem").read_bytes()
