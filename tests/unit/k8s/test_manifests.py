"""The manifests as an operator applies them: base and overlays."""

import functools
from pathlib import Path

import pytest
from k8s import rules, validate

from .services import ROOT, SETTINGS, expand, load_as_deployed

SEALER = validate.ROOT / "base/sealer"
FOLDERS = {folder.name: folder for folder in validate.kustomizations() if folder != SEALER}
WITHOUT = {"base": {"witness", "sealer", "anchor"}, "anchored": {"witness", "sealer"}, "dev": {"sealer", "anchor"}}
"""What others run, or an overlay adds."""
DEPLOYED = {overlay: set(SETTINGS) - WITHOUT[overlay] for overlay in FOLDERS}
every_overlay = pytest.mark.parametrize("overlay", FOLDERS)
every_service = pytest.mark.parametrize(("overlay", "service"), [(o, s) for o in FOLDERS for s in sorted(DEPLOYED[o])])


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
    return found | {name: value or "from-elsewhere" for name, value in rules.environment(container).items()}


@every_overlay
def test_nothing_is_wrong(overlay: str) -> None:
    """Every document passes Kubernetes' schemas and our own rules, as `make k8s` checks them."""
    assert validate.problems(built(overlay)) == []


@every_overlay
def test_the_chain_is_complete(overlay: str) -> None:
    """Every service of the chain is there."""
    assert set(services(overlay)) == DEPLOYED[overlay]


@every_service
def test_a_service_starts_with_these_settings(
    overlay: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own settings class takes what the manifests give it: every name known, every value sound, none missing."""
    environment = settings(overlay, services(overlay)[service])
    loaded = load_as_deployed(service, environment, tmp_path, monkeypatch)
    assert loaded.log_level == "info"
    assert not any("$(" in value for value in expand(environment).values())


@every_service
def test_paths_are_mounted(overlay: str, service: str) -> None:
    """Every path that a service is told lies in one of its volumes; the root file system is read-only."""
    container = services(overlay)[service]
    mounts = tuple(f"{mount['mountPath']}/" for mount in container["volumeMounts"])
    values = expand(settings(overlay, container)).values()
    paths = [value.removeprefix("file://") for value in values if value.startswith(("/", "file:///"))]
    assert paths or service == "profiles"  # where Kafka asks for no password it needs no file
    assert [path for path in paths if not f"{path}/".startswith(mounts)] == []


@every_overlay
def test_only_the_writer_may_write(overlay: str) -> None:
    """Each shared directory is mounted for writing by one: the log by the notary, models by the pod that receives them."""
    writers: dict[str, set[str]] = {"log": set(), "models": set(), "provisioned": set()}
    for workload in rules.workloads(built(overlay)):
        for container in rules.containers(workload):
            for mount in container.get("volumeMounts", ()):
                if mount["name"] in writers and not mount.get("readOnly"):
                    writers[mount["name"]].add(container["name"])
    beside = {"anchor"} & DEPLOYED[overlay]  # it puts receipts there, and nothing else
    assert writers == {"log": {"notary"} | beside, "models": {"models"}, "provisioned": {"provision"}}


@every_overlay
def test_a_service_sees_no_credentials_but_its_own(overlay: str) -> None:
    """Only the container that hands out credentials, and the job that makes them, see where all of them lie."""
    seeing = {
        container["name"]
        for workload in rules.workloads(built(overlay))
        for container in rules.containers(workload)
        for mount in container.get("volumeMounts", ())
        if mount["name"] == "provisioned" and mount.get("subPath") != "policy"  # which is public
    }
    assert seeing == {"provision", "credentials"}


@every_overlay
def test_one_notary(overlay: str) -> None:
    """The logs' only writer is a StatefulSet of one."""
    assert find(overlay, "StatefulSet/notary")["spec"]["replicas"] == 1


@every_overlay
def test_no_secret_is_in_the_repository(overlay: str) -> None:
    """No manifest holds a Secret; they are made in the cluster."""
    assert [rules.name(document) for document in built(overlay) if document["kind"] == "Secret"] == []


@every_overlay
def test_images_are_those_that_we_build(overlay: str) -> None:
    """Our images are the Dockerfile's services, all in one version."""
    ours = {c["image"] for w in rules.workloads(built(overlay)) for c in rules.containers(w) if "tallystick" in c["image"]}
    names = {image.partition(":")[0].removeprefix("tallystick/") for image in ours}
    assert names == (DEPLOYED[overlay] - {"audit-ingest", "retention", "provision", "anchor"}) | {"cli"}
    assert all((ROOT / "services" / name / "pyproject.toml").is_file() for name in names)
    assert len({image.partition(":")[2] for image in ours}) == 1


def test_a_sealer_is_applied_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound, with settings that the sealer takes, and nothing of the bank's chain in it."""
    documents = validate.build(SEALER)
    assert validate.problems(documents) == []
    (workload,) = rules.workloads(documents)
    container = next(one for one in rules.containers(workload) if one["name"] == "sealer")
    (shared,) = (document["data"] for document in documents if document["kind"] == "ConfigMap")
    load_as_deployed("sealer", shared | rules.environment(container), tmp_path, monkeypatch)


def test_a_witness_stands_alone() -> None:
    """Whoever runs one applies its folder and nothing of the bank's; all rules hold but the one for a whole namespace."""
    documents = validate.build(validate.ROOT / "base/witness")
    assert validate.problems(documents) == ["no NetworkPolicy denies all traffic by default"]
    assert {document["kind"] for document in documents} == {"StatefulSet", "Service", "NetworkPolicy", "ConfigMap"}


def test_provision_is_told_of_every_witness() -> None:
    """In the dev overlay each replica has an argument, from where the script puts what the witness says of itself."""
    job = services("dev")["provision"]
    replicas = find("dev", "StatefulSet/witness")["spec"]["replicas"]
    script = (validate.ROOT / "overlays/dev/witnesses.sh").read_text()
    arguments = [argument for argument in job["args"] if argument.startswith("--witness=")]
    assert arguments == [f"--witness=$(WITNESS_{number})" for number in range(replicas)]
    sources = {v["name"]: v["valueFrom"]["configMapKeyRef"] for v in job["env"] if v["name"].startswith("WITNESS_")}
    assert sources == {f"WITNESS_{n}": {"name": "witnesses", "key": f"witness-{n}"} for n in range(replicas)}
    assert f"for number in {' '.join(map(str, range(replicas)))};" in script
    prefix = find("dev", next(name for name in map(rules.name, built("dev")) if name.startswith("ConfigMap/witness-")))["data"]
    assert prefix["WITNESS_PREFIX"] in script
