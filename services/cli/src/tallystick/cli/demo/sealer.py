"""The demo's sealer: a process with a key and a state of its own, as somebody else would run it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tallystick.cli.provision import SealerKey
from tallystick.embedded import ServiceProcess, StartError, free_port
from tallystick.embedded.service_process import console_script

PROGRAM = ("tallystick-witness", "--role", "sealer")


class LocalSealer:
    """A sealer in a directory of its own, whose name is the sealer's."""

    def __init__(self, directory: Path, log_file: Path, settings: Mapping[str, str]) -> None:
        directory.mkdir(parents=True)
        self.name = directory.name
        self._log_file = log_file
        key_file = directory / "key.pem"
        private = Ed25519PrivateKey.generate()
        key_file.touch(0o600)
        key_file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.described = SealerKey(self.name, private.public_key().public_bytes_raw())
        self._environment = {
            "TALLYSTICK_NAME": self.name,
            "TALLYSTICK_KEY_FILE": str(key_file),
            "TALLYSTICK_STATE": f"sqlite://{directory / 'state.db'}",
            "TALLYSTICK_HTTP_PORT": str(free_port()),
        } | dict(settings)

    def process(self, reach: Mapping[str, str]) -> ServiceProcess:
        """Make its state, and return the process to be started; `reach` says where Kafka and Vault are. Raises StartError."""
        environment = dict(reach) | self._environment
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
        done = subprocess.run(  # noqa: S603  our own command
            [console_script(PROGRAM[0]), *PROGRAM[1:], "--init"],
            env=inherited | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartError(f"{self.name}: its state cannot be made: {done.stderr.strip()}")
        return ServiceProcess(self.name, list(PROGRAM), environment, self._log_file)
