"""The key from which those of lists are made, from Vault."""

import base64
from typing import Literal

import hvac

from tallystick.cli.approval import ApprovalError
from tallystick.runtime.settings import SecretFileError, VaultSettings, load, read_secret
from tallystick.runtime.vault import KV_MOUNT, VaultError, translated

_LOOKUP_PATH = "evidence/lookup"


class ListMakerSettings(VaultSettings):
    """A list maker's way to Vault: a token that may read `evidence/lookup`."""

    vault_auth: Literal["token"] = "token"


def read_lookup_key() -> bytes:
    """Return the lookup key, 32 bytes; the settings are those of `TALLYSTICK_VAULT_*`.

    Raises:
        ApprovalError: Vault refuses, does not answer, or has none.
    """
    settings = load(ListMakerSettings)
    verify = str(settings.vault_ca_file) if settings.vault_ca_file else True
    client = hvac.Client(url=settings.vault_addr, timeout=settings.vault_timeout_s, verify=verify)
    store = client.secrets.kv.v2
    try:
        client.token = read_secret(settings.vault_token_file) if settings.vault_token_file else None
        answer = translated(
            lambda: store.read_secret_version(path=_LOOKUP_PATH, mount_point=KV_MOUNT, raise_on_deleted_version=True)
        )
        return base64.b64decode(answer["data"]["data"]["key"], validate=True)
    except (VaultError, SecretFileError) as error:
        raise ApprovalError(f"Vault at {settings.vault_addr}: {error}") from error
    finally:
        client.adapter.close()
