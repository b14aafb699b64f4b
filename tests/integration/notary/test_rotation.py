"""A log's key is rotated in a real Vault: logged first, both sign for a while, the old one is retired."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.approval import write_key
from tallystick.cli.main import main
from tallystick.cli.provision import SignerKey, provision
from tallystick.merkle.encoding import encode_base64
from tallystick.merkle.keys import NoteError
from tallystick.merkle.notes import Note, verify_note
from tallystick.trust.policy import TrustPolicy

from .installation import Installation, eventually

APPROVERS = ("ada", "grace")


@dataclass
class Rotation:
    """An installation whose approvers are ada and grace, and the commands as they run them."""

    installation: Installation
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    policy: Path = field(init=False)

    async def __aenter__(self) -> "Rotation":
        home = self.installation.home
        for name in APPROVERS:
            self.keys[name] = Ed25519PrivateKey.generate()
            write_key(self.keys[name], home / f"{name}.pem")
        signers = tuple(SignerKey(name, ("approver",), key.public_key().public_bytes_raw()) for name, key in self.keys.items())
        plan = replace(self.installation.provisioned.plan, signers=signers, replace_policy=True)
        self.installation.provisioned = await provision(plan)
        self.policy = home / "policy-0"
        shutil.copytree(self.installation.provisioned.policy, self.policy)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.installation.stop()

    @property
    def log(self) -> list[str]:
        """The options that say where the governance log is, and whom to believe."""
        return ["--log", (self.installation.log_dir / "governance").as_uri(), "--trust", str(self.policy)]

    def note(self, log: str) -> bytes:
        """Return a log's public checkpoint."""
        return (self.installation.log_dir / log / "checkpoint").read_bytes()

    def signed_by(self, log: str) -> int:
        """Return how many signatures of the log's own the public checkpoint bears."""
        origin = self.installation.policy.origins[log]
        return [line.name for line in Note.parse(self.note(log)).signatures].count(origin)

    async def run(self, *arguments: str) -> None:
        """Run `tallystick`, which must succeed."""
        assert await asyncio.to_thread(main, list(arguments)) == 0

    async def two_people(self, *proposal: str) -> None:
        """Propose something of a log's key as ada, approve it as grace, and wait until it is logged."""
        file, size = self.installation.home / "record", (await self.installation.verify("governance"))[0].size
        keys = {name: ["--key", str(self.installation.home / f"{name}.pem"), "--signer", name] for name in APPROVERS}
        await self.run("rotate-key", *proposal, *self.log, *keys["ada"], "-o", str(file))
        sending = ["--yes", "--publish", "--kafka", self.installation.kafka.address]
        await self.run("rotate-key", "approve", str(file), *self.log, *keys["grace"], *sending)
        await self.installation.wait_for(size + 1, "governance")

    async def update(self) -> TrustPolicy:
        """Take up what the log says of keys, as a verifier does, and return the policy."""
        new = self.policy.with_name(f"policy-{int(self.policy.name.rpartition('-')[2]) + 1}")
        await self.run("policy", "update", *self.log, "-o", str(new))
        self.policy = new
        return TrustPolicy.load(new)


Make = Callable[[str], Awaitable[str]]


@pytest.fixture
def make(installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Make:
    """Return what runs `rotate-key make` as an operator and gives the public key that it prints."""
    token = installation.home / "operator.token"
    token.touch(0o600)
    token.write_text(installation.stack.vault.root_token)
    monkeypatch.setenv("TALLYSTICK_VAULT_ADDR", installation.stack.vault.address)
    monkeypatch.setenv("TALLYSTICK_VAULT_TOKEN_FILE", str(token))

    async def made(origin: str) -> str:
        capsys.readouterr()
        log = ["--log", (installation.log_dir / "governance").as_uri(), "--trust", str(installation.home / "policy-0")]
        assert await asyncio.to_thread(main, ["rotate-key", "make", origin, *log]) == 0
        return capsys.readouterr().out.strip()

    return made


@pytest.mark.parametrize("log", ["governance", "decisions"])
async def test_a_key_is_rotated_without_anybody_losing_the_log(installation: Installation, make: Make, log: str) -> None:
    """Every step of a rotation, with a verifier of the old policy, one of the new, and the checkpoints of before.

    In Vault alone, the new key signs nothing. Logged, both sign. Retired, the old one signs no more, a notary that starts then
    goes on, and a checkpoint that a thief of the old key makes larger is refused, while the old checkpoints verify.
    """
    async with Rotation(installation) as rotation:
        await installation.started(TALLYSTICK_REFRESH_S="0.2")
        await installation.send_decisions(range(2))
        await installation.wait_for(8)
        await installation.wait_for(0, "governance")
        old, origin = TrustPolicy.load(rotation.policy), installation.policy.origins[log]
        before = rotation.note(log)

        new_key = await make(origin)
        assert await make(origin) == new_key  # one waits to be logged: no further one is made
        await installation.send_decisions(range(2, 4))
        await installation.wait_for(16)
        assert rotation.signed_by(log) == 1

        await rotation.two_people("propose", origin, "--public-key", new_key)
        await _appended(installation, rotation, log, range(4, 6), signatures=2)
        updated = await rotation.update()
        for policy in (old, updated):
            policy.log_policy.verify_checkpoint(rotation.note(log), origin)

        (old_key,) = {key for key, _ in old.log_policy.logs if key.name == origin}
        await rotation.two_people("retire", origin, "--public-key", encode_base64(old_key.public_key))
        await _appended(installation, rotation, log, range(6, 8), signatures=1)
        retired = await rotation.update()
        assert old_key in retired.log_policy.retired
        with pytest.raises(NoteError):
            verify_note(Note.parse(rotation.note(log)), [old_key])
        retired.log_policy.verify_checkpoint(rotation.note(log), origin)
        retired.log_policy.verify_checkpoint(before, origin)

        installation.notaries[-1].kill()
        await installation.started(TALLYSTICK_REFRESH_S="0.2")
        await _appended(installation, rotation, log, range(8, 10), signatures=1)


async def _appended(installation: Installation, rotation: Rotation, log: str, sequences: range, signatures: int) -> None:
    """Let the decisions' log grow and wait until `log` bears so many signatures of its own."""
    await asyncio.sleep(1.1)  # how long a notary may take to look at the governance log again
    await installation.send_decisions(sequences)
    path = installation.log_dir / "decisions" / "checkpoint"
    size = sequences.stop * 4
    await eventually(lambda: Note.parse(path.read_bytes()).text.split(b"\n")[1] == str(size).encode())
    await eventually(lambda: rotation.signed_by(log) == signatures)
