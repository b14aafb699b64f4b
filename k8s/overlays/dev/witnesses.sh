#!/usr/bin/env bash
# Introduces the dev overlay's witnesses and the bank to each other, after `kubectl apply -k k8s/overlays/dev`: `provision`, which has
# waited for it, is told the witnesses' verifier keys, and they are told the logs. May be run again.
set -euo pipefail
kubectl() { command kubectl -n tallystick "$@"; }

known=()
for number in 0 1 2; do
    until key=$(kubectl logs "witness-$number" -c key --tail=1 2>/dev/null) && [[ $key == tallystick.example/dev/* ]]; do sleep 2; done
    known+=("--from-literal=witness-$number=$key http://witness-$number.witness:8080")
done
kubectl create configmap witnesses "${known[@]}" --dry-run=client -o yaml | kubectl apply -f -

kubectl wait --for=condition=complete job/provision --timeout=10m
kubectl rollout status deployment/audit --timeout=10m
logs=$(kubectl exec deployment/audit -c audit -- grep '^log ' /run/tallystick/trust-policy/log.policy)
kubectl create configmap witness-logs --from-literal=logs="$logs" --dry-run=client -o yaml | kubectl apply -f -
