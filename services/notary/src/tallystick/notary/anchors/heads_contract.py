"""The contract as our side sees it: calls encoded, answers decoded, on one pinned chain at one pinned address.

Its source is `contract/heads.vy` in the repository; `heads.json` beside this module is what the compiler made of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode, encode
from eth_hash.auto import keccak

from tallystick.notary.anchors.chain import Node, understanding
from tallystick.notary.anchors.errors import AnchoringError
from tallystick.trust.anchors.evm import ANCHORED, origin_digest
from tallystick.trust.anchors.pins import Contract

LOOK_BACK_BLOCKS = 5_000
_NOBODY = bytes(20)


@dataclass(frozen=True, slots=True)
class OnChain:
    """What the contract holds of a log: whose it is (20 bytes, None if nobody's), and its head, size 0 before the first."""

    owner: bytes | None
    size: int
    root: bytes


def bytecode() -> bytes:
    """Return the code that makes the contract; it takes no arguments."""
    compiled = json.loads(files(__package__).joinpath("heads.json").read_bytes())
    return bytes.fromhex(str(compiled["bytecode"]).removeprefix("0x"))


def encode_claim(origin: str) -> bytes:
    """Return the call that claims a log."""
    return _call("claim(string)", ["string"], [origin])


def encode_anchor(heads: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Return the call that posts heads: origin, size, root."""
    values = [(origin_digest(origin), size, root) for origin, size, root in heads]
    return _call("anchor((bytes32,uint64,bytes32)[])", ["(bytes32,uint64,bytes32)[]"], [values])


class HeadsContract:
    """The contract, read through a node."""

    def __init__(self, node: Node, pin: Contract) -> None:
        self.node, self.pin = node, pin

    async def check(self) -> None:
        """See that this is the pinned chain, and that a contract is at the pinned address.

        Raises:
            AnchoringError: it is not so.
        """
        chain_id = await self.node.quantity("eth_chainId")
        if chain_id != self.pin.chain_id:
            raise AnchoringError(
                f"{self.pin.name}: the node is of chain {chain_id}, and the trust policy pins {self.pin.chain_id}: "
                "another node is needed"
            )
        if await self.node.ask("eth_getCode", self.pin.hex_address, "latest") in ("0x", None):
            raise AnchoringError(
                f"{self.pin.name}: there is no contract at {self.pin.hex_address} on chain {chain_id}: deploy it with "
                "tallystick-anchor --deploy, and pin its address"
            )

    async def read(self, origin: str, at: str = "latest") -> OnChain:
        """Return what the contract holds of a log, at a block's number in hex or a tag."""
        digest = origin_digest(origin)
        with understanding(self.pin.name):
            (owner,) = decode(["bytes32"], await self._view("owner(bytes32)", digest, at))
            size, root = decode(["uint64", "bytes32"], await self._view("head(bytes32)", digest, at))
        return OnChain(None if owner[12:] == _NOBODY else owner[12:], size, root)

    async def find(self, origin: str, size: int) -> str | None:
        """Return the hash of the transaction that posted a head in the last blocks, None if there is none."""
        newest = await self.node.quantity("eth_blockNumber")
        found = await self.node.ask(
            "eth_getLogs",
            {
                "address": self.pin.hex_address,
                "fromBlock": hex(max(0, newest - LOOK_BACK_BLOCKS)),
                "toBlock": hex(newest),
                "topics": [f"0x{ANCHORED.hex()}", f"0x{origin_digest(origin).hex()}"],
            },
        )
        with understanding(self.pin.name):
            for event in reversed(found):
                if int(str(event["data"])[2:66], 16) == size:
                    return str(event["transactionHash"])
        return None

    async def _view(self, signature: str, digest: bytes, at: str) -> bytes:
        call = {"to": self.pin.hex_address, "data": f"0x{_call(signature, ['bytes32'], [digest]).hex()}"}
        answer = bytes.fromhex(str(await self.node.ask("eth_call", call, at)).removeprefix("0x"))
        if len(answer) < 32:
            raise AnchoringError(f"{self.pin.name}: what is at {self.pin.hex_address} is another contract")
        return answer


def _call(signature: str, types: Sequence[str], values: Sequence[Any]) -> bytes:
    return bytes(keccak(signature.encode()))[:4] + encode(types, values)
