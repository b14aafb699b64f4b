#!/usr/bin/env bash
# Makes what the dev overlay wants to find: the namespace, random passwords as Secrets, and signers' public keys as a ConfigMap. The
# signers' private keys stay in the folder named (default: signers), for whoever publishes and approves models. Keeps what is there.
set -euo pipefail
keys=${1:-signers}
umask 077

kubectl get namespace tallystick >/dev/null 2>&1 || kubectl create namespace tallystick

random() { head -c 24 /dev/urandom | base64 | tr -d '\n/+='; }

secret() { # NAME KEY...: a Secret with a random value under each key
    local name=$1 folder key
    shift
    kubectl -n tallystick get secret "$name" >/dev/null 2>&1 && return
    folder=$(mktemp -d) # a file's content, unlike an argument, is not in the list of processes
    for key in "$@"; do random >"$folder/$key"; done
    kubectl -n tallystick create secret generic "$name" --from-file="$folder"
    rm -r "$folder"
}

secret provision vault-token database-password
# The gateway's one caller, on the channel `dev`.
if ! kubectl -n tallystick get secret gateway-callers >/dev/null 2>&1; then
    callers=$(mktemp -d)
    printf 'dev %s\n' "$(random)" >"$callers/callers"
    kubectl -n tallystick create secret generic gateway-callers --from-file="$callers"
    rm -r "$callers"
fi

mkdir -p "$keys/public"
for signer in trainer ada bob; do
    test -s "$keys/$signer.key" || openssl genpkey -algorithm ed25519 -out "$keys/$signer.key"
    openssl pkey -in "$keys/$signer.key" -pubout -out "$keys/public/$signer.pem"
done
kubectl -n tallystick create configmap signers --from-file="$keys/public" --dry-run=client -o yaml | kubectl apply -f -
