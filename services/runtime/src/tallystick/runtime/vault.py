"""Vault (or OpenBao) for services: signatures, wrapping of keys and create-once secrets, over hvac in threads.

Two kinds of failure: `VaultUnavailableError` (unreachable, sealed, overloaded: try again) and `VaultRefusedError` (no such
key, not allowed, malformed: trying again does not help). A token is renewed by logging in anew, before it expires or when it
is refused.
"""

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import hvac
import requests
from hvac import exceptions as hvac_errors

from tallystick.runtime.settings import VaultSettings, read_secret

T = TypeVar("T")
CHUNK = 400  # batch items in one request: OpenBao refuses more than 1,000 JSON strings unless told otherwise
KV_MOUNT = "secret"
_SIGNATURE_BYTES = 64
_PUBLIC_KEY_BYTES = 32
_log = logging.getLogger(__name__)

_UNAVAILABLE = (
    hvac_errors.VaultDown,
    hvac_errors.VaultNotInitialized,
    hvac_errors.InternalServerError,
    hvac_errors.BadGateway,
    hvac_errors.RateLimitExceeded,
    hvac_errors.PreconditionFailed,
    requests.exceptions.RequestException,
)


class VaultError(Exception):
    """Something that Vault did not do for us."""


class VaultUnavailableError(VaultError):
    """Vault is unreachable, sealed or overloaded: try again."""


class VaultRefusedError(VaultError):
    """Vault refused: no such key, not allowed, or malformed. Trying again does not help."""


