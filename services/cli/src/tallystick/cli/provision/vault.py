"""Vault's part: transit keys, the key-value store, and one AppRole a service with nothing more than it needs."""

import base64
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import hvac
from hvac import exceptions as hvac_errors

from tallystick.cli.provision.errors import ProvisionError
from tallystick.cli.provision.files import write_secret

CLOCK_KEY = "notary-clock"
CUSTOMER_KEYS = "customer-keys"
SNAPSHOT_KEYS = "snapshot-keys"
LOOKUP_PATH = "evidence/lookup"
_TRANSIT, _KV = "transit", "secret"
_TOKEN = {"token_ttl": "1h", "token_max_ttl": "4h"}

Rules = Mapping[str, tuple[str, ...]]
SERVICES = ("scoring", "notary", "audit", "retention")
SEALER = "sealer"
"""The role of those who seal the input. Nobody of the operator's: from its Vault they get the chain keys, and nothing else."""
_WRAPPING_KEYS = (CUSTOMER_KEYS, SNAPSHOT_KEYS)
_FLOORS = ("min_decryption_version", "min_encryption_version")


def log_key(name: str) -> str:
    """Return the name of a log's transit key; `name` is the end of its origin."""
    return f"notary-{name}"


def receipt_key(name: str) -> str:
    """Return the name of the transit key that signs a log's heads for COSE receipts."""
    return f"notary-receipts-{name}"


def policies(signing_keys: Iterable[str]) -> Mapping[str, Rules]:
    """Return what each service may do. `create` without `update`: a chain key is made once and never replaced.

    `retention` rotates wrapping keys, re-wraps what is under them and destroys chain keys, and can read none of all that.
    """
    signing = {f"{_TRANSIT}/sign/{key}": ("update",) for key in signing_keys}
    return {
        "scoring": {f"{_TRANSIT}/{do}/{key}": ("update",) for do in ("encrypt", "decrypt") for key in _WRAPPING_KEYS}
        | {
            f"{_KV}/data/chain/*": ("create", "read"),
            f"{_KV}/data/{LOOKUP_PATH}": ("read",),
        },
        "notary": signing | {f"{_TRANSIT}/keys/{key}": ("read",) for key in signing_keys},
        "audit": {
            f"{_TRANSIT}/decrypt/{CUSTOMER_KEYS}": ("update",),
            f"{_KV}/data/{LOOKUP_PATH}": ("read",),
        },
        SEALER: {f"{_KV}/data/chain/*": ("create", "read")},
        "retention": {f"{_TRANSIT}/keys/{key}": ("read",) for key in _WRAPPING_KEYS}
        | {f"{_TRANSIT}/keys/{key}/{do}": ("update",) for key in _WRAPPING_KEYS for do in ("rotate", "trim", "config")}
        | {
            f"{_TRANSIT}/rewrap/{CUSTOMER_KEYS}": ("update",),
            f"{_KV}/metadata/chain/*": ("list", "read"),
            f"{_KV}/destroy/chain/*": ("update",),
        },
    }


def role_id(service: str) -> str:
    """Return a service's AppRole role id: a name, fixed so that deployments can state it; the secret id is the secret."""
    return f"tallystick-{service}"


def provision_vault(client: hvac.Client, output: Path, logs: Iterable[str], *, clock: bool) -> dict[str, bytes]:
    """Set Vault up and return the public keys of the signing keys, 32 bytes each, by key name; `logs` are the logs' names.

    Without `clock`, the key that tells the time is not made, and nobody may use one that is there. Secret ids go to
    `<output>/<service>.secret-id`; one that Vault still accepts is kept. Blocking.

    Raises:
        ProvisionError: A mount or key exists with other properties.
        hvac.exceptions.VaultError, requests.RequestException: Vault refuses, or does not answer.
    """
    _enable_engines(client)
    names = list(logs)
    signing_keys = [*map(log_key, names), *map(receipt_key, names), *([CLOCK_KEY] if clock else [])]
    wrapping_keys = dict.fromkeys(_WRAPPING_KEYS, "aes256-gcm96")
    for name, kind in (dict.fromkeys(signing_keys, "ed25519") | wrapping_keys).items():
        _ensure_key(client, name, kind)
    _ensure_lookup_key(client)
    for service, rules in policies(signing_keys).items():
        client.sys.create_or_update_policy(name=_policy_name(service), policy=_policy_text(rules))
        _ensure_role(client, service, output / f"{service}.secret-id")
    return {name: _public_key(client, name) for name in signing_keys}


