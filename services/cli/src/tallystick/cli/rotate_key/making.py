"""Having Vault make a further version of a log's key."""

from collections.abc import Collection
from typing import Literal

import hvac

from tallystick.cli.approval import ApprovalError
from tallystick.merkle.encoding import decode_base64
from tallystick.runtime.settings import SecretFileError, VaultSettings, read_secret
from tallystick.runtime.vault import VaultError, translated


class OperatorSettings(VaultSettings):
    """An operator's way to Vault: a token that may rotate transit keys."""

    vault_auth: Literal["token"] = "token"


def make_version(settings: OperatorSettings, name: str, known: Collection[bytes]) -> bytes:
    """Return the public key of the newest version of the transit key `name`, made now unless one waits to be logged.

    Args:
        settings: where Vault is.
        name: such as `notary-governance`.
        known: the public keys that the log has, or had.

    Raises:
        ApprovalError: Vault refuses or does not answer.
    """
    verify = str(settings.vault_ca_file) if settings.vault_ca_file else True
    client = hvac.Client(url=settings.vault_addr, timeout=settings.vault_timeout_s, verify=verify)
    transit = client.secrets.transit
    try:
        client.token = read_secret(settings.vault_token_file) if settings.vault_token_file else None
        newest = _newest(translated(lambda: transit.read_key(name=name)))
        if newest in known:
            translated(lambda: transit.rotate_key(name=name))
            newest = _newest(translated(lambda: transit.read_key(name=name)))
        return newest
    except (VaultError, SecretFileError) as error:
        raise ApprovalError(f"Vault at {settings.vault_addr}: {error}") from error
    finally:
        client.adapter.close()


def _newest(answer: dict[str, dict[str, dict[str, dict[str, str]]]]) -> bytes:
    versions = answer["data"]["keys"]
    return decode_base64(versions[max(versions, key=int)]["public_key"])
