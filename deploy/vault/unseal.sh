#!/bin/sh
# Initialises OpenBao once, and unseals it at every start. One unseal key, kept in a volume beside it: enough for trying, not for
# production, where a KMS unseals or people do.
set -eu
umask 077
cd "${KEYS:-/keys}"

# `bao status` exits with 1 while nobody answers and 2 while sealed.
until bao status >/dev/null 2>&1 || [ $? -eq 2 ]; do sleep 1; done

if ! bao operator init -status >/dev/null 2>&1; then
    bao operator init -key-shares=1 -key-threshold=1 -format=json | tr -d '\n\t ' >init.json.new
    sed 's/.*"unseal_keys_b64":\["\([^"]*\)".*/\1/' init.json.new | tr -d '\n' >unseal-key
    sed 's/.*"root_token":"\([^"]*\)".*/\1/' init.json.new | tr -d '\n' >root-token
    rm init.json.new
    # For `provision`, which is not root; as root this container keeps no capability but this one.
    [ "$(id -u)" -ne 0 ] || chown "$PROVISION_UID" root-token
fi
# From a file: an argument would be in the list of processes.
bao write sys/unseal key=@unseal-key >/dev/null
until bao status >/dev/null 2>&1; do sleep 1; done
echo "OpenBao is unsealed"
