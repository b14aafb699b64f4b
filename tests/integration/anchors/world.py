"""Two logs in a directory, signed, and a chain and an authority that are real: what anchoring needs of the world."""

import json
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tallystick.embedded.evm import Evm
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import encode_base64
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, SignatureLine, VerifierKey
from tallystick.merkle.tiles import TileBuilder
from tallystick.notary.anchors.chain import Node
from tallystick.notary.anchors.heads import Heads, PublishedHead
from tallystick.notary.anchors.main import deploy
from tallystick.notary.anchors.posting import Poster
from tallystick.notary.anchors.store import ReceiptStore
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.anchors.pins import Anchorer, Contract
from tallystick.trust.policy import TrustPolicy

DECISIONS, GOVERNANCE = "bank.example/decisions", "bank.example/governance"
ETHER = 10**18
GWEI = 10**9


def key(name: str) -> Ed25519PrivateKey:
    """Return the key of a name; the same each time."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def log_policy() -> bytes:
    """Return a `log.policy` of both logs that asks for no cosignatures."""
    lines = [f"log {VerifierKey.make(origin, ED25519, public(origin))}" for origin in (DECISIONS, GOVERNANCE)]
    lines.append(f"witness clock {VerifierKey.make('clock', COSIGNATURE_V1, public('clock'))}")
    return "\n".join([*lines, "quorum none", ""]).encode()


def public(name: str) -> bytes:
    """Return the public key of a name."""
    return key(name).public_key().public_bytes_raw()


def trust_toml(more: str = "") -> bytes:
    """Return a `trust.toml` with both logs, and more."""
    return f"""version = 1
[logs]
decisions = "{DECISIONS}"
governance = "{GOVERNANCE}"
[freshness]
max_age_s = 60
witness = "clock"
[topics.transactions]
partitions = 4
partitioner = "murmur2"
[[signers]]
name = "ada"
public_key = "{encode_base64(public("ada"))}"
roles = ["publisher", "approver"]
{more}""".encode()


def authority_toml(name: str, root_pem: str) -> str:
    """Return the part of `trust.toml` that pins an authority."""
    return f'[[timestamp_authorities]]\nname = "{name}"\nroots = [{json.dumps(root_pem)}]\n'


def contract_toml(pin: Contract) -> str:
    """Return the part of `trust.toml` that pins a contract."""
    return f'[[contracts]]\nname = "{pin.name}"\nchain_id = {pin.chain_id}\naddress = "{pin.hex_address}"\n'


class Bank:
    """Two logs below `directory`, as they are published; each grows when told to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.policy = TrustPolicy.parse(log_policy(), trust_toml())
        self._builders = {DECISIONS: TileBuilder(), GOVERNANCE: TileBuilder()}
        self._heads = [self.published(origin) for origin in self._builders]
        self.grow(DECISIONS, 3)
        self.grow(GOVERNANCE, 2)

    def published(self, origin: str, pins: Mapping[str, Anchorer] | None = None) -> PublishedHead:
        """Return what reads a log's head as a process does that has just started; `pins` are those whose anchors it knows."""
        reader = LogReader(f"{self.directory.as_uri()}/{name(origin)}")
        anchored = partial(self.store.largest, name(origin), origin, pins or {})
        return PublishedHead(name(origin), origin, reader, self.policy.log_policy, anchored)

    def grow(self, origin: str, entries: int) -> None:
        """Append entries to a log, and publish."""
        builder = self._builders[origin]
        tiles = builder.append([leaf_hash(f"{origin} {builder.size + place}".encode()) for place in range(entries)])
        for path, tile in tiles.items():
            self._write(origin, path.path(), tile)
        self.publish(origin, builder.size, builder.root())

    def publish(self, origin: str, size: int, root: bytes) -> None:
        """Publish a signed checkpoint, whatever it says."""
        text = Checkpoint(origin, size, root).encode()
        line = SignatureLine.by(VerifierKey.make(origin, ED25519, public(origin)), key(origin).sign(text))
        self._write(origin, "checkpoint", Note(text, (line,)).encode())

    @property
    def store(self) -> ReceiptStore:
        """Where receipts are kept."""
        return ReceiptStore({name(origin): self.anchors(origin) for origin in self._builders})

    async def heads(self) -> Heads:
        """Return both heads."""
        found = [await log.read() for log in self._heads]
        return {head.log: head for head in found if head is not None}

    def anchors(self, origin: str = DECISIONS) -> AnchorFiles:
        """Return the anchors beside a log."""
        return AnchorFiles(f"{self.directory.as_uri()}/{name(origin)}")

    def _write(self, origin: str, path: str, data: bytes) -> None:
        target = self.directory / name(origin) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def name(origin: str) -> str:
    """Return a log's name in the directory."""
    return origin.rpartition("/")[2]


class Chain:
    """A contract on a chain, and an account with something to pay."""

    def __init__(self, evm: Evm, ether: int = 1) -> None:
        self.evm = evm
        self.account: LocalAccount = Account.create()
        self.fund(self.account, ether * ETHER)

    def fund(self, account: LocalAccount, wei: int) -> None:
        """Give an account something to pay with."""
        if wei:
            self.evm.call("dev_fund", account.address, hex(wei))

    async def contract(self) -> Contract:
        """Deploy a contract, and return it as a trust policy pins it."""
        address = await deploy(self.evm.url, self.account, 100)
        return Contract("chain1", int(self.evm.call("eth_chainId"), 16), bytes.fromhex(address[2:]))

    def poster(
        self,
        pin: Contract,
        bank: Bank,
        account: LocalAccount | None = None,
        *,
        confirmations: int = 1,
        stuck_after_s: float = 0.0,
        max_fee: int = 100 * GWEI,
    ) -> Poster:
        """Return a poster of the bank's heads."""
        return Poster(
            pin,
            Node(pin.name, self.evm.url),
            account or self.account,
            bank.store,
            confirmations=confirmations,
            stuck_after_s=stuck_after_s,
            max_fee=max_fee,
        )

    def mine(self, blocks: int = 1) -> None:
        """Make empty blocks."""
        self.evm.call("evm_mine", blocks)

    def nonce(self) -> int:
        """Return how many transactions of the account are in blocks."""
        return int(self.evm.call("eth_getTransactionCount", self.account.address, "latest"), 16)

    def send(self, to: bytes, data: bytes, gas: int = 1_000_000, account: LocalAccount | None = None) -> str:
        """Send a transaction by another way than a poster's; return its hash."""
        sender = account or self.account
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": int(self.evm.call("eth_chainId"), 16),
            "nonce": int(self.evm.call("eth_getTransactionCount", sender.address, "latest"), 16),
            "gas": gas,
            "maxFeePerGas": 50 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "value": 0,
            "to": to,
            "data": data,
        }
        signed = sender.sign_transaction(transaction)
        return str(self.evm.call("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()))


async def until_anchored(poster: Poster, bank: Bank, steps: int = 12) -> int:
    """Step until the heads are anchored; return how many steps it took."""
    for step in range(1, steps + 1):
        if await poster.anchor(await bank.heads()):
            return step
    raise AssertionError(f"not anchored in {steps} steps")
