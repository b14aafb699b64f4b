"""The demo's witnesses: processes with keys and state of their own, as others would run them."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tallystick.cli.provision import Witness
from tallystick.embedded import ServiceProcess, StartError, free_port
from tallystick.embedded.service_process import console_script
from tallystick.merkle.keys import COSIGNATURE_V1, VerifierKey


class LocalWitness:
    """A witness in a directory of its own, whose name is the witness's."""

    def __init__(self, directory: Path, log_file: Path, settings: Mapping[str, str]) -> None:
        directory.mkdir(parents=True)
        self.name = directory.name
        self.key_file, self._logs_file = directory / "key.pem", directory / "logs"
        private = Ed25519PrivateKey.generate()
        self.key_file.touch(0o600)
        self.key_file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._logs_file.touch()
        key_name, port = f"witness.example/{self.name}", free_port()
        self.described = Witness(
            VerifierKey.make(key_name, COSIGNATURE_V1, private.public_key().public_bytes_raw()), f"http://127.0.0.1:{port}"
        )
        environment = {
            "TALLYSTICK_NAME": key_name,
            "TALLYSTICK_KEY_FILE": str(self.key_file),
            "TALLYSTICK_LOGS_FILE": str(self._logs_file),
            "TALLYSTICK_STATE": f"sqlite://{directory / 'state.db'}",
            "TALLYSTICK_HTTP_PORT": str(port),
        } | dict(settings)
        self.process = ServiceProcess(self.name, ["tallystick-witness"], environment, log_file)

    def create_state(self) -> None:
        """Make the state of a witness that has never cosigned anything. Raises StartError."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
        done = subprocess.run(  # noqa: S603  our own command
            [console_script("tallystick-witness"), "--init"],
            env=inherited | self.process.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartError(f"{self.name}: its state cannot be made: {done.stderr.strip()}")

    def know(self, log_policy: bytes) -> None:
        """Tell it which logs to cosign for: those of a `log.policy`."""
        self._logs_file.write_bytes(b"".join(line for line in log_policy.splitlines(True) if line.startswith(b"log ")))


def create_states(witnesses: Iterable[LocalWitness]) -> None:
    """Make all their states, side by side. Raises StartError."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(LocalWitness.create_state, witnesses))


def local_witnesses(
    directory: Path, names: Sequence[str], log_files: Path, extra: Mapping[str, Mapping[str, str]]
) -> list[LocalWitness]:
    """Make witnesses below `directory`; `extra` holds further settings by name."""
    return [LocalWitness(directory / name, log_files / f"{name}.log", extra.get(name, {})) for name in names]
