#!/bin/sh
# Takes a model's file on standard input and puts it where scoring and audit look for it, whole or not at all:
#   kubectl -n tallystick exec -i deployment/models -- sh /run/receive.sh SHA256 < SHA256.json
set -eu
cd "${MODELS:-/var/lib/tallystick/models}"
part=$(mktemp ./receiving.XXXXXX)
trap 'rm -f "$part"' EXIT
cat >"$part"
digest=$(sha256sum "$part" | cut -d' ' -f1)
if [ "$digest" != "$1" ]; then
    echo "what came has the SHA-256 $digest, not $1: nothing was kept" >&2
    exit 1
fi
chmod 0644 "$part"
sync "$part"
mv "$part" "$digest.json"
echo "$digest.json is there"
