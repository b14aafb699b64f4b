"""An EVM chain, embedded: `evm_node` as a process. Everything is in its memory and gone when it stops."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tallystick.embedded.ports import free_port
from tallystick.embedded.process import Child

START_TIMEOUT_S = 60.0  # it imports a good deal


class Evm:
    """One node; `block_time_s` seconds between blocks, 0 for none but those with transactions."""

    def __init__(self, directory: Path, block_time_s: float = 0.0, port: int | None = None) -> None:
        self.port = port or free_port()
        self._block_time_s = block_time_s
        self.child = Child("EVM chain (py-evm)", directory / "evm.log")

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC."""
        return f"http://127.0.0.1:{self.port}"

    def spawn(self) -> None:
        """Start the node without waiting for it."""
        module = "tallystick.embedded.evm_node"
        self.child.spawn([sys.executable, "-m", module, str(self.port), str(self._block_time_s)])

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the node answers. Raises StartError."""
        self.child.wait_until(self._answers, "answered", timeout_s)

    def start(self) -> None:
        """Start the node. Raises StartError."""
        self.spawn()
        self.wait_ready()

    def stop(self) -> None:
        """Stop the node; the chain is gone."""
        self.child.stop(timeout_s=2.0)

    def call(self, method: str, *parameters: Any) -> Any:
        """Return the result of a JSON-RPC method. Raises OSError if it does not answer, ValueError if it refuses."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})  # noqa: S310  the address is ours
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer = json.load(response)
        if "error" in answer:
            raise ValueError(answer["error"]["message"])
        return answer["result"]

    def _answers(self) -> bool:
        try:
            return bool(self.call("eth_chainId"))
        except (urllib.error.URLError, OSError):
            return False
