"""`make k8s` refuses what is broken: each case is one mutation of a manifest that is good."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from k8s import validate

GOOD: list[dict[str, Any]] = validate.build(validate.ROOT / "base")
Mutation = Callable[[list[dict[str, Any]]], None]


def find(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return one document."""
    return next(document for document in documents if document["kind"] == kind and document["metadata"]["name"] == name)


def pod(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return scoring's pod."""
    template: dict[str, Any] = find(documents, "Deployment", "scoring")["spec"]["template"]["spec"]
    return template


def container(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return scoring's container."""
    only: dict[str, Any] = pod(documents)["containers"][0]
    return only


def relabel(documents: list[dict[str, Any]]) -> None:
    """Let the notary's service look for pods that nobody runs."""
    find(documents, "Service", "notary")["spec"]["selector"] = {"app.kubernetes.io/name": "notery"}


def drop_deny_all(documents: list[dict[str, Any]]) -> None:
    """Take away the policy that denies all traffic."""
    documents.remove(find(documents, "NetworkPolicy", "deny-all"))


BROKEN: dict[str, tuple[Mutation, str]] = {
    "a field that Kubernetes does not know": (lambda d: pod(d).update(runAsRoot=True), "runAsRoot"),
    "a field of the wrong type": (lambda d: find(d, "Deployment", "scoring")["spec"].update(replicas="three"), "replicas"),
    "a kind that Kubernetes does not know": (lambda d: find(d, "Service", "audit").update(kind="Sevrice"), "Sevrice"),
    "a version that is gone": (
        lambda d: find(d, "PodDisruptionBudget", "audit").update(apiVersion="policy/v1beta1"),
        "v1beta1",
    ),
    "no kind at all": (lambda d: find(d, "Service", "audit").pop("kind"), "has no kind"),
    "the same document twice": (lambda d: d.append(d[-1]), "is there twice"),
    "an image without a tag": (lambda d: container(d).update(image="registry:5000/tallystick/scoring"), "not pinned"),
    "an image of the day": (lambda d: container(d).update(image="tallystick/scoring:latest"), "not pinned"),
    "root": (lambda d: pod(d)["securityContext"].pop("runAsNonRoot"), "run as root"),
    "no seccomp profile": (lambda d: pod(d)["securityContext"].pop("seccompProfile"), "seccomp"),
    "a writable root": (lambda d: container(d)["securityContext"].update(readOnlyRootFilesystem=False), "root file system"),
    "a capability kept": (lambda d: container(d)["securityContext"]["capabilities"].update(add=["NET_RAW"]), "capabilities"),
    "capabilities not dropped": (lambda d: container(d)["securityContext"].pop("capabilities"), "capabilities"),
    "privileges to gain": (lambda d: container(d)["securityContext"].pop("allowPrivilegeEscalation"), "gain privileges"),
    "service links": (lambda d: pod(d).pop("enableServiceLinks"), "service links"),
    "a token unsaid": (lambda d: pod(d).pop("automountServiceAccountToken"), "token of the cluster"),
    "no memory limit": (lambda d: container(d)["resources"].pop("limits"), "limit for memory"),
    "no probe": (lambda d: container(d).pop("livenessProbe"), "liveness"),
    "a service without pods": (relabel, "selects no pod"),
    "a claim that nobody makes": (
        lambda d: pod(d)["volumes"].append({"name": "x", "persistentVolumeClaim": {"claimName": "x"}}),
        "PersistentVolumeClaim/x, which is not there",
    ),
    "a volume mounted nowhere": (lambda d: pod(d)["volumes"].append({"name": "x", "emptyDir": {}}), "nowhere"),
    "a mount without a volume": (lambda d: container(d)["volumeMounts"][0].update(name="x"), "no volume of its pod"),
    "settings from nowhere": (lambda d: container(d)["envFrom"].append({"configMapRef": {"name": "x"}}), "ConfigMap/x"),
    "an open network": (drop_deny_all, "denies all traffic"),
}


def test_the_base_is_good() -> None:
    """What the cases below break is sound to begin with."""
    assert validate.problems(GOOD) == []


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_manifest_is_refused(case: str) -> None:
    """Each mutation is found, and the sentence says what it is."""
    mutate, expected = BROKEN[case]
    documents = copy.deepcopy(GOOD)
    mutate(documents)
    found = validate.problems(documents)
    assert any(expected in problem for problem in found), found


def test_the_command_fails_on_a_broken_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what is wrong and exits 1, for a document that does not validate and for one that cannot be built."""
    (tmp_path / "kustomization.yaml").write_text("resources: [service.yaml]\n")
    assert validate.main([str(tmp_path)]) == 1
    (tmp_path / "service.yaml").write_text("apiVersion: v1\nkind: Sevrice\nmetadata: {name: x}\n")
    assert validate.main([str(tmp_path)]) == 1
    assert "Sevrice" in capsys.readouterr().err


def test_a_deprecated_field_is_a_failure(tmp_path: Path) -> None:
    """What kustomize only warns about is refused as well."""
    (tmp_path / "kustomization.yaml").write_text("resources: [map.yaml]\ncommonLabels: {a: b}\n")
    (tmp_path / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    with pytest.raises(validate.BuildError, match="deprecated"):
        validate.build(tmp_path)
