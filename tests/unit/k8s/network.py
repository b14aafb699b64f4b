"""What network policies let through, inside one namespace: enough of the rules of networking.k8s.io/v1 for ours."""

from collections.abc import Mapping, Sequence
from typing import Any

from k8s import rules

NAMESPACE = {"kubernetes.io/metadata.name": "tallystick"}


def edges(documents: Sequence[rules.Document]) -> set[tuple[str, str]]:
    """Return who may open a connection to whom, workloads by name, on a port that the other one offers."""
    pods = {workload["metadata"]["name"]: workload["spec"]["template"] for workload in rules.workloads(documents)}
    policies = [document["spec"] for document in documents if document["kind"] == "NetworkPolicy"]
    return {
        (source, target)
        for source in pods
        for target in pods
        if source != target
        for port in _ports(pods[target])
        if _passes(policies, "Egress", pods[source], pods[target], port)
        and _passes(policies, "Ingress", pods[target], pods[source], port)
    }


def _ports(pod: Mapping[str, Any]) -> list[set[int | str]]:
    """Return the ports that a pod offers, each by number and by name."""
    return [
        {port["containerPort"], port["name"]} for container in pod["spec"]["containers"] for port in container.get("ports", ())
    ]


def _passes(
    policies: Sequence[Mapping[str, Any]], direction: str, pod: Mapping[str, Any], peer: Mapping[str, Any], port: set[int | str]
) -> bool:
    """Tell whether the policies of one side let it through: none that selects the pod, or one with a rule for it."""
    labels = pod["metadata"]["labels"]
    selecting = [p for p in policies if direction in p["policyTypes"] and _selects(p["podSelector"], labels)]
    rules_of = [rule for policy in selecting for rule in policy.get(direction.lower(), ())]
    side = "to" if direction == "Egress" else "from"
    return not selecting or any(
        any(_is_peer(candidate, peer["metadata"]["labels"]) for candidate in rule[side])
        and any(allowed["port"] in port for allowed in rule["ports"])
        for rule in rules_of
    )


def _is_peer(candidate: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    near = "namespaceSelector" not in candidate or _selects(candidate["namespaceSelector"], NAMESPACE)
    return near and _selects(candidate.get("podSelector", {}), labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    among = all(labels.get(term["key"]) in term["values"] for term in selector.get("matchExpressions", ()))
    return among and selector.get("matchLabels", {}).items() <= labels.items()