def _enable_engines(client: hvac.Client) -> None:
    mounted = client.sys.list_mounted_secrets_engines()["data"]
    if f"{_TRANSIT}/" not in mounted:
        client.sys.enable_secrets_engine("transit", path=_TRANSIT)
    if f"{_KV}/" not in mounted:
        client.sys.enable_secrets_engine("kv", path=_KV, options={"version": "2"})
    elif (mounted[f"{_KV}/"].get("options") or {}).get("version") != "2":
        raise ProvisionError(
            f"Vault's mount {_KV}/ is not a key-value store of version 2: upgrade it (`bao kv enable-versioning`)"
        )
    if "approle/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("approle")


def _ensure_key(client: hvac.Client, name: str, kind: str) -> None:
    key = _read_key(client, name)
    if key is None:
        client.secrets.transit.create_key(name=name, key_type=kind, exportable=False, allow_plaintext_backup=False)
    elif key["type"] != kind or key["exportable"] or key["allow_plaintext_backup"]:
        exportable = "exportable" if key["exportable"] or key["allow_plaintext_backup"] else "not exportable"
        raise ProvisionError(
            f"Vault's transit key {name} is {key['type']} and {exportable}; it must be {kind} and not exportable."
            " A key that could have left Vault cannot be made good: delete it, and start logs under a new origin"
        )


def _read_key(client: hvac.Client, name: str) -> dict[str, Any] | None:
    try:
        key: dict[str, Any] = client.secrets.transit.read_key(name=name)["data"]
    except hvac_errors.InvalidPath:
        return None
    return key


def _public_key(client: hvac.Client, name: str) -> bytes:
    """Return the public key of the oldest version: the one that the log began with; later ones, the governance log adds."""
    key = _read_key(client, name)
    versions = {int(version): made for version, made in key["keys"].items()} if key else {}
    if not versions or (name == CLOCK_KEY and len(versions) > 1):
        raise ProvisionError(f"Vault's transit key {name} was rotated, and trust policies name its first version: restore that")
    return base64.b64decode(versions[min(versions)]["public_key"], validate=True)


def _ensure_lookup_key(client: hvac.Client) -> None:
    value = {"key": base64.b64encode(secrets.token_bytes(32)).decode()}
    try:
        client.secrets.kv.v2.read_secret_version(path=LOOKUP_PATH, mount_point=_KV, raise_on_deleted_version=True)
    except hvac_errors.InvalidPath:
        client.secrets.kv.v2.create_or_update_secret(path=LOOKUP_PATH, secret=value, cas=0, mount_point=_KV)


def _policy_name(service: str) -> str:
    return f"tallystick-{service}"


def _policy_text(rules: Rules) -> str:
    """Return a policy in Vault's language (HCL).

    Of a key's configuration nothing but its oldest versions may be set: the rest would let the key itself out.
    """
    floors = " allowed_parameters = {" + ", ".join(f'"{name}" = []' for name in _FLOORS) + "}"
    blocks = (
        f'path "{path}" {{ capabilities = [{", ".join(f"{chr(34)}{can}{chr(34)}" for can in cans)}]'
        f"{floors if path.endswith('/config') else ''} }}"
        for path, cans in rules.items()
    )
    return "\n".join(blocks) + "\n"


def _ensure_role(client: hvac.Client, service: str, secret_id_file: Path) -> None:
    name = role_id(service)
    client.auth.approle.create_or_update_approle(
        role_name=name, token_policies=[_policy_name(service)], bind_secret_id=True, **_TOKEN
    )
    if client.auth.approle.read_role_id(role_name=name)["data"]["role_id"] != name:
        client.auth.approle.update_role_id(role_name=name, role_id=name)
    if not _accepted(client, name, secret_id_file):
        made = client.auth.approle.generate_secret_id(role_name=name)
        write_secret(secret_id_file, made["data"]["secret_id"])


def _accepted(client: hvac.Client, role_name: str, secret_id_file: Path) -> bool:
    if not secret_id_file.exists():
        return False
    try:
        found = client.auth.approle.read_secret_id(role_name=role_name, secret_id=secret_id_file.read_text().strip())
    except hvac_errors.VaultError:
        return False
    # Vault answers an unknown secret id with 204 and no body.
    return isinstance(found, dict)
