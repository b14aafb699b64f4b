"""Models, policies and activations as records, signed by whoever the test wants: as they should be, and forged."""

import asyncio
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.approval import read_governance, read_key
from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import command, wait_until
from tallystick.contracts import (
    Activation,
    ActivationStatement,
    ModelStatement,
    ModelVersion,
    PolicyStatement,
    PolicyVersion,
    Signature,
)
from tallystick.embedded.service_process import console_script
from tallystick.runtime.kafka import producer
from tallystick.trust.governance import Governance
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.statements import signing_input

Signer = tuple[str, Ed25519PrivateKey]
Record = ModelVersion | PolicyVersion | Activation
KEYS = {ModelVersion: b"model_version/test", PolicyVersion: b"policy_version/test", Activation: b"activation/test"}


@dataclass(frozen=True, slots=True)
class Release:
    """What the trainer made: the model's file and the statements to be signed."""

    folder: Path
    model_file: bytes
    model_statement: bytes
    policy_statement: bytes

    @classmethod
    def load(cls, folder: Path) -> "Release":
        """Read the trainer's folder."""
        model = (folder / "model_statement.bin").read_bytes()
        digest = ModelStatement.FromString(model).digest
        return cls(
            folder, (folder / f"{digest.hex()}.json").read_bytes(), model, (folder / "policy_statement.bin").read_bytes()
        )

    @property
    def model_digest(self) -> bytes:
        """SHA-256 of the model's file."""
        return sha256(self.model_file).digest()

    @property
    def policy_digest(self) -> bytes:
        """SHA-256 of the policy's statement."""
        return sha256(self.policy_statement).digest()

    @property
    def policy(self) -> PolicyStatement:
        """The policy."""
        return PolicyStatement.FromString(self.policy_statement)


def person(platform: Platform, name: str) -> Signer:
    """Return one of the platform's people."""
    return name, read_key(platform.people[name].key_file)


def signatures(kind: str, statement: bytes, signers: Sequence[Signer]) -> list[Signature]:
    """Sign a statement."""
    return [Signature(signer=name, signature=key.sign(signing_input(kind, statement))) for name, key in signers]


def model_version(statement: bytes, signers: Sequence[Signer]) -> ModelVersion:
    """Return a model's record."""
    return ModelVersion(statement=statement, signatures=signatures("ModelStatement", statement, signers))


def policy_version(statement: bytes, signers: Sequence[Signer]) -> PolicyVersion:
    """Return a policy's record."""
    return PolicyVersion(statement=statement, signatures=signatures("PolicyStatement", statement, signers))


def activation(statement: ActivationStatement, signers: Sequence[Signer]) -> Activation:
    """Return an activation's record."""
    data = statement.SerializeToString()
    return Activation(statement=data, signatures=signatures("ActivationStatement", data, signers))


def govern(platform: Platform, *records: Record) -> int:
    """Send governance records, wait until they are in the published log, and return its size before them."""
    before = logged(platform)

    async def send() -> None:
        async with producer(platform.kafka) as sender:
            for record in records:
                await sender.send_and_wait("governance", record.SerializeToString(), key=KEYS[type(record)])

    asyncio.run(send())
    wait_until(lambda: logged(platform) >= before + len(records), "the governance log")
    return before


def logged(platform: Platform) -> int:
    """Return the published size of the governance log."""
    return int(platform.health("notary")["logs"]["governance"]["published_size"])


def governance(platform: Platform) -> Governance:
    """Return what the governance log amounts to."""
    policy = TrustPolicy.load(platform.policy)
    return asyncio.run(read_governance(f"{platform.log_url}/governance", policy))


def next_statement(platform: Platform, release: Release, effective_at_ms: int, **other: object) -> ActivationStatement:
    """State the next activation of a release that is published, with some fields `other` than they should be."""
    now = governance(platform)
    earlier = now.slot("champion")
    statement = ActivationStatement(
        log=now.roster.log,
        slot="champion",
        number=earlier[-1].number + 1 if earlier else 0,
        model_digest=release.model_digest,
        model_index=now.models[release.model_digest][0],
        policy_digest=release.policy_digest,
        policy_index=now.policies[release.policy_digest][0],
        superseded_index=earlier[-1].index if earlier else None,
        effective_at_ms=effective_at_ms,
    )
    for field, value in other.items():
        setattr(statement, field, value)
    return statement


def publish_release(platform: Platform, release: Release) -> None:
    """Publish a release as ada, unless it is published, without the trainer's command: a moment instead of seconds."""
    (platform.models / f"{release.model_digest.hex()}.json").write_bytes(release.model_file)
    ada, known = person(platform, "ada"), governance(platform)
    records: list[Record] = []
    if release.model_digest not in known.models:
        records.append(model_version(release.model_statement, [ada]))
    if release.policy_digest not in known.policies:
        records.append(policy_version(release.policy_statement, [ada]))
    govern(platform, *records)


def activate_release(platform: Platform, release: Release, effective_at_ms: int) -> int:
    """Activate a published release, approved by ada and grace; return the activation's index in the governance log."""
    statement = next_statement(platform, release, effective_at_ms)
    return govern(platform, activation(statement, [person(platform, "ada"), person(platform, "grace")]))


def loaded(platform: Platform) -> list[int]:
    """Return the indexes of the activations that scoring has verified; none while it has not asked its brokers yet."""
    said: dict[str, list[int]] = platform.health("scoring").get("governance", {})
    return said.get("activations", [])


def install(platform: Platform, release: Release, effective_at_ms: int = 1) -> int:
    """Publish and activate a release and wait until scoring has verified it; return the activation's index."""
    wait_until(lambda: bool(platform.health("notary")["ready"]), "the notary")
    publish_release(platform, release)
    index = activate_release(platform, release, effective_at_ms)
    wait_until(lambda: index in loaded(platform), "scoring to load the model")
    wait_until(lambda: bool(platform.health("scoring")["ready"]), "scoring")
    return index


def pass_gap(
    platform: Platform, from_sequence: int, to_sequence: int, offset: int, file: Path, *, second: str = "grace", code: int = 0
) -> None:
    """Let ada propose an incident on partition 0, and somebody approve and send it, which ends with this exit code."""
    people = {name: ["--key", str(one.key_file), "--signer", name] for name, one in platform.people.items()}
    common = ["--log", f"{platform.log_url}/governance", "--trust", str(platform.policy)]
    numbers = ["--from-sequence", str(from_sequence), "--to-sequence", str(to_sequence), "--record-offset", str(offset)]
    said = ["--partition", "0", *numbers, "--explanation", "the brokers lost them"]
    command(["tallystick", "incident", "propose", *said, *common, *people["ada"], "--out", str(file)])
    approve = ["incident", "approve", str(file), *common, *people[second], "--yes", "--publish"]
    script = str(console_script("tallystick"))
    done = subprocess.run([script, *approve, "--kafka", platform.stack.kafka.address], capture_output=True, check=False)
    assert done.returncode == code, done.stderr
