"""The manifests as an operator applies them: base and overlays."""

import functools
from pathlib import Path

import pytest
from k8s import rules, validate

from .services import ROOT, SETTINGS, expand, load_as_deployed

FOLDERS = {folder.name: folder for folder in validate.kustomizations()}
pytestmark = pytest.mark.parametrize("overlay", FOLDERS)


@functools.cache
def built(overlay: str) -> list[validate.Document]:
    """Return a kustomization's documents, built once."""
    return validate.build(FOLDERS[overlay])


def find(overlay: str, wanted: str) -> validate.Document:
    """Return the document called so: `Deployment/scoring`."""
    return next(document for document in built(overlay) if rules.name(document) == wanted)


def services(overlay: str) -> dict[str, rules.Document]:
    """Return our own services' containers by name."""
    ours = (container for workload in rules.workloads(built(overlay)) for container in rules.containers(workload))
    return {container["name"]: container for container in ours if container["name"] in SETTINGS}


def settings(overlay: str, container: rules.Document) -> dict[str, str]:
    """Return the environment that a container gets, from config maps and one by one."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= find(overlay, f"ConfigMap/{source['configMapRef']['name']}")["data"]
    return found | {name: value for name, value in rules.environment(container).items() if value is not None}


def test_nothing_is_wrong(overlay: str) -> None:
    """Every document passes Kubernetes' schemas and our own rules, as `make k8s` checks them."""
    assert validate.problems(built(overlay)) == []


def test_the_chain_is_complete(overlay: str) -> None:
    """Every service of the chain is there."""
    assert set(services(overlay)) == set(SETTINGS)


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_starts_with_these_settings(
    overlay: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own settings class takes what the manifests give it: every name known, every value sound, none missing."""
    environment = settings(overlay, services(overlay)[service])
    loaded = load_as_deployed(service, environment, tmp_path, monkeypatch)
    assert loaded.log_level == "info"
    assert not any("$(" in value for value in expand(environment).values())


@pytest.mark.parametrize("service", SETTINGS)
def test_paths_are_mounted(overlay: str, service: str) -> None:
    """Every path that a service is told lies in one of its volumes; the root file system is read-only."""
    container = services(overlay)[service]
    mounts = tuple(f"{mount['mountPath']}/" for mount in container["volumeMounts"])
    values = expand(settings(overlay, container)).values()
    paths = [value.removeprefix("file://") for value in values if value.startswith(("/", "file:///"))]
    assert paths
    assert [path for path in paths if not f"{path}/".startswith(mounts)] == []


def test_only_the_writer_may_write(overlay: str) -> None:
    """Each shared directory is mounted for writing by one: the log by the notary, models by the pod that receives them."""
    writers: dict[str, set[str]] = {"log": set(), "models": set(), "provisioned": set()}
    for workload in rules.workloads(built(overlay)):
        for container in rules.containers(workload):
            for mount in container.get("volumeMounts", ()):
                if mount["name"] in writers and not mount.get("readOnly"):
                    writers[mount["name"]].add(container["name"])
    assert writers == {"log": {"notary"}, "models": {"models"}, "provisioned": {"provision"}}


def test_a_service_sees_no_credentials_but_its_own(overlay: str) -> None:
    """Only the container that hands out credentials, and the job that makes them, see where all of them lie."""
    seeing = {
        container["name"]
        for workload in rules.workloads(built(overlay))
        for container in rules.containers(workload)
        for mount in container.get("volumeMounts", ())
        if mount["name"] == "provisioned"
    }
    assert seeing == {"provision", "credentials"}


def test_one_notary(overlay: str) -> None:
    """The logs' only writer is a StatefulSet of one."""
    assert find(overlay, "StatefulSet/notary")["spec"]["replicas"] == 1


def test_no_secret_is_in_the_repository(overlay: str) -> None:
    """No manifest holds a Secret; they are made in the cluster."""
    assert [rules.name(document) for document in built(overlay) if document["kind"] == "Secret"] == []


def test_images_are_those_that_we_build(overlay: str) -> None:
    """Our images are the Dockerfile's services, all in one version."""
    ours = {c["image"] for w in rules.workloads(built(overlay)) for c in rules.containers(w) if "tallystick" in c["image"]}
    names = {image.partition(":")[0].removeprefix("tallystick/") for image in ours}
    assert names == {"scoring", "notary", "audit", "cli"}
    assert all((ROOT / "services" / name / "pyproject.toml").is_file() for name in names)
    assert len({image.partition(":")[2] for image in ours}) == 1
