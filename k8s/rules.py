"""What we ask of manifests beyond Kubernetes' schemas. Pure: documents in, sentences out.

Containers are locked down (CIS benchmark 5.2, Pod Security Standard "restricted"), images are pinned, and every name points at
something: a selector that matches no pod, a policy that protects nobody and a claim that nobody makes are mistakes that the
schemas let pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

WORKLOADS = {"Deployment", "StatefulSet", "Job"}
# Made by an operator before the first `apply`, from files of his own: nothing secret is in a repository.
OUTSIDE = {"Secret", "ConfigMap/signers"}


def problems(documents: Sequence[Document]) -> Iterator[str]:
    """Say everything that breaks a rule in one built kustomization."""
    yield from _duplicates(documents)
    for document in documents:
        if document["kind"] in WORKLOADS:
            yield from _pod_problems(document)
    yield from _selector_problems(documents)
    yield from _reference_problems(documents)
    yield from _network_problems(documents)


def name(document: Document) -> str:
    """Return how people call a document: `Deployment/scoring`."""
    return f"{document['kind']}/{document['metadata']['name']}"


def workloads(documents: Sequence[Document]) -> list[Document]:
    """Return the documents that run pods."""
    return [document for document in documents if document["kind"] in WORKLOADS]


def containers(workload: Document) -> list[Document]:
    """Return a workload's containers, those that initialise first."""
    pod = workload["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]


def environment(container: Document) -> dict[str, str | None]:
    """Return the variables that a container is given one by one; None for a value from elsewhere."""
    return {variable["name"]: variable.get("value") for variable in container.get("env", ())}


def _duplicates(documents: Sequence[Document]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for document in documents:
        key = (name(document), document["metadata"].get("namespace", ""))
        if key in seen:
            yield f"{name(document)}: is there twice"
        seen.add(key)


def _pod_problems(workload: Document) -> Iterator[str]:
    pod = workload["spec"]["template"]["spec"]
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True:
        yield f"{name(workload)}: its pod may run as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{name(workload)}: its pod has no seccomp profile"
    # Kubernetes would put a variable for every Service into the environment, and a service refuses names that it does not know.
    if pod.get("enableServiceLinks") is not False:
        yield f"{name(workload)}: its pod takes service links"
    if "automountServiceAccountToken" not in pod:
        yield f"{name(workload)}: does not say whether its pod needs a token of the cluster"
    for container in containers(workload):
        for problem in _container_problems(container):
            yield f"{name(workload)}: container {container['name']}: {problem}"
    for container in pod["containers"]:
        if workload["kind"] != "Job" and not {"livenessProbe", "readinessProbe"} <= set(container):
            yield f"{name(workload)}: container {container['name']}: needs a liveness and a readiness probe"


def _container_problems(container: Document) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root file system"
    if security.get("capabilities", {}).get("drop") != ["ALL"] or security["capabilities"].get("add"):
        yield "keeps capabilities"
    resources = container.get("resources", {})
    if {"cpu", "memory"} - set(resources.get("requests", ())) or "memory" not in resources.get("limits", ()):
        yield "needs requests for cpu and memory, and a limit for memory"
    _, _, tag = container["image"].rpartition("/")[2].partition(":")
    if tag in {"", "latest"}:
        yield f"image {container['image']} is not pinned"


def _selector_problems(documents: Sequence[Document]) -> Iterator[str]:
    pods = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads(documents)]
    for document in documents:
        for selector in _selectors(document):
            if not any(selector.items() <= labels.items() for labels in pods):
                yield f"{name(document)}: selects no pod by {dict(selector)}"


def _selectors(document: Document) -> list[Mapping[str, str]]:
    """Return the labels by which a document chooses pods of its own namespace."""
    spec = document.get("spec", {})
    match document["kind"]:
        case "Service":
            return [spec["selector"]]
        case "PodDisruptionBudget":
            return [spec["selector"]["matchLabels"]]
        case "NetworkPolicy":
            rules = [*spec.get("ingress", ()), *spec.get("egress", ())]
            peers = [peer for rule in rules for peer in (*rule.get("from", ()), *rule.get("to", ()))]
            near = [peer["podSelector"] for peer in peers if "podSelector" in peer and "namespaceSelector" not in peer]
            return [selector.get("matchLabels", {}) for selector in [spec["podSelector"], *near]]
        case _:
            return []


def _reference_problems(documents: Sequence[Document]) -> Iterator[str]:
    present = {name(document) for document in documents}
    for workload in workloads(documents):
        for reference in sorted(set(_references(workload)) - present - OUTSIDE):
            if reference.partition("/")[0] not in OUTSIDE:
                yield f"{name(workload)}: names {reference}, which is not there"
        yield from _mount_problems(workload)


def _references(workload: Document) -> Iterator[str]:
    """Give what must exist before a workload's pods can start."""
    for volume in workload["spec"]["template"]["spec"].get("volumes", ()):
        match volume:
            case {"persistentVolumeClaim": {"claimName": claim}}:
                yield f"PersistentVolumeClaim/{claim}"
            case {"configMap": {"optional": True}} | {"secret": {"optional": True}}:
                pass
            case {"configMap": {"name": config}}:
                yield f"ConfigMap/{config}"
            case {"secret": {"secretName": secret}}:
                yield f"Secret/{secret}"
    for container in containers(workload):
        for source in container.get("envFrom", ()):
            kind, key = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
            yield f"{kind}/{source[key]['name']}"


def _mount_problems(workload: Document) -> Iterator[str]:
    spec = workload["spec"]
    volumes = {volume["name"] for volume in spec["template"]["spec"].get("volumes", ())}
    volumes |= {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())}
    mounted = {mount["name"] for container in containers(workload) for mount in container.get("volumeMounts", ())}
    for volume in sorted(mounted - volumes):
        yield f"{name(workload)}: mounts {volume}, which is no volume of its pod"
    for volume in sorted(volumes - mounted):
        yield f"{name(workload)}: mounts its volume {volume} nowhere"


def _network_problems(documents: Sequence[Document]) -> Iterator[str]:
    policies = [document["spec"] for document in documents if document["kind"] == "NetworkPolicy"]
    closed = any(spec["podSelector"] == {} and set(spec["policyTypes"]) == {"Ingress", "Egress"} for spec in policies)
    if workloads(documents) and not closed:
        yield "no NetworkPolicy denies all traffic by default"
