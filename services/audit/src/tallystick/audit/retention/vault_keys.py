"""What `tallystick-retention` asks of Vault: versions of transit keys, and chain keys in the KV store. It reads no key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import hvac
from hvac import exceptions as hvac_errors

from tallystick.runtime.vault import KV_MOUNT, Vault

CHUNK = 400
_CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """A transit key: when each version that there still is was made (seconds since 1970), and the oldest that may be used."""

    made_s: Mapping[int, float]
    floor: int

    @property
    def newest(self) -> int:
        """Return the version that wraps what is wrapped now."""
        return max(self.made_s)

    def due_floor(self, now_s: float, age_s: float) -> int:
        """Return the newest version that is `age_s` old: whatever is younger than that is not under an older one."""
        return max((version for version, made_s in self.made_s.items() if made_s <= now_s - age_s), default=self.floor)


@dataclass(frozen=True, slots=True)
class ChainKey:
    """A chain key's place in the KV store, when it was made, and whether it was destroyed."""

    topic: str
    partition: int
    epoch: int
    made_s: float
    destroyed: bool

    @property
    def path(self) -> str:
        """Return where it is."""
        return f"{_CHAIN}/{self.topic}/{self.partition}/{self.epoch}"


class VaultKeys:
    """Keys in Vault, by name; all methods raise VaultError."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def wrapping_key(self, name: str) -> WrappingKey:
        """Return a transit key's versions."""
        data = (await self._vault.call(lambda client: client.secrets.transit.read_key(name=name)))["data"]
        made_s = {int(version): float(made) for version, made in data["keys"].items()}
        floor = max(1, int(data["min_decryption_version"]))
        return WrappingKey({version: made for version, made in made_s.items() if version >= floor}, floor)

    async def rotate(self, name: str) -> None:
        """Make a new version."""
        await self._vault.call(lambda client: client.secrets.transit.rotate_key(name=name))

    async def rewrap(self, name: str, ciphertexts: Sequence[str]) -> list[str]:
        """Return ciphertexts (up to `CHUNK`) anew, under the newest version, without opening them to anybody."""
        items = [{"ciphertext": ciphertext} for ciphertext in ciphertexts]
        answer = await self._vault.call(
            lambda client: client.adapter.post(f"/v1/transit/rewrap/{name}", json={"batch_input": items})
        )
        return [result["ciphertext"] for result in answer["data"]["batch_results"]]

    async def raise_floor(self, name: str, version: int) -> None:
        """Forbid all versions before this one, then destroy them; may be repeated."""
        floors = {"min_decryption_version": version, "min_encryption_version": version}
        await self._vault.call(lambda client: client.adapter.post(f"/v1/transit/keys/{name}/config", json=floors))
        oldest = {"min_available_version": version}
        await self._vault.call(lambda client: client.adapter.post(f"/v1/transit/keys/{name}/trim", json=oldest))

    async def chain_keys(self) -> list[ChainKey]:
        """Return all chain keys, destroyed ones too, those of a partition in the order of their epochs."""
        return await self._vault.call(lambda client: list(_chain_keys(client)))

    async def destroy(self, key: ChainKey) -> None:
        """Destroy a chain key; what is left says that there was one, so that no other is made in its place."""
        body = {"versions": [1]}
        await self._vault.call(lambda client: client.adapter.post(f"/v1/{KV_MOUNT}/destroy/{key.path}", json=body))


def _chain_keys(client: hvac.Client) -> Iterator[ChainKey]:
    for topic in _listed(client, _CHAIN):
        for partition in sorted(map(int, _listed(client, f"{_CHAIN}/{topic}"))):
            for epoch in sorted(map(int, _listed(client, f"{_CHAIN}/{topic}/{partition}"))):
                path = f"{_CHAIN}/{topic}/{partition}/{epoch}"
                said = client.secrets.kv.v2.read_secret_metadata(path=path, mount_point=KV_MOUNT)["data"]["versions"]["1"]
                made_s = datetime.fromisoformat(said["created_time"]).timestamp()
                yield ChainKey(topic, partition, epoch, made_s, said["destroyed"])


def _listed(client: hvac.Client, path: str) -> list[str]:
    try:
        answer: dict[str, Any] = client.secrets.kv.v2.list_secrets(path=path, mount_point=KV_MOUNT)
    except hvac_errors.InvalidPath:
        return []
    return [name.rstrip("/") for name in answer["data"]["keys"]]
