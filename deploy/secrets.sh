#!/usr/bin/env bash
# Makes the secrets that compose.yaml wants as files: random passwords in secrets/, signers' keys in signers/. Keeps what is there.
set -euo pipefail
cd "$(dirname "$0")"
umask 077

# The folder keeps other users of this machine out; the files in it are readable, because the containers' users are not yours.
mkdir -p secrets signers signers/public models
test -s secrets/database-password || head -c 24 /dev/urandom | base64 | tr -d '\n/+=' >secrets/database-password
chmod 0444 secrets/database-password

# The gateway's one caller, on the channel `compose`.
test -s secrets/callers || printf 'compose %s\n' "$(head -c 24 /dev/urandom | base64 | tr -d '\n/+=')" >secrets/callers
chmod 0444 secrets/callers

# One publishes models, two others approve them; whoever they are keeps the private key, and only the public one goes into a container.
for signer in trainer ada bob; do
    test -s "signers/$signer.key" || openssl genpkey -algorithm ed25519 -out "signers/$signer.key"
    openssl pkey -in "signers/$signer.key" -pubout -out "signers/public/$signer.pem"
done
chmod 0755 signers/public models
chmod 0644 signers/public/*.pem
echo "secrets are in $(pwd)/secrets and $(pwd)/signers"