class Vault:
    """A session with Vault; made without contacting it, logs in at the first call."""

    def __init__(self, settings: VaultSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._login_lock = asyncio.Lock()
        self._renew_at: float | None = None  # None: not logged in
        verify = str(settings.vault_ca_file) if settings.vault_ca_file else True
        self._client = hvac.Client(url=settings.vault_addr, timeout=settings.vault_timeout_s, verify=verify)

    async def sign(self, key: str, message: bytes, version: int | None = None) -> bytes:
        """Return the 64-byte Ed25519 signature of `message` by the transit key `key`, the latest version if none is given."""
        response = await self._call(
            lambda: self._client.secrets.transit.sign_data(name=key, hash_input=_b64(message), key_version=version)
        )
        return _sized(response["data"]["signature"].rpartition(":")[2], _SIGNATURE_BYTES, f"signature by {key}")

    async def public_keys(self, key: str) -> dict[int, bytes]:
        """Return the 32-byte Ed25519 public key of each version of the transit key `key`, oldest first."""
        response = await self._call(lambda: self._client.secrets.transit.read_key(name=key))
        if response["data"]["type"] != "ed25519":
            raise VaultRefusedError(f"the transit key {key} is {response['data']['type']}, not ed25519")
        versions = sorted((int(version), made["public_key"]) for version, made in response["data"]["keys"].items())
        return {version: _sized(text, _PUBLIC_KEY_BYTES, f"public key of {key}") for version, text in versions}

    async def public_key(self, key: str) -> bytes:
        """Return the 32-byte Ed25519 public key of the latest version of the transit key `key`."""
        versions = await self.public_keys(key)
        return versions[max(versions)]

    async def encrypt(self, key: str, plaintexts: Sequence[bytes]) -> list[str]:
        """Wrap each plaintext under the newest version of the transit key `key`; see `version_of`."""
        items = [{"plaintext": _b64(plaintext)} for plaintext in plaintexts]
        return [result["ciphertext"] for result in await self._batch("encrypt", key, items)]

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        """Unwrap what `encrypt` returned, in order; one that does not open fails the whole call with VaultRefusedError."""
        items = [{"ciphertext": ciphertext} for ciphertext in ciphertexts]
        return [base64.b64decode(result["plaintext"]) for result in await self._batch("decrypt", key, items)]

    async def kv_read(self, path: str) -> dict[str, Any] | None:
        """Return the secret at `path` of the mount `secret`, or None if there is none (or it was deleted)."""

        def read() -> dict[str, Any] | None:
            try:
                response = self._client.secrets.kv.v2.read_secret_version(
                    path=path, mount_point=KV_MOUNT, raise_on_deleted_version=True
                )
            except hvac_errors.InvalidPath:
                return None
            data: dict[str, Any] = response["data"]["data"]
            return data

        return await self._call(read)

    async def kv_create(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        """Create the secret at `path` unless it exists, and return the one that is there: of several creators, one wins.

        Raises VaultRefusedError if it existed and was destroyed.
        """
        if (existing := await self.kv_read(path)) is not None:
            return existing
        try:
            await self._call(
                lambda: self._client.secrets.kv.v2.create_or_update_secret(path=path, secret=value, cas=0, mount_point=KV_MOUNT)
            )
        except VaultRefusedError:
            # Another creator was first: told as a failed check-and-set, or as forbidden to those who may create but not update.
            if (winner := await self.kv_read(path)) is not None:
                return winner
            raise
        return value

    async def call(self, request: Callable[[hvac.Client], T]) -> T:
        """Return what `request` makes of the client, in a thread, logged in; for what only one service asks of Vault."""
        return await self._call(lambda: request(self._client))

    async def ping(self) -> None:
        """Log in if needed and look up the own token: raises if Vault does not answer or refuses us."""
        await self._call(self._client.auth.token.lookup_self)

    def close(self) -> None:
        """Close the connections; the token is left to expire."""
        self._client.adapter.close()

    async def _batch(self, operation: str, key: str, items: list[dict[str, str]]) -> list[dict[str, str]]:
        results: list[dict[str, str]] = []
        for start in range(0, len(items), CHUNK):
            results += await self._call(partial(self._post_batch, operation, key, items[start : start + CHUNK]))
        return results

    def _post_batch(self, operation: str, key: str, chunk: list[dict[str, str]]) -> list[dict[str, str]]:
        response = self._client.adapter.post(f"/v1/transit/{operation}/{key}", json={"batch_input": chunk})
        results: list[dict[str, str]] = response["data"]["batch_results"]
        failed = next((result["error"] for result in results if result.get("error")), None)
        if failed is not None or len(results) != len(chunk):
            raise VaultRefusedError(f"transit {operation} with {key}: {failed or 'the answer has another length'}")
        return results

    async def _call(self, request: Callable[[], T]) -> T:
        await self._log_in_if_due()
        token = self._client.token
        try:
            return await asyncio.to_thread(translated, request)
        except VaultRefusedError as error:
            if not isinstance(error.__cause__, hvac_errors.Forbidden | hvac_errors.Unauthorized):
                raise
        # Refused: perhaps only our token is (revoked, or Vault was restored), so once more with a new one.
        await self._log_in(instead_of=token)
        return await asyncio.to_thread(translated, request)

    async def _log_in_if_due(self) -> None:
        if self._renew_at is None or self._monotonic() >= self._renew_at:
            await self._log_in(instead_of=self._client.token)

    async def _log_in(self, instead_of: str | None) -> None:
        async with self._login_lock:
            if self._renew_at is not None and self._client.token != instead_of:
                return  # another task was first
            started = self._monotonic()
            lease_s = await asyncio.to_thread(translated, self._request_token)
            self._renew_at = started + lease_s * 2 / 3 if lease_s else float("inf")

    def _request_token(self) -> float:
        """Set the client's token; return its lifetime in seconds, 0 if it does not expire or is not ours to renew."""
        settings = self._settings
        if settings.vault_auth == "token":
            self._client.token = read_secret(_given(settings.vault_token_file))
            return 0
        # A login with the old token attached fails with it.
        if settings.vault_auth == "approle":
            secret_id = read_secret(_given(settings.vault_secret_id_file))
            response = self._client.auth.approle.login(role_id=settings.vault_role_id, secret_id=secret_id, use_token=False)
        else:
            jwt = read_secret(settings.vault_kubernetes_token_file)
            response = self._client.auth.kubernetes.login(role=settings.vault_kubernetes_role, jwt=jwt, use_token=False)
        self._client.token = response["auth"]["client_token"]
        _log.info("logged in to Vault", extra={"auth": settings.vault_auth, "lease_s": response["auth"]["lease_duration"]})
        return float(response["auth"]["lease_duration"])


def version_of(ciphertext: str) -> int:
    """Return the version of its transit key that a ciphertext (`vault:v<version>:<base64>`) is under."""
    _, version, _ = ciphertext.split(":", 2)
    return int(version.removeprefix("v"))


def translated(request: Callable[[], T]) -> T:
    """Return `request()`, with what hvac and requests raise turned into VaultUnavailableError or VaultRefusedError."""
    try:
        return request()
    except _UNAVAILABLE as error:
        raise VaultUnavailableError(_reason(error)) from error
    except hvac_errors.UnexpectedError as error:  # a status that hvac has no name for, 504 for one
        raise VaultUnavailableError(_reason(error)) from error
    except hvac_errors.VaultError as error:
        raise VaultRefusedError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Say what happened without the request's body, which may hold secrets."""
    if isinstance(error, hvac_errors.VaultError):
        said = [str(line).removeprefix("1 error occurred:").strip(" \t\n*") for line in _said(error)]
        return f"{'; '.join(said) or type(error).__name__} ({(error.method or '').upper()} {error.url})"
    request = getattr(error, "request", None)
    where = f" at {request.url}" if request is not None else ""
    if isinstance(error, requests.exceptions.Timeout):
        return f"no answer in time{where}"
    return f"cannot connect{where} ({type(error).__name__})"


def _said(error: hvac_errors.VaultError) -> list[str]:
    """Return what Vault said: its errors, or those of a batch's items."""
    body = error.json if isinstance(error.json, dict) else {}
    results = (body.get("data") or {}).get("batch_results") or []
    return list(error.errors or dict.fromkeys(result["error"] for result in results if result.get("error")))


def _given(value: T | None) -> T:
    if value is None:
        raise VaultRefusedError("the settings name no credential for this kind of login")
    return value


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _sized(text: str, size: int, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise VaultRefusedError(f"Vault's {what} is not base64") from error
    if len(data) != size:
        raise VaultRefusedError(f"Vault's {what} has {len(data)} bytes, not {size}")
    return data
