#!/bin/sh
# Beside OpenBao: initialises it once, unseals it whenever it has been started, and makes the administrator's token that the Secret
# `provision` holds. One unseal key, in a volume beside the data: enough for trying, not for production, where a KMS unseals or people do.
set -eu
umask 077
cd "${KEYS:-/keys}"
token=${TOKEN_FILE:-/run/admin/vault-token}

# `bao status` exits with 0 while it serves, 1 while nobody answers, 2 while sealed.
status() { bao status >/dev/null 2>&1 || return $?; }

initialise() {
    bao operator init -key-shares=1 -key-threshold=1 -format=json | tr -d '\n\t ' >init.json.new
    sed 's/.*"unseal_keys_b64":\["\([^"]*\)".*/\1/' init.json.new | tr -d '\n' >unseal-key
    sed 's/.*"root_token":"\([^"]*\)".*/\1/' init.json.new | tr -d '\n' >root-token
    rm init.json.new
}

# From files: an argument would be in the list of processes.
make_token() {
    BAO_TOKEN=$(cat "$token") bao token lookup >/dev/null 2>&1 && return
    BAO_TOKEN=$(cat root-token) bao write auth/token/create "id=@$token" policies=root no_parent=true >/dev/null
    echo "the administrator's token is made"
}

while :; do
    code=0
    status || code=$?
    if [ "$code" -eq 2 ]; then
        bao operator init -status >/dev/null 2>&1 || initialise
        bao write sys/unseal key=@unseal-key >/dev/null && echo "OpenBao is unsealed"
    elif [ "$code" -eq 0 ] && [ ! -e token-made ]; then
        make_token && touch token-made
    fi
    sleep 1
done
