#!/bin/sh
# Takes a model's (or, said so, a list's) file on standard input and puts it where scoring and audit look for it, whole or not at all:
#   kubectl -n tallystick exec -i deployment/models -- sh /run/receive.sh SHA256 < SHA256.json
#   kubectl -n tallystick exec -i deployment/models -- sh /run/receive.sh SHA256 list < SHA256.list
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
case "${2:-model}" in list) kind=list ;; *) kind=json ;; esac
mv "$part" "$digest.$kind"
echo "$digest.$kind is there"
